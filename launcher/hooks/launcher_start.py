"""Decide what to do when the script imports what: seed a package, watch Keras. Runs once, at the start.

Nothing is imported here for the script's sake: a script without Keras pays for this file, the guard and the
watch.
"""

from __future__ import annotations

import os
import sys

from .launcher_guard import Guard, say
from .launcher_imports import ImportWatch
from .launcher_seed import Seeder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_NO_HISTORY = "this run has no history"


def start() -> None:
    """Seed what is imported already, and watch the imports to come."""
    seeder = _make_seeder(os.environ.get("LAUNCHER_SEED"))
    seeder.seed_loaded()
    actions = {
        **seeder.actions,
        "keras": (*seeder.actions.get("keras", ()), _watch_keras),
        "tf_keras": (_say_legacy,),
    }
    sys.meta_path.insert(0, ImportWatch(actions, hold=seeder.hold))
    if "keras" in sys.modules:  # by a warm worker
        _watch_keras(sys.modules["keras"])


def _make_seeder(text: str | None) -> Seeder:
    with Guard("this run is not seeded"):
        return Seeder(None if text is None else int(text))
    return Seeder(None)


def _watch_keras(keras: ModuleType) -> None:
    version = str(getattr(keras, "__version__", "of unknown version"))
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < 3:  # noqa: PLR2004
        say(f"{_NO_HISTORY}: that needs Keras 3, and this is Keras {version}")
        return
    with Guard(_NO_HISTORY):
        from .launcher_keras import watch_models  # noqa: PLC0415  # only now is it worth its time

        watch_models(keras, folder=_RUN_FOLDER)


def _say_legacy(_: ModuleType) -> None:
    say(f"{_NO_HISTORY}: that needs Keras 3, and this is tf_keras")


_RUN_FOLDER = os.path.dirname(
    os.path.abspath(os.environ["LAUNCHER_OUTPUT"])
)  # before the script can change folders
start()
