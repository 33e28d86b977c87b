"""What all tests share: reproducible examples, and no silent skips where everything can run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2

settings.register_profile(
    "launcher", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("launcher")

# A shell lets what it starts in the background ignore Ctrl-C, and nohup the end of a terminal; so would all
# that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

BOTO = pytest.StashKey[Any]()
CAN_EVERYTHING = sys.platform == "linux" and os.geteuid() == 0


# Without root nothing is installed for the tests; what needs one of these is skipped then.
OPTIONAL = ("strace", "faketime", "zsh", "fish", "mkfs.xfs", "mkfs.btrfs", "setpriv", "sshd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what mounts disks or becomes somebody else, where that is not allowed."""
    for item in items:
        if item.get_closest_marker("root") and not CAN_EVERYTHING:
            item.add_marker(pytest.mark.skip(reason="needs root on Linux"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """As root on Linux everything can be had, so a skipped test is a failed one."""
    report = yield
    if CAN_EVERYTHING and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    elif not CAN_EVERYTHING and report.failed and (missing := _missing_program(str(report.longrepr))):
        report.outcome = "skipped"
        report.longrepr = (str(report.fspath), 0, f"{missing} is not installed")
    return report


def _missing_program(error: str) -> str | None:
    wanted = (program for program in OPTIONAL if shutil.which(program) is None)
    return next(
        (
            program
            for program in wanted
            if f"directory: '{program}'" in error or f"install {program}" in error
        ),
        None,
    )


@pytest.fixture(scope="session")
def aws_account() -> Iterator[FakeEc2]:
    """Serve the one account that stands in for AWS in this process; ask for `fake_ec2` instead."""
    from tests.fake_ec2 import FakeEc2

    with FakeEc2() as fake:
        yield fake


@pytest.fixture
def fake_ec2(aws_account: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> FakeEc2:
    """Return a new AWS account, to which boto3 of this process and of its children goes."""
    aws_account.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in aws_account.environ().items():
        monkeypatch.setenv(name, value)
    return aws_account


@pytest.fixture
def cloud(fake_ec2: FakeEc2, request: pytest.FixtureRequest) -> Cloud:
    """Return the account in us-west-2; waiting lets its time pass."""
    from launcher.aws.cloud import Cloud

    cloud = Cloud("us-west-2", sleep=fake_ec2.advance)
    kept = request.config.stash
    if BOTO not in kept:  # boto reads its tables once a session, a second or two each time
        kept[BOTO] = cloud.session
    cloud.__dict__["session"] = kept[BOTO]
    return cloud
