"""From errors to exit codes: 1 a run failed, 2 wrong use, 3 no machine, 4 results not safe, 70 a bug.

What this computer refuses (a full disk, a closed folder) counts as wrong use: to mend it is up to the user.
"""

from __future__ import annotations

import contextlib
import errno
import sys
from typing import TYPE_CHECKING

import click

from launcher.errors import LauncherError

if TYPE_CHECKING:
    from pathlib import Path

_OF_DISK_OR_TERMINAL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_USAGE = 2
_BUG = 70
_INTERRUPTED = 130


def run_and_exit(command: click.Command) -> int:
    """Run a command line and tell its errors: what happened, what to do. Returns: the exit code."""
    try:
        code = command.main(standalone_mode=False)
    except LauncherError as error:
        return _tell(error.what, error.todo, error.exit_code)
    except click.ClickException as error:
        return _tell_usage(error)
    except (KeyboardInterrupt, click.Abort) as error:
        return _tell_break(error)
    except Exception as error:  # noqa: BLE001 - the boundary: a bug is told in one line too
        return _tell_refusal(error) or _tell_bug()
    return code if isinstance(code, int) else 0


def _tell_break(error: BaseException) -> int:
    if isinstance(error.__context__, EOFError) and not _can_answer():  # a question met the end of its input
        return _tell("Nobody is there to be asked.", "Say --yes to do it unasked.", _USAGE)
    return _tell("Interrupted.", "", _INTERRUPTED)


def _tell_refusal(error: Exception) -> int | None:
    """Tell what this computer refuses: a full disk, a closed folder or terminal; None for anything else."""
    if not isinstance(error, OSError) or (error.filename is None and error.errno not in _OF_DISK_OR_TERMINAL):
        return None
    where = "" if error.filename is None else f"{error.filename}: "  # whoever writes is told no name
    return _tell(f"{where}{error.strerror}.", "Mend that, then try again.", _USAGE)


def _can_answer() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _tell(what: str, todo: str, exit_code: int) -> int:
    with contextlib.suppress(OSError):  # the terminal was closed, and nobody reads it
        click.echo(click.style("error: ", fg="red") + _clean(what), err=True)
        if todo:
            click.echo(f"  {_clean(todo)}", err=True)
    return exit_code


def _clean(text: str) -> str:
    from launcher.report.text import clean

    return "\n".join(clean(line) for line in text.split("\n"))


def _tell_usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return 0
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "launcher"
    return _tell(error.format_message(), f"See {path} --help.", _USAGE)


def _tell_bug() -> int:
    import traceback

    path = _write_traceback(traceback.format_exc())
    kind = sys.exc_info()[0]
    name = kind.__name__ if kind else "error"
    return _tell(
        f"this is a bug in launcher ({name}). Please report it with the traceback in {path}", "", _BUG
    )


def _write_traceback(text: str) -> Path:
    import tempfile
    from pathlib import Path

    with tempfile.NamedTemporaryFile(
        "w", prefix="launcher-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    return Path(file.name)
