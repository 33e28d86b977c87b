"""From errors to exit codes: 1 a run failed, 2 wrong use, 3 no machine, 4 results not safe, 70 a bug."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from launcher.errors import LauncherError

if TYPE_CHECKING:
    from pathlib import Path

_USAGE = 2
_BUG = 70
_INTERRUPTED = 130


def run_and_exit(command: click.Command) -> int:
    """Run a command line and tell its errors: what happened, what to do. Returns: the exit code."""
    try:
        code = command.main(standalone_mode=False)
    except LauncherError as error:
        _tell(error.what, error.todo)
        return error.exit_code
    except click.ClickException as error:
        return _tell_usage(error)
    except (KeyboardInterrupt, click.Abort):
        _tell("Interrupted.", "")
        return _INTERRUPTED
    except BrokenPipeError:  # `launcher logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # noqa: BLE001 - the boundary: a bug is told in one line too
        _tell_bug()
        return _BUG
    return code if isinstance(code, int) else 0


def _tell(what: str, todo: str) -> None:
    click.echo(click.style("error: ", fg="red") + what, err=True)
    if todo:
        click.echo(f"  {todo}", err=True)


def _tell_usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "launcher"
    _tell(error.format_message(), f"See {path} --help.")
    return _USAGE


def _tell_bug() -> None:
    import traceback

    path = _write_traceback(traceback.format_exc())
    kind, error, _ = sys.exc_info()
    name = kind.__name__ if kind else "error"
    _tell(f"This is a bug in launcher: {name}: {error}", f"The traceback is in {path}; please report it.")


def _write_traceback(text: str) -> Path:
    import tempfile
    from pathlib import Path

    with tempfile.NamedTemporaryFile(
        "w", prefix="launcher-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    return Path(file.name)
