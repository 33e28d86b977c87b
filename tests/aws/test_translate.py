"""What AWS says becomes one line of what happened and one of what to do; its class says how to go on."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from launcher import errors
from launcher.aws.cloud import Cloud
from launcher.aws.translate import Asked, translate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_ec2 import FakeEc2

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ASKED = Asked("RunInstances", "us-west-2", None, NOW)


def answered(code: str, *, status: int = 400, said: str = "", date: str | None = None) -> errors.AwsError:
    headers = {"date": date} if date else {}
    response: dict[str, Any] = {
        "Error": {"Code": code, "Message": said},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return translate(ClientError(response, "RunInstances"), ASKED)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("InsufficientInstanceCapacity", 500, errors.AwsCapacityError),
        ("Unsupported", 400, errors.AwsCapacityError),
        ("SpotMaxPriceTooLow", 400, errors.AwsCapacityError),
        ("VcpuLimitExceeded", 400, errors.AwsQuotaError),
        ("MaxSpotInstanceCountExceeded", 400, errors.AwsQuotaError),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", 403, errors.AwsSetupError),
        ("VPCIdNotSpecified", 400, errors.AwsSetupError),
        ("OptInRequired", 401, errors.AwsSetupError),
        ("UnauthorizedOperation", 403, errors.AwsDeniedError),
        ("AccessDeniedException", 400, errors.AwsDeniedError),
        ("RequestLimitExceeded", 503, errors.AwsThrottledError),
        ("InvalidInstanceType", 400, errors.AwsTypeError),
        ("InternalError", 500, errors.AwsUnclearError),
        ("Unavailable", 503, errors.AwsUnclearError),
        ("InvalidInstanceID.NotFound", 400, errors.AwsMissingError),
        ("InvalidAMIID.Unavailable", 400, errors.AwsMissingError),
        ("ResourceNotFoundException", 404, errors.AwsMissingError),
        ("NoSuchBucket", 404, errors.AwsMissingError),
        ("404", 404, errors.AwsMissingError),
        ("InvalidKeyPair.Duplicate", 400, errors.AwsDuplicateError),
        ("ConflictException", 409, errors.AwsDuplicateError),
        ("IdempotentParameterMismatch", 400, errors.AwsRefusedError),
        ("InvalidClientTokenId", 403, errors.AwsCredentialsError),
        ("ExpiredToken", 400, errors.AwsCredentialsError),
        ("RequestTimeTooSkewed", 403, errors.AwsClockError),
    ],
)
def test_a_code_says_how_to_go_on(code: str, status: int, kind: type[errors.AwsError]) -> None:
    error = answered(code, status=status, said="It is so.")

    assert type(error) is kind
    assert (error.code, error.action) == (code, "RunInstances")
    assert error.what.startswith("RunInstances in us-west-2: ")
    assert error.what.endswith(f"({code}).")
    assert error.todo
    assert "\n" not in error.what + error.todo


def test_a_value_that_is_no_instance_type_is_that() -> None:
    said = "Invalid value 'p3.2xlarge' for InstanceType."

    assert type(answered("InvalidParameterValue", said=said)) is errors.AwsTypeError
    assert type(answered("InvalidParameterValue", said="Invalid id")) is errors.AwsRefusedError


@pytest.mark.parametrize("code", ["AuthFailure", "RequestExpired", "SignatureDoesNotMatch"])
@pytest.mark.parametrize(("minutes", "told"), [(9, "9 minutes fast"), (-7, "7 minutes slow")])
def test_a_wrong_clock_is_told_from_wrong_credentials(code: str, minutes: int, told: str) -> None:
    date = (NOW - timedelta(minutes=minutes)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    error = answered(code, date=date)

    assert isinstance(error, errors.AwsClockError)
    assert told in error.what


@pytest.mark.parametrize("date", [None, "nonsense", "Wed, 25 Nov 2026 12:01:00 GMT"])
def test_where_the_clock_is_right_the_credentials_are_wrong(date: str | None) -> None:
    assert isinstance(answered("RequestExpired", date=date), errors.AwsCredentialsError)
    assert "renew" in answered("RequestExpired", date=date).todo


@pytest.mark.parametrize(
    ("error", "kind", "todo"),
    [
        (boto.NoCredentialsError(), errors.AwsCredentialsError, "aws configure"),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), errors.AwsCredentialsError, "aws configure"),
        (boto.CredentialRetrievalError(provider="p", error_msg="gone"), errors.AwsCredentialsError, "aws sso login"),
        (boto.InvalidConfigError(error_msg="bad"), errors.AwsCredentialsError, "aws configure"),
        (boto.ConnectTimeoutError(endpoint_url="x"), errors.AwsUnclearError, "network"),
        (boto.EndpointConnectionError(endpoint_url="x"), errors.AwsUnclearError, "AWS_ENDPOINT_URL"),
        (boto.ConnectionClosedError(endpoint_url="x"), errors.AwsUnclearError, "network"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_silence_is_told_with_its_remedy(error: Exception, kind: type[errors.AwsError], todo: str) -> None:
    told = translate(error, ASKED)

    assert type(told) is kind
    assert todo in told.todo


def test_what_is_a_bug_of_ours_stays_one() -> None:
    with pytest.raises(boto.ParamValidationError):
        translate(boto.ParamValidationError(report="x"), ASKED)


SSO = """
[profile night]
sso_start_url = https://example.invalid/start
sso_region = us-west-2
sso_account_id = 123456789012
sso_role_name = x
[profile session]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = x
[sso-session corp]
sso_start_url = https://example.invalid/start
sso_region = us-west-2
sso_registration_scopes = sso:account:access
[profile broken]
role_arn = arn:aws:iam::123456789012:role/x
credential_process = false
"""


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a home in which boto finds nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def refused(profile: str | None) -> errors.AwsError:
    with pytest.raises(errors.AwsCredentialsError) as caught:
        Cloud("us-west-2", profile=profile, sleep=lambda _: None).call("sts", "GetCallerIdentity")
    return caught.value


def test_no_credentials_at_all_are_told(no_credentials: Path) -> None:
    del no_credentials
    error = refused(None)

    assert error.what == "GetCallerIdentity: there are no credentials for AWS."
    assert error.todo == "Run: aws configure (or aws configure sso), or set AWS_PROFILE."


def test_a_profile_that_is_not_there_is_told(no_credentials: Path) -> None:
    del no_credentials
    error = refused("nobody")

    assert error.what == "Session: there is no AWS profile nobody."
    assert "list-profiles" in error.todo


@pytest.mark.parametrize("profile", ["night", "session"])
def test_an_sso_login_that_has_ended_is_told_with_its_command(no_credentials: Path, profile: str) -> None:
    (no_credentials / "config").write_text(SSO)

    error = refused(profile)

    assert error.what == "GetCallerIdentity: the SSO login has expired."
    assert error.todo == f"Run: aws sso login --profile {profile}"


def test_a_configuration_that_cannot_be_read_is_told(no_credentials: Path) -> None:
    (no_credentials / "config").write_text("[profile x\n")

    assert "the AWS configuration can't be read" in refused(None).what


# On the wire


def test_throttling_is_waited_out(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    fake_ec2.fail("DescribeSubnets", "RequestLimitExceeded", status=503, times=2)

    assert cloud.call("ec2", "DescribeSubnets")["Subnets"]


def test_what_must_be_asked_once_is_asked_once(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    fake_ec2.fail("DescribeSubnets", "InsufficientInstanceCapacity", status=500, times=9)

    with pytest.raises(errors.AwsCapacityError):
        cloud.call_once("ec2", "DescribeSubnets")

    assert fake_ec2.actions().count("DescribeSubnets") == 1
    assert cloud.calls == {"ec2.DescribeSubnets": 1}


def test_an_answer_that_is_lost_is_unclear(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    fake_ec2.fail("DescribeSubnets", "lost", after=True)

    with pytest.raises(errors.AwsUnclearError):
        cloud.call_once("ec2", "DescribeSubnets")


def test_a_dry_run_that_would_work_is_an_empty_answer(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    what = {"ImageId": "ami-1234567890abcdef0", "MinCount": 1, "MaxCount": 1, "DryRun": True}
    assert cloud.call("ec2", "RunInstances", **what) == {}

    fake_ec2.gate.denied.add("ec2:RunInstances")
    with pytest.raises(errors.AwsDeniedError) as caught:
        cloud.call("ec2", "RunInstances", **what)

    assert "launcher iam-policy" in caught.value.todo


def test_credentials_that_end_in_the_night_are_told(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    assert cloud.account == "123456789012"
    fake_ec2.gate.expires_at = fake_ec2.now() - 1

    with pytest.raises(errors.AwsCredentialsError, match="the credentials have expired"):
        next(cloud.pages("ec2", "DescribeInstances"))


def test_a_clock_that_is_wrong_is_told(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    fake_ec2.gate.wrong_by_s = 900

    with pytest.raises(errors.AwsClockError):
        cloud.call("ec2", "DescribeSubnets")


def test_regions_share_the_account_and_the_count(cloud: Cloud) -> None:
    other = cloud.in_region("us-east-1")

    assert cloud.in_region("us-west-2") is cloud
    assert cloud.account == other.account
    zones = other.call("ec2", "DescribeAvailabilityZones")["AvailabilityZones"]
    assert {zone["RegionName"] for zone in zones} == {"us-east-1"}
    assert cloud.calls["ec2.DescribeAvailabilityZones"] == 1


def test_a_form_for_s3_is_signed_the_new_way(cloud: Cloud) -> None:
    form = cloud.client("s3").generate_presigned_post("bucket", "key")

    assert "x-amz-signature" in form["fields"]
