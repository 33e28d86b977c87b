"""Every error says what happened and what to do, and has its exit code."""

from __future__ import annotations

from typing import Any

import pytest

from launcher import errors

EXIT_CODES = {
    errors.LauncherError: 1,
    errors.RunsFailedError: 1,
    errors.UsageError: 2,
    errors.RefusedHereError: 2,
    errors.NoMachineError: 3,
    errors.NodeError: 3,
    errors.MachineGoneError: 3,
    errors.LaunchError: 3,
    errors.AlreadyRentedError: 3,
    errors.SshError: 3,
    errors.SshRefusedError: 3,
    errors.SshTimeoutError: 3,
    errors.SshAuthenticationError: 3,
    errors.HostKeyError: 3,
    errors.HostileNodeError: 3,
    errors.RefusedError: 3,
    errors.AwsError: 3,
    errors.AwsCapacityError: 3,
    errors.AwsClockError: 3,
    errors.AwsCredentialsError: 3,
    errors.AwsDeniedError: 3,
    errors.AwsDuplicateError: 3,
    errors.AwsMissingError: 3,
    errors.AwsQuotaError: 3,
    errors.AwsRefusedError: 3,
    errors.AwsSetupError: 3,
    errors.AwsThrottledError: 3,
    errors.AwsTypeError: 3,
    errors.AwsUnclearError: 3,
    errors.ResultsNotSafeError: 4,
}


MORE: dict[type[errors.LauncherError], dict[str, Any]] = {
    errors.LaunchError: {"attempts": ()},
    errors.AlreadyRentedError: {"machine": "i-1", "region": "us-west-2"},
    errors.MachineGoneError: {"is_spot": True},
}


@pytest.mark.parametrize(("kind", "exit_code"), EXIT_CODES.items())
def test_an_error_has_its_exit_code(kind: type[errors.LauncherError], exit_code: int) -> None:
    error = kind("This happened.", "Do that.", **MORE.get(kind, {}))

    assert error.exit_code == exit_code
    assert (error.what, error.todo, str(error)) == ("This happened.", "Do that.", "This happened.")


def test_every_error_stands_in_the_table_above() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}

    assert kinds == set(EXIT_CODES)
    assert all(issubclass(kind, errors.LauncherError) for kind in kinds)
