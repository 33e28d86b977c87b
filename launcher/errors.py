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


class RefusedHereError(LauncherError):
    """This computer does not do what was asked of it: its disk is full, or a folder is closed to us."""

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


class SshError(NodeError):
    """A node could not be reached by SSH, or the connection was lost."""


class SshRefusedError(SshError):
    """The computer is there, and no SSH server listens."""


class SshTimeoutError(SshError):
    """Nothing answered in time."""


class SshAuthenticationError(SshError):
    """The server accepts none of our keys."""


class HostKeyError(SshError):
    """The server's key is not the one that is known: it may be somebody else."""


class HostileNodeError(NodeError):
    """A node sent what an honest one never sends."""


class RefusedError(NodeError):
    """Some of what a node has was not taken home.

    Args:
        refused: path and reason of each.
    """

    def __init__(self, what: str, todo: str, *, refused: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(what, todo)
        self.refused = refused


class AwsError(LauncherError):
    """AWS did not do what was asked.

    Args:
        what: one line that says what happened.
        todo: one line that says what to do.
        code: AWS' own word for it; empty where nothing was answered.
        action: what was asked for, as RunInstances.
    """

    exit_code = 3

    def __init__(self, what: str, todo: str, *, code: str = "", action: str = "") -> None:
        super().__init__(what, todo)
        self.code = code
        self.action = action


class LaunchError(NoMachineError):
    """No machine could be had.

    Args:
        attempts: what was tried, and what came of each.
    """

    def __init__(self, what: str, todo: str, *, attempts: tuple[tuple[str, str], ...]) -> None:
        super().__init__(what, todo)
        self.attempts = attempts


class AlreadyRentedError(NoMachineError):
    """The batch has a machine, which another client launched.

    Args:
        machine: its id.
    """

    def __init__(self, what: str, todo: str, *, machine: str, region: str) -> None:
        super().__init__(what, todo)
        self.machine = machine
        self.region = region


class AwsCredentialsError(AwsError):
    """There are no credentials, or they are not good any more."""


class AwsClockError(AwsError):
    """The clock of this computer differs so much from AWS' that nothing is accepted."""


class AwsDeniedError(AwsError):
    """The credentials are good, and this is not allowed to them."""


class AwsCapacityError(AwsError):
    """There is no such machine free there now: another zone, type or market may have one."""


class AwsQuotaError(AwsError):
    """The account may have no more of this family and market: another zone is no help."""


class AwsThrottledError(AwsError):
    """Nothing was done since too much was asked: the same request may be sent again, later."""


class AwsUnclearError(AwsError):
    """No definite answer: what was asked for may have been done or not. Send the very same again."""


class AwsMissingError(AwsError):
    """What was named is not there, or not visible yet."""


class AwsDuplicateError(AwsError):
    """What was to be made is there already."""


class AwsTypeError(AwsError):
    """There is no such instance type, or not any more."""


class AwsSetupError(AwsError):
    """The account or the region lacks something that must be set up once."""


class AwsRefusedError(AwsError):
    """AWS refuses the request as it is; to send it again is no help."""


class MachineGoneError(NodeError):
    """A rented machine ended while a batch was not done with it.

    Args:
        is_spot: whether AWS took it back.
    """

    def __init__(self, what: str, todo: str, *, is_spot: bool) -> None:
        super().__init__(what, todo)
        self.is_spot = is_spot
