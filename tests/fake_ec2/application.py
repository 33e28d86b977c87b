"""A request's way: read, let pass, do, answer. Each can go wrong where a fault says so."""

from __future__ import annotations

import io
import re
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.fake_ec2 import admin, answers, images, launches, schedules, uploads
from tests.fake_ec2 import moto_state as moto
from tests.fake_ec2.call import Call, error_answer, read_call, with_body
from tests.fake_ec2.faults import LOST, Fault
from tests.fake_ec2.launches import RefusedError
from tests.fake_ec2.machines import USER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.fake_ec2.answers import Answer
    from tests.fake_ec2.server import FakeEc2

_ID = re.compile(r"i-[0-9a-f]{8}(?:[0-9a-f]{9})?")


class Application:
    """WSGI.

    Args:
        fake: the account.
    """

    def __init__(self, fake: FakeEc2) -> None:
        self._fake, self._moto = fake, moto.make_app()
        self._special: dict[str, Callable[[Call, dict[str, Any]], Answer]] = {
            "ec2:RunInstances": self._run,
            "ec2:TerminateInstances": self._terminate,
            "ec2:StopInstances": self._stop,
            "ec2:StartInstances": self._start,
            "ec2:RebootInstances": self._reboot,
            "ec2:DescribeInstances": self._describe,
            "ec2:AttachVolume": self._attach,
            "ec2:DetachVolume": self._detach,
            "ec2:DeleteVolume": self._delete_volume,
            "ec2:DescribeSpotPriceHistory": lambda call, _: answers.spot_prices(call, fake.prices),
            "ec2:DescribeSpotInstanceRequests": lambda call, _: answers.spot_requests(call),
            "ec2:CreateImage": lambda call, environ: images.create_image(call, environ, self._ask_moto),
            "ec2:DeleteSecurityGroup": self._delete_group,
            "servicequotas:GetServiceQuota": lambda call, _: answers.get_quota(call, fake.supply),
            "servicequotas:ListServiceQuotas": lambda call, _: answers.list_quotas(call, fake.supply),
            "pricing:GetProducts": lambda call, _: answers.get_products(call, fake.prices),
            "scheduler:CreateSchedule": self._schedule,
            "scheduler:UpdateSchedule": self._schedule,
            "s3:PostObject": self._upload,
            "ec2-instance-connect:SendSSHPublicKey": self._let_in,
        }

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if environ["PATH_INFO"].startswith(admin.PREFIX):
            return _send(start, admin.answer(self._fake, environ["PATH_INFO"], body))
        call = read_call(environ, body)
        self._tell(call, "before")
        fault = self._record(call)
        answer = self._answer(call, environ, fault)
        self._tell(call, "after")
        if fault and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault and fault.code == LOST:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return _send(start, answer)

    def _tell(self, call: Call, moment: str) -> None:
        if self._fake.watch:
            self._fake.watch(call, moment)

    def _record(self, call: Call) -> Fault | None:
        with self._fake.lock:
            self._fake.tick()
            if call.service in ("ec2", "ec2-instance-connect"):
                tags = moto.backend(call.region).tags
                call.resources = {each: dict(tags.get(each, {})) for each in call.ids()}
            self._fake.calls.append(call)
            return self._fake.faults.take(call)

    def _answer(self, call: Call, environ: dict[str, Any], fault: Fault | None) -> Answer:
        if fault and fault.code and not fault.after:
            return _refuse(call, fault.code, fault.message, fault.status)
        try:
            with self._fake.lock:
                self._fake.gate.check(call, now=self._fake.now(), real_now=time.time())
                answer = self._do(call, environ)
        except RefusedError as error:
            return _refuse(call, error.code, error.message, error.status)
        if answer[0] >= 400 and (code := re.search(rb"<Code>([\w.]+)</Code>", answer[2])):
            call.outcome = code[1].decode()
        if fault and fault.code:
            return _refuse(call, fault.code, fault.message, fault.status)
        return answer

    def _do(self, call: Call, environ: dict[str, Any]) -> Answer:
        _check_ids(call)
        special = self._special.get(call.name)
        if special and not call.is_dry_run:
            return special(call, environ)
        return self._ask_moto(environ)

    def _ask_moto(self, environ: dict[str, Any]) -> Answer:
        got: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], None]:
            got["status"] = int(status.split(maxsplit=1)[0])
            got["headers"] = headers
            return lambda _: None

        try:
            body = b"".join(self._moto(environ, start))
        except NotImplementedError as error:
            if "ilter" in str(error):
                raise RefusedError("InvalidParameterValue", "The filter is invalid.") from error
            raise
        return got["status"], got["headers"], body

    # What differs from moto

    def _run(self, call: Call, environ: dict[str, Any]) -> Answer:
        fake = self._fake
        if known := fake.tokens.find(call):
            return known
        launches.check_launch(call, fake.supply)
        answer = self._ask_moto(environ)
        if answer[0] != 200:
            return answer
        ids = launches.instance_ids(answer[2])
        market = launches.market_of(call)
        if market == "spot":
            answer = self._request_spot(ids, answer)
        fake.machines.begin(ids, market=market)
        fake.tokens.keep(call, answer)
        return answer

    def _request_spot(self, ids: list[str], answer: Answer) -> Answer:
        for instance in self._fake.machines.find(ids):
            instance.spot_instance_request_id = f"sir-{uuid.uuid4().hex[:8]}"
            mark = f"<spotInstanceRequestId>{instance.spot_instance_request_id}</spotInstanceRequestId>"
            answer = (
                *answer[:2],
                answer[2].replace(b"<amiLaunchIndex>", mark.encode() + b"<amiLaunchIndex>", 1),
            )
        return answer

    def _terminate(self, call: Call, _: dict[str, Any]) -> Answer:
        ids = call.numbered("InstanceId")
        found = {each.id: each for each in self._known(ids)}
        if guarded := [each.id for each in found.values() if each.disable_api_termination is True]:
            raise RefusedError("OperationNotPermitted", f"The instance '{guarded[0]}' may not be terminated.")
        before = self._fake.machines.shut_down(ids, reason=USER)
        self._fake.tick()
        return answers.terminating(before, lambda key: (found[key]._state.name, found[key]._state.code))

    def _stop(self, call: Call, environ: dict[str, Any]) -> Answer:
        for instance in self._known(call.numbered("InstanceId")):
            if instance.lifecycle == "spot":
                raise RefusedError("UnsupportedOperation", "A one-time spot instance can't be stopped.")
        answer = self._ask_moto(environ)
        self._fake.machines.stopping(call.numbered("InstanceId"))
        return answer

    def _start(self, call: Call, environ: dict[str, Any]) -> Answer:
        for instance in self._known(call.numbered("InstanceId")):
            if instance._state.name != "stopped":
                raise RefusedError("IncorrectInstanceState", f"The instance '{instance.id}' is not stopped.")
        answer = self._ask_moto(environ)
        self._fake.machines.starting(call.numbered("InstanceId"))
        return answer

    def _reboot(self, call: Call, environ: dict[str, Any]) -> Answer:
        answer = self._ask_moto(environ)
        self._fake.machines.reboot(call.numbered("InstanceId"))
        return answer

    def _describe(self, call: Call, environ: dict[str, Any]) -> Answer:  # noqa: ARG002 - all specials take the call
        with moto.hidden(self._fake.machines.hidden()):
            return self._ask_moto(environ)

    def _attach(self, call: Call, environ: dict[str, Any]) -> Answer:
        volume_id, instance_id = str(call.params.get("VolumeId")), str(call.params.get("InstanceId"))
        volume = moto.backend(call.region).volumes.get(volume_id)
        (instance,) = self._known([instance_id])
        if volume and volume.attachment:
            raise RefusedError("VolumeInUse", f"{volume_id} is already attached to an instance")
        if volume and volume.zone.name != instance.availability_zone:
            raise RefusedError(
                "InvalidVolume.ZoneMismatch", "The volume is not in the same zone as the instance"
            )
        if instance._state.name not in ("running", "stopped"):
            raise RefusedError("IncorrectState", f"Instance '{instance_id}' is not 'running'.")
        answer = self._ask_moto(environ)
        if answer[0] == 200 and self._fake.hooks.on_attach:
            self._fake.hooks.on_attach(volume_id, instance_id, str(call.params.get("Device")))
        return answer

    def _detach(self, call: Call, environ: dict[str, Any]) -> Answer:
        volume_id = str(call.params.get("VolumeId"))
        volume = moto.backend(call.region).volumes.get(volume_id)
        if volume and not volume.attachment:
            raise RefusedError("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
        if volume and "InstanceId" not in call.params:
            known = call.params | {"InstanceId": volume.attachment.instance.id}
            environ = with_body(environ, urlencode(known).encode())
        answer = self._ask_moto(environ)
        if answer[0] == 200 and self._fake.hooks.on_detach:
            self._fake.hooks.on_detach(volume_id)
        return answer

    def _delete_volume(self, call: Call, environ: dict[str, Any]) -> Answer:
        answer = self._ask_moto(environ)
        if answer[0] == 200 and self._fake.hooks.on_delete_volume:
            self._fake.hooks.on_delete_volume(str(call.params.get("VolumeId")))
        return answer

    def _delete_group(self, call: Call, environ: dict[str, Any]) -> Answer:
        group = call.params.get("GroupId")
        for instance in moto.all_instances():
            used = {each.id for nic in instance.nics.values() for each in nic.group_set}
            if group in used and instance._state.name != "terminated":
                raise RefusedError("DependencyViolation", f"resource {group} has a dependent object")
        return self._ask_moto(environ)

    def _schedule(self, call: Call, environ: dict[str, Any]) -> Answer:
        schedules.check_schedule(call, now=self._fake.now())
        return self._ask_moto(environ)

    def _upload(self, call: Call, environ: dict[str, Any]) -> Answer:
        bucket = str(call.params["Path"]).strip("/")
        secret = next(iter(self._fake.gate.secrets.values()))
        now = self._fake.now()
        call.params["Key"], content = uploads.check_upload(environ, bucket=bucket, secret=secret, now=now)
        moto.put_object(bucket, call.params["Key"], content)
        return 204, "text/plain", b""

    def _let_in(self, call: Call, environ: dict[str, Any]) -> Answer:
        (instance,) = self._known([str(call.params["InstanceId"])])
        if instance._state.name != "running":
            raise RefusedError("EC2InstanceStateInvalidException", f"{instance.id} is not running.")
        if self._fake.hooks.on_public_key:
            user, key = str(call.params["InstanceOSUser"]), str(call.params["SSHPublicKey"])
            self._fake.hooks.on_public_key(instance.id, user, key)
        return self._ask_moto(environ)

    def _known(self, ids: Iterable[str]) -> list[Any]:
        wanted = list(ids)
        found = self._fake.machines.find(wanted)
        if missing := set(wanted) - {each.id for each in found}:
            raise RefusedError(
                "InvalidInstanceID.NotFound", f"The instance IDs {sorted(missing)} do not exist"
            )
        return found


def _check_ids(call: Call) -> None:
    if call.service != "ec2":
        return
    for given in (*call.numbered("InstanceId"), *filter(None, [call.params.get("InstanceId")])):
        if not _ID.fullmatch(str(given)):
            raise RefusedError("InvalidInstanceID.Malformed", f'Invalid id: "{given}"')


def _refuse(call: Call, code: str, message: str, status: int) -> Answer:
    call.outcome = code
    return error_answer(call, status=status, code=code, message=message or code)


def _send(start: Callable[..., Any], answer: Any) -> Iterable[bytes]:
    status, headers, body = answer
    listed = headers if isinstance(headers, list) else [("Content-Type", headers)]
    kept = [(name, value) for name, value in listed if name.lower() != "content-length"]
    start(f"{status} X", [*kept, ("Content-Length", str(len(body)))])
    return [body]
