"""Start the hooks. Python runs this file by itself: its folder stands in a run's PYTHONPATH.

It may import only os and sys and cost a few milliseconds at most. It takes its folder out of sys.path
again, so that nothing of the user's is shadowed, and runs the sitecustomize that it hides. Whatever goes
wrong is one line on stderr, and the script goes on.
"""

from __future__ import annotations

import os
import sys

PACKAGE = "_launcher_hooks"


def start() -> None:
    """Watch imports where this process belongs to a run; then give way to any other sitecustomize."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != here]
    if PACKAGE not in sys.modules and {"LAUNCHER_OUTPUT", "LAUNCHER_WARM"} & os.environ.keys():
        package = type(sys)(PACKAGE)
        package.__path__ = [here]
        sys.modules[PACKAGE] = package
        if "LAUNCHER_OUTPUT" in os.environ:  # a warm worker starts them in the process of each run
            _load_hooks()
    _run_hidden()


def _load_hooks() -> None:
    try:
        __import__(f"{PACKAGE}.launcher_start")
    except Exception as error:  # noqa: BLE001  # a run must not break because its history does
        sys.stderr.write(f"launcher: this run has no history and no seed: {error!r}\n")


def _run_hidden() -> None:
    own = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise  # site.py reports it, as it would have without us
    finally:
        if own is not None:
            sys.modules.setdefault("sitecustomize", own)


start()
