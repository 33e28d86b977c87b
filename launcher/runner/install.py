"""Install an environment once per content of its requirements, by uv where there is one, else by pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from launcher.runner.environment import environment_folder
from launcher.runner.folders import remove_tree
from launcher.runner.lock import Lock

IMAGE_ENVIRONMENTS = "/opt/launcher/environments"  # what a machine's image may bring, each complete in itself
_COMPLETE = "complete"
_TIMEOUT_S = 3600.0
_LOOK_AGAIN_S = 0.2


def install(
    home: str, *, sha256: str, requirements: str, python: str, image: str = IMAGE_ENVIRONMENTS
) -> None:
    """Make sure that an environment is there; two who ask at once wait for one installation.

    Args:
        requirements: a file as pip reads it.
        python: the interpreter that the environment builds on.
        image: where environments may lie that need no installation.

    Raises:
        subprocess.CalledProcessError: the installation failed; its output went to our own streams.
    """
    folder = environment_folder(home, sha256)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with Lock(folder + ".lock") as lock:
        while not lock.try_to_take():
            time.sleep(_LOOK_AGAIN_S)
        if os.path.exists(os.path.join(folder, _COMPLETE)):
            return
        remove_tree(folder)
        brought = os.path.join(image, os.path.basename(folder))
        if os.path.exists(os.path.join(brought, _COMPLETE)):
            os.symlink(brought, folder)
            return
        for argv in _commands(folder, requirements, python):
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S)
        with open(os.path.join(folder, _COMPLETE), "wb"):
            pass


def _commands(folder: str, requirements: str, python: str) -> list[list[str]]:
    own = os.path.join(folder, "bin", "python")
    uv = shutil.which("uv")
    if uv:
        return [
            [uv, "venv", "--quiet", "--python", python, folder],
            [uv, "pip", "install", "--quiet", "--python", own, "-r", requirements],
        ]
    return [
        [python, "-m", "venv", folder],
        [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
    ]
