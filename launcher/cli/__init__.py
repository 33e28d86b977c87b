"""The command line: the one place that prints and exits. A command's module is imported when it is called."""

from __future__ import annotations

import gc
import io
import sys

from launcher.cli.group import cli
from launcher.cli.outcome import run_and_exit


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows few letters is shown their codes
            stream.reconfigure(errors="backslashreplace")
    exit_code = run_and_exit(cli)
    gc.freeze()  # or else the interpreter looks at all that was imported once more, to say goodbye
    sys.exit(exit_code)
