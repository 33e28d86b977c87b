"""What the stand-in for AWS does that moto alone does not: the ground that all other tests stand on."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.fake_ec2 import seeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_ec2 import FakeEc2, Launched

TAGS = [{"Key": "app", "Value": "launcher"}, {"Key": "launcher:batch", "Value": "b1"}]


@pytest.fixture
def client(fake_ec2: FakeEc2) -> Callable[[str], Any]:
    def make(service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-west-2",
            endpoint_url=fake_ec2.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(
                retries={"total_max_attempts": 1}, signature_version="s3v4" if service == "s3" else None
            ),
        )

    return make


@pytest.fixture
def ec2(client: Callable[[str], Any]) -> Any:
    return client("ec2")


def launch(ec2: Any, **changes: Any) -> Any:
    request = {
        "ImageId": seeds.image_id("us-west-2"),
        "InstanceType": "g6.xlarge",
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "UserData": "#cloud-config\n",
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "DeleteOnTermination": False},
            }
        ],
        "TagSpecifications": [{"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume")],
    }
    return ec2.run_instances(**(request | changes))["Instances"][0]


def state(ec2: Any, instance_id: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    return str(error.value.response["Error"]["Code"])


def test_a_token_launches_once_a_zone(fake_ec2: FakeEc2, ec2: Any) -> None:
    subnets = fake_ec2.subnets()
    here, there = subnets["us-west-2a"], subnets["us-west-2b"]

    first = launch(ec2, ClientToken="t", SubnetId=here)["InstanceId"]
    again = launch(ec2, ClientToken="t", SubnetId=here)["InstanceId"]
    elsewhere = launch(ec2, ClientToken="t", SubnetId=there)["InstanceId"]

    assert first == again != elsewhere
    assert len(fake_ec2.alive()) == 2
    assert (
        code(lambda: launch(ec2, ClientToken="t", SubnetId=here, UserData="other"))
        == "IdempotentParameterMismatch"
    )
    ec2.terminate_instances(InstanceIds=[first])
    assert code(lambda: launch(ec2, ClientToken="t", SubnetId=here)) == "IdempotentInstanceTerminated"


def test_states_take_their_time(fake_ec2: FakeEc2, ec2: Any) -> None:
    fake_ec2.timing.boot_s, fake_ec2.timing.stop_s = 60, 60
    instance_id = launch(ec2)["InstanceId"]

    assert state(ec2, instance_id) == "pending"
    fake_ec2.advance(61)
    assert state(ec2, instance_id) == "running"
    ending = ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"][0]
    assert (ending["PreviousState"]["Name"], ending["CurrentState"]["Name"]) == ("running", "shutting-down")
    fake_ec2.advance(61)
    assert state(ec2, instance_id) == "terminated"
    fake_ec2.advance(3700)
    assert code(lambda: state(ec2, instance_id)) == "InvalidInstanceID.NotFound"


def test_a_new_instance_is_unknown_for_a_while(fake_ec2: FakeEc2, ec2: Any) -> None:
    fake_ec2.timing.hide_s = 5
    instance_id = launch(ec2)["InstanceId"]

    assert code(lambda: state(ec2, instance_id)) == "InvalidInstanceID.NotFound"
    assert not ec2.describe_instances()["Reservations"]
    fake_ec2.advance(6)
    assert state(ec2, instance_id) == "running"


def test_an_answer_can_get_lost_after_the_work_is_done(fake_ec2: FakeEc2, ec2: Any) -> None:
    fake_ec2.fail("RunInstances", "lost", after=True)

    with pytest.raises(ConnectionClosedError):
        launch(ec2, ClientToken="t")

    assert len(fake_ec2.alive()) == 1
    assert launch(ec2, ClientToken="t")["InstanceId"] == fake_ec2.alive()[0].id


def test_faults_come_as_often_as_they_are_told_to(fake_ec2: FakeEc2, ec2: Any) -> None:
    fake_ec2.fail("RunInstances", "RequestLimitExceeded", status=503, times=2, skip=1)

    launch(ec2)
    assert code(lambda: launch(ec2)) == "RequestLimitExceeded"
    assert code(lambda: launch(ec2)) == "RequestLimitExceeded"
    launch(ec2)


def test_capacity_and_quota_are_limits(fake_ec2: FakeEc2, ec2: Any) -> None:
    fake_ec2.supply.none_of = {("g6.xlarge", "us-west-2a")}
    fake_ec2.supply.quotas = {"L-DB2E81BA": 4}
    subnets = fake_ec2.subnets()

    assert code(lambda: launch(ec2, SubnetId=subnets["us-west-2a"])) == "InsufficientInstanceCapacity"
    launch(ec2, SubnetId=subnets["us-west-2b"])
    assert code(lambda: launch(ec2, SubnetId=subnets["us-west-2b"])) == "VcpuLimitExceeded"
    assert code(lambda: launch(ec2, InstanceType="p3.2xlarge")) == "InvalidInstanceType.NotFound"


def test_user_data_has_a_limit(ec2: Any) -> None:
    assert code(lambda: launch(ec2, UserData="x" * 16385)) == "InvalidParameterValue"
    launch(ec2, UserData="x" * 16384)


def test_filters_are_known_or_refused(ec2: Any) -> None:
    mine = launch(ec2, ClientToken="mine")["InstanceId"]
    launch(ec2, ClientToken="yours")

    found = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["mine"]}])["Reservations"]

    assert [each["Instances"][0]["InstanceId"] for each in found] == [mine]
    assert (
        code(lambda: ec2.describe_instances(Filters=[{"Name": "colour", "Values": ["x"]}]))
        == "InvalidParameterValue"
    )
    assert code(lambda: state(ec2, "i-no")) == "InvalidInstanceID.Malformed"


def test_a_kept_disk_outlives_its_machine_and_can_be_read_by_another(fake_ec2: FakeEc2, ec2: Any) -> None:
    subnet = fake_ec2.subnets()["us-west-2a"]
    first = launch(ec2, SubnetId=subnet)["InstanceId"]
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert volume["Attachments"][0]["DeleteOnTermination"] is False

    fake_ec2.power_off(first)
    fake_ec2.tick()
    assert state(ec2, first) == "terminated"
    second = launch(ec2, SubnetId=subnet)["InstanceId"]
    assert state(ec2, second) == "running"
    ec2.attach_volume(VolumeId=volume["VolumeId"], InstanceId=second, Device="/dev/sdf")
    assert code(lambda: ec2.delete_volume(VolumeId=volume["VolumeId"])) == "VolumeInUse"
    ec2.detach_volume(VolumeId=volume["VolumeId"])
    ec2.delete_volume(VolumeId=volume["VolumeId"])


def test_spot_has_prices_requests_and_an_end_from_outside(fake_ec2: FakeEc2, ec2: Any) -> None:
    history = ec2.describe_spot_price_history(InstanceTypes=["g6.xlarge"])["SpotPriceHistory"]
    instance = launch(ec2, InstanceMarketOptions={"MarketType": "spot"})

    assert {each["SpotPrice"] for each in history} == {"0.330000"}
    (request,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert request["SpotInstanceRequestId"] == instance["SpotInstanceRequestId"]
    fake_ec2.interrupt(instance["InstanceId"])
    fake_ec2.advance(121)
    ended = ec2.describe_instances()["Reservations"][0]["Instances"][0]
    assert ended["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_schedules_fire(fake_ec2: FakeEc2, ec2: Any, client: Callable[[str], Any]) -> None:
    instance_id = launch(ec2)["InstanceId"]
    at = datetime.fromtimestamp(fake_ec2.now(), tz=UTC) + timedelta(hours=1)
    schedule: dict[str, Any] = {
        "Name": "launcher-b1",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
            "RoleArn": "arn:aws:iam::123456789012:role/launcher-reaper",
            "Input": f'{{"InstanceIds": ["{instance_id}"]}}',
        },
    }
    scheduler = client("scheduler")

    past = f"at({at - timedelta(hours=2):%Y-%m-%dT%H:%M:%S})"
    assert (
        code(lambda: scheduler.create_schedule(ScheduleExpression=past, **schedule)) == "ValidationException"
    )
    scheduler.create_schedule(ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})", **schedule)
    fake_ec2.advance(3500)
    assert state(ec2, instance_id) == "running"
    fake_ec2.advance(200)
    assert state(ec2, instance_id) == "terminated"
    assert not scheduler.list_schedules()["Schedules"]


def test_who_may_not_is_told_so(fake_ec2: FakeEc2, ec2: Any, client: Callable[[str], Any]) -> None:
    fake_ec2.gate.denied = {"ec2:Terminate*", "ssm:GetParameter"}

    assert (
        code(lambda: ec2.terminate_instances(InstanceIds=["i-00000000"], DryRun=True))
        == "UnauthorizedOperation"
    )
    assert code(lambda: client("ssm").get_parameter(Name="x")) == "AccessDeniedException"
    assert code(lambda: ec2.describe_instances(DryRun=True)) == "DryRunOperation"
    fake_ec2.gate.expires_at = fake_ec2.now()
    assert code(ec2.describe_instances) == "RequestExpired"
    assert code(client("sts").get_caller_identity) == "ExpiredToken"
    fake_ec2.gate.expires_at, fake_ec2.gate.wrong_by_s = None, 600
    assert code(ec2.describe_instances) == "InvalidSecurity.RequestHasExpired"


def test_prices_quotas_images_are_there(fake_ec2: FakeEc2, ec2: Any, client: Callable[[str], Any]) -> None:
    fake_ec2.supply.quotas = {"L-DB2E81BA": 8}

    quota = client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")
    products = client("pricing").get_products(
        ServiceCode="AmazonEC2",
        Filters=[{"Type": "TERM_MATCH", "Field": "instanceType", "Value": "g6.xlarge"}],
    )
    image = client("ssm").get_parameter(Name=seeds.BASE_PARAMETER)["Parameter"]["Value"]

    assert quota["Quota"]["Value"] == 8
    assert "0.8048" in products["PriceList"][0]
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["RootDeviceName"] == "/dev/sda1"


def test_an_upload_must_be_what_its_policy_says(fake_ec2: FakeEc2, client: Callable[[str], Any]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    form = s3.generate_presigned_post(
        "results",
        "b1/${filename}",
        Conditions=[["starts-with", "$key", "b1/"], ["content-length-range", 0, 10]],
        ExpiresIn=60,
    )

    def post(key: str, content: bytes, **changes: str) -> int:
        fields = form["fields"] | {"key": key} | changes
        lines = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        file = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
            + content
            + b"\r\n--x--\r\n"
        )
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        request = urllib.request.Request(form["url"], data=b"".join(lines) + file, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert post("b1/log.txt", b"hello") == 204
    assert s3.get_object(Bucket="results", Key="b1/log.txt")["Body"].read() == b"hello"
    assert post("b2/log.txt", b"hello") == 403
    assert post("b1/log.txt", b"too many bytes") == 400
    assert post("b1/log.txt", b"hello", **{"x-amz-signature": "0" * 64}) == 403
    fake_ec2.advance(61)
    assert post("b1/log.txt", b"hello") == 403


def test_every_call_is_on_record_with_what_it_names(fake_ec2: FakeEc2, ec2: Any) -> None:
    instance_id = launch(ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance_id])

    ran, ended = fake_ec2.calls
    assert (ran.name, ran.outcome, ran.request_tags()["volume"]["app"]) == (
        "ec2:RunInstances",
        "ok",
        "launcher",
    )
    assert ended.resources == {instance_id: {"app": "launcher", "launcher:batch": "b1"}}


def test_real_machines_stand_behind_instances(fake_ec2: FakeEc2, ec2: Any) -> None:
    seen: list[object] = []

    def boot(launched: Launched) -> str:
        seen.append(launched.user_data)
        return "127.0.0.9"

    fake_ec2.hooks.on_run = boot
    fake_ec2.hooks.on_terminate = seen.append

    instance_id = launch(ec2, UserData="boot")["InstanceId"]
    until = time.monotonic() + 30
    while state(ec2, instance_id) != "running" and time.monotonic() < until:
        time.sleep(0.01)
    found = ec2.describe_instances()["Reservations"][0]["Instances"][0]
    ec2.terminate_instances(InstanceIds=[instance_id])

    assert found["PublicIpAddress"] == "127.0.0.9"
    while len(seen) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert seen == [b"boot", instance_id]


def test_a_machine_that_does_not_boot_dies(fake_ec2: FakeEc2, ec2: Any) -> None:
    fake_ec2.machines.dooms.append("Server.InsufficientInstanceCapacity")

    instance_id = launch(ec2)["InstanceId"]

    fake_ec2.tick()
    fake_ec2.tick()
    assert state(ec2, instance_id) == "terminated"
