"""A cloud on the account that stands in for AWS; waits take no time, they move that account's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from launcher.aws.cloud import Cloud

if TYPE_CHECKING:
    from tests.fake_ec2 import FakeEc2


@pytest.fixture(scope="session")
def aws_clients() -> dict[tuple[str, bool], Any]:
    """Keep boto's clients from test to test: to make one takes a second."""
    return {}


@pytest.fixture
def cloud(
    fake_ec2: FakeEc2, aws_clients: dict[tuple[str, bool], Any], monkeypatch: pytest.MonkeyPatch
) -> Cloud:
    # boto's own pauses between attempts, too, pass at once.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=fake_ec2.advance))
    cloud = Cloud(
        "us-west-2",
        sleep=fake_ec2.advance,
        clock=lambda: datetime.fromtimestamp(fake_ec2.now(), tz=UTC),
    )
    cloud._clients = aws_clients
    return cloud
