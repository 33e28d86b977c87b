"""Every error says what happened and what to do, and has its exit code."""

from __future__ import annotations

import pytest

from launcher import errors


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (errors.LauncherError, 1),
        (errors.RunsFailedError, 1),
        (errors.UsageError, 2),
        (errors.NoMachineError, 3),
        (errors.NodeError, 3),
        (errors.ResultsNotSafeError, 4),
    ],
)
def test_an_error_has_its_exit_code(kind: type[errors.LauncherError], exit_code: int) -> None:
    error = kind("This happened.", "Do that.")

    assert error.exit_code == exit_code
    assert (error.what, error.todo, str(error)) == ("This happened.", "Do that.", "This happened.")


def test_every_error_stands_in_the_table_above() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}

    assert len(kinds) == 6
    assert all(issubclass(kind, errors.LauncherError) for kind in kinds)
