"""`status` pays for every import: reading and showing a batch needs a small part of the standard library."""

from __future__ import annotations

import subprocess
import sys

RESULTS = ("batch", "find", "details", "status", "finished")
REPORT = ("status", "lines", "live", "comparison", "plan")
HEAVY = {
    *("numpy", "scipy", "rich", "pydantic", "yaml", "click"),
    *("csv", "dataclasses", "inspect", "asyncio", "difflib", "textwrap"),
}


def test_reading_and_showing_a_batch_imports_nothing_heavy() -> None:
    modules = [*(f"results.{name}" for name in RESULTS), *(f"report.{name}" for name in REPORT)]
    imports = "".join(f"import launcher.{module}\n" for module in modules)
    argv = [sys.executable, "-I", "-c", imports + "import sys; print(*sys.modules)"]

    loaded = subprocess.run(argv, capture_output=True, text=True, check=True, env={}).stdout.split()

    assert "launcher.report.status" in loaded
    assert not HEAVY & set(loaded)
