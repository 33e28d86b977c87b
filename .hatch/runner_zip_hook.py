"""Put runner.pyz into the wheel, built from the sources that the wheel carries."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RunnerZipHook(BuildHookInterface):
    """Editable installs build the zip when it is asked for; a wheel carries it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        sys.path.insert(0, self.root)
        from launcher.nodes.runner_zip import build_runner_zip

        target = Path(tempfile.mkdtemp()) / "runner.pyz"
        target.write_bytes(build_runner_zip(Path(self.root, "launcher")))
        build_data["force_include"][str(target)] = "launcher/runner.pyz"
