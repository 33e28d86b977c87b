"""Every error that a user can meet: what happened, what to do, the exit code. Only cli prints them."""

from __future__ import annotations


class LauncherError(Exception):
    """Something that the user can understand and mend.

    Args:
        what: one line that says what happened.
        todo: one line that says what to do.
    """

    exit_code = 1

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo


class RunsFailedError(LauncherError):
    """The batch ended and some run did not succeed."""


class UsageError(LauncherError):
    """Wrong use, bad input or an unknown id."""

    exit_code = 2


class NoMachineError(LauncherError):
    """No place to run could be had."""

    exit_code = 3


class ResultsNotSafeError(LauncherError):
    """Results exist that have not been verified at home."""

    exit_code = 4


class NodeError(LauncherError):
    """A place to run did not do what it should."""

    exit_code = 3
