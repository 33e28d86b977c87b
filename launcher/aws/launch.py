"""Get one machine, at most one, and never two. What was sent is on disk before it is sent.

A definite no leads to the next offer, under a new token. No answer, or one that says nothing, leads to the
very same request again, until AWS is definite: only then is it known that a further request buys no second
machine. The token of an attempt follows from the batch and the attempt's number, so that two clients that
launch for one batch at once meet at AWS, which serves one of them. boto's own retries would pass over a lack
of capacity in silence, and are off here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from launcher.aws import machines
from launcher.aws.catalogue import family_of
from launcher.aws.launch_request import LaunchRequest, as_sent, make_attempt
from launcher.aws.schedules import create_schedule, delete_schedule
from launcher.aws.settle import find_launched, is_heard
from launcher.aws.volumes import delete_when_free, find_volumes
from launcher.errors import (
    AlreadyRentedError,
    AwsCapacityError,
    AwsError,
    AwsMissingError,
    AwsQuotaError,
    AwsRefusedError,
    AwsSetupError,
    AwsThrottledError,
    AwsTypeError,
    AwsUnclearError,
    LaunchError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from launcher.aws.cloud import Cloud
    from launcher.aws.intent import Attempt, Intent
    from launcher.aws.machines import Machine
    from launcher.plan.values import Offer

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_ROUND_S = 20.0
_UNCLEAR_S = 300.0
_APPEARS_S = 20.0
_SHOWN_S = 30.0
_OTHER_CLIENT = ("IdempotentParameterMismatch", "IdempotentInstanceTerminated")


@dataclass(frozen=True, slots=True)
class Tried:
    """One line of the table of attempts."""

    place: str
    outcome: str


class Launcher:
    """One launch.

    Args:
        cloud_of: gives AWS as seen in a region.
        intent: the batch's; who launches holds its lock.
        tell: takes a line for the user.
        random: spreads pauses.
    """

    def __init__(
        self,
        cloud_of: Callable[[str], Cloud],
        request: LaunchRequest,
        *,
        intent: Intent,
        tell: Callable[[str], None],
        random: Random,
    ) -> None:
        self._cloud_of, self._request, self._intent = cloud_of, request, intent
        self._tell, self._random = tell, random
        self._tried: list[Tried] = []
        self._hopeless: set[tuple[str, ...]] = set()
        self._regions: tuple[str, ...] = ()
        self._jump = 0
        self._is_new = True

    def run(self, offers: Sequence[Offer], *, wait_s: float) -> Machine:
        """Try offers in order, again and again until the time is over.

        Raises:
            LaunchError: none could be had; it has the table of attempts.
            AlreadyRentedError: the batch has a machine.
            AwsError: AWS can't be asked, or refuses for a reason that no other offer mends.
        """
        self._regions = tuple(dict.fromkeys(offer.region for offer in offers))
        if machine := self._find_earlier():
            return machine
        waited_s = 0.0
        while True:
            for offer in offers:
                if self._is_hopeless(offer):
                    continue
                if machine := self._try(offer):
                    return machine
            pause_s = _ROUND_S * (1 + self._random.random())
            if waited_s + pause_s > wait_s or all(map(self._is_hopeless, offers)):
                raise self._failed()
            self._tell(f"No machine is free; next try in {pause_s:.0f} s.")
            self._cloud_of(offers[0].region).sleep(pause_s)
            waited_s += pause_s

    def _find_earlier(self) -> Machine | None:
        """Take up what an earlier launch of this batch left, so that it is not bought once more.

        Raises:
            AlreadyRentedError: it has a machine that another client launched.
        """
        attempt = self._intent.record.attempt
        if attempt and not self._intent.record.machine and is_heard(self._cloud_of(attempt.region), attempt):
            # Too old to be sent again: it would buy a machine whose deadline has begun long ago.
            find_launched(self._cloud_of, self._intent)
            attempt = self._intent.record.attempt
        if attempt and (machine := self._finish(attempt, is_new=False)):
            return machine
        for machine in self._find_alive():
            raise _already(machine)
        return None

    def _try(self, offer: Offer) -> Machine | None:
        cloud = self._cloud_of(offer.region)
        while True:
            number = max(self._intent.record.next_number, self._jump)
            attempt = make_attempt(self._request, offer, number=number, now=cloud.clock())
            self._intent.begin(attempt)
            machine = self._finish(attempt, is_new=True)
            # Where another client had that token, for a machine that is gone, the offer is as good as before.
            if machine or self._jump <= number:
                return machine

    def _finish(self, attempt: Attempt, *, is_new: bool) -> Machine | None:
        """Send an attempt until AWS is definite. Returns: the running machine; None if another offer may do.

        Args:
            is_new: whether this is the first time; else there may be results on the machine.
        """
        self._is_new = is_new
        cloud = self._cloud_of(attempt.region)
        try:
            machine_id = self._intent.record.machine or self._send(cloud, attempt)
            machine = machines.wait_running(cloud, machine_id)
            self._yield_to_older(attempt, machine)
        except AwsUnclearError:
            raise  # it may have been bought: the intent stays open
        except AwsError as error:
            self._refused(attempt, error)
            self._judge(attempt, error)
            return None
        self._tell(f"Got {machine.id}: {attempt.place}.")
        return machine

    def _judge(self, attempt: Attempt, error: AwsError) -> None:
        """Draw the conclusion from a no; raises it where no other offer can be better."""
        match error:
            case AwsCapacityError() | AwsTypeError():
                pass
            case AwsQuotaError():
                self._hopeless.add((attempt.region, attempt.market, family_of(attempt.type)))
            case AwsSetupError() if attempt.market == "spot":
                self._hopeless.add((attempt.region, attempt.market))
            case AwsRefusedError() if error.code in _OTHER_CLIENT:
                self._jump = 2 * attempt.number + 1
                self._look_for_other(attempt.region)
            case _:
                raise error

    def _send(self, cloud: Cloud, attempt: Attempt) -> str:
        """Ask until the answer is definite. Returns: the machine's id.

        Raises:
            AwsUnclearError: it never was.
            AwsError: a definite no.
        """
        pause_s, waited_s = _FIRST_PAUSE_S, 0.0
        while True:
            try:
                answer = cloud.call_once("ec2", "RunInstances", **as_sent(attempt))
            except (AwsThrottledError, AwsUnclearError) as error:
                if waited_s > _UNCLEAR_S:
                    raise _unclear(error, attempt) from error
            except AwsMissingError:
                # A group or image that was only just made is unknown for some seconds.
                if waited_s > _APPEARS_S:
                    raise
            else:
                machine_id = str(answer["Instances"][0]["InstanceId"])
                self._intent.launched(machine_id)
                self._arm(cloud, attempt, machine_id)
                return machine_id
            pause = pause_s * (0.5 + self._random.random())
            cloud.sleep(pause)
            waited_s, pause_s = waited_s + pause, min(2 * pause_s, _LONGEST_PAUSE_S)

    def _arm(self, cloud: Cloud, attempt: Attempt, machine_id: str) -> None:
        """Draw the second line; the first is the machine's own deadline, so that it may fail."""
        if not self._request.reaper_role:
            return
        deadline = datetime.fromisoformat(attempt.expires_at)
        batch, role = self._request.batch, self._request.reaper_role
        try:
            name = create_schedule(cloud, batch=batch, machine_id=machine_id, deadline=deadline, role=role)
        except AwsError as error:
            self._tell(f"No schedule ends {machine_id}, only its own deadline does: {error.what}")
        else:
            self._intent.scheduled(name)

    def _refused(self, attempt: Attempt, error: AwsError) -> None:
        if found := self._intent.record.machine:
            self._bury(attempt, found)
        self._tried.append(Tried(attempt.place, error.code or error.what))
        self._intent.refused(error.what)
        self._tell(f"{attempt.place}: {error.what}")

    def _bury(self, attempt: Attempt, machine_id: str) -> None:
        """Leave nothing of a machine that died at its birth; its disk has nothing on it."""
        cloud = self._cloud_of(attempt.region)
        machines.end(cloud, [machine_id])
        if name := self._intent.record.schedule:
            delete_schedule(cloud, name)
        if self._is_new:
            for volume in find_volumes(cloud, attempt=attempt.token):
                delete_when_free(cloud, volume.id)

    def _yield_to_older(self, attempt: Attempt, machine: Machine) -> None:
        """See that the batch has no other machine: where two were launched at once, the older stays."""
        alive = sorted(self._find_alive(), key=lambda each: (each.launched_at, each.id))
        if alive and alive[0].id != machine.id:
            self._bury(attempt, machine.id)
            self._intent.refused("another client was faster")
            raise _already(alive[0])

    def _look_for_other(self, region: str) -> None:
        """Find the machine for which the token was used.

        Raises:
            AlreadyRentedError: it lives.
        """
        waited_s = 0.0
        while waited_s < _SHOWN_S:
            for machine in self._find_alive():
                raise _already(machine)
            self._cloud_of(region).sleep(_FIRST_PAUSE_S)
            waited_s += _FIRST_PAUSE_S

    def _find_alive(self) -> Iterator[Machine]:
        for region in self._regions:
            yield from machines.find_machines(self._cloud_of(region), batch=self._request.batch)

    def _is_hopeless(self, offer: Offer) -> bool:
        kinds = ((offer.region, offer.market), (offer.region, offer.market, family_of(offer.type)))
        return any(kind in self._hopeless for kind in kinds)

    def _failed(self) -> LaunchError:
        places = len({tried.place for tried in self._tried})
        return LaunchError(
            f"No machine could be had: {places} offers tried, the last said {self._last()}.",
            "Wait for one with --wait 30m, or name more types or regions in the job's machine.",
            attempts=tuple((tried.place, tried.outcome) for tried in self._tried),
        )

    def _last(self) -> str:
        return self._tried[-1].outcome if self._tried else "nothing"


def launch(
    cloud_of: Callable[[str], Cloud],
    request: LaunchRequest,
    offers: Sequence[Offer],
    *,
    intent: Intent,
    wait_s: float,
    tell: Callable[[str], None],
    random: Random,
) -> Machine:
    """Get a machine for a batch; see `Launcher`.

    Raises:
        UsageError: another process of this computer does that.
    """
    if not offers:
        raise LaunchError(
            "There is no offer.", "Name other types or regions in the job's machine.", attempts=()
        )
    with intent.held():
        launcher = Launcher(cloud_of, request, intent=intent, tell=tell, random=random)
        try:
            return launcher.run(offers, wait_s=wait_s)
        except BaseException:
            _tell_left(intent, tell)
            raise


def _tell_left(intent: Intent, tell: Callable[[str], None]) -> None:
    """Name the machine that was bought and is not seen to be gone."""
    attempt, machine = intent.record.attempt, intent.record.machine
    if attempt and machine:
        tell(
            f"{machine} ({attempt.place}) may be there, at ${attempt.usd_per_hour:.2f} an hour; it ends by "
            f"itself at {attempt.expires_at}. End it now: launcher reap --yes {machine}"
        )


def _already(machine: Machine) -> AlreadyRentedError:
    return AlreadyRentedError(
        f"{machine.batch} already has the machine {machine.id} in {machine.zone}.",
        f"Go on with it: launcher attach {machine.batch}. Or end it: launcher stop {machine.batch}.",
        machine=machine.id,
        region=machine.region,
    )


def _unclear(error: AwsError, attempt: Attempt) -> AwsUnclearError:
    return AwsUnclearError(
        f"AWS did not say whether it launched a {attempt.place}: {error.what}",
        f"Look with launcher ps; launcher reap ends it. By itself it ends at {attempt.expires_at}.",
        code=error.code,
        action=error.action,
    )
