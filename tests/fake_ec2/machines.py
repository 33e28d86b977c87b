"""The life of instances: states that take time, what is hidden at first, and real machines behind them."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.fake_ec2 import moto_state as moto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FORGOTTEN_AFTER_S = 3600.0
USER = "Client.UserInitiatedShutdown"
GUEST = "Client.InstanceInitiatedShutdown"
SPOT = "Server.SpotInstanceTermination"


@dataclass(frozen=True, slots=True)
class Launched:
    """What a real machine behind an instance needs to know; `volumes` are ids by device."""

    id: str
    region: str
    zone: str
    type: str
    market: str
    user_data: bytes
    tags: dict[str, str]
    volumes: dict[str, str]


@dataclass(slots=True)
class Hooks:
    """What is done for real. Each runs in a thread of its own; the state changes when it is through.

    `on_run` and `on_start` return the address; where one raises, the instance dies as AWS lets it die.
    `on_terminate` pulls the plug of a machine, which may be off already.
    """

    on_run: Callable[[Launched], str | None] | None = None
    on_start: Callable[[str], str | None] | None = None
    on_stop: Callable[[str], None] | None = None
    on_terminate: Callable[[str], None] | None = None
    on_reboot: Callable[[str], None] | None = None
    on_attach: Callable[[str, str, str], None] | None = None
    on_detach: Callable[[str], None] | None = None
    on_delete_volume: Callable[[str], None] | None = None
    on_spot_notice: Callable[[str, float], None] | None = None
    on_public_key: Callable[[str, str, str], None] | None = None


@dataclass(slots=True)
class Timing:
    """How long things take.

    Attributes:
        boot_s: from the launch to `running`.
        stop_s: in `shutting-down` or `stopping`.
        hide_s: for how long Describe calls do not know a new instance.
        address: that of all machines; None gives each an address of its own.
    """

    boot_s: float = 0.0
    stop_s: float = 0.0
    hide_s: float = 0.0
    address: str | None = None


@dataclass(slots=True)
class _Life:
    instance: Any
    born_at: float
    until: float
    reason: str = ""
    doomed: str = ""
    work: threading.Thread | None = None
    failed: list[str] = field(default_factory=list)

    def is_due(self, now: float) -> bool:
        return now >= self.until and not (self.work and self.work.is_alive())


class Machines:
    """All instances of the account.

    Args:
        now: the time, epoch seconds.
    """

    def __init__(self, *, timing: Timing, hooks: Hooks, now: Callable[[], float]) -> None:
        self._timing, self._hooks, self._now = timing, hooks, now
        self._lives: dict[str, _Life] = {}
        self._reclaims: dict[str, float] = {}
        self.dooms: list[str] = []

    def clear(self) -> None:
        """Forget all of them."""
        self._lives.clear()
        self._reclaims.clear()
        self.dooms.clear()

    def begin(self, ids: Iterable[str], *, market: str) -> None:
        """Let new instances begin their life."""
        for instance in self.find(ids):
            now = self._now()
            life = _Life(
                instance, now, now + self._timing.boot_s, doomed=self.dooms.pop() if self.dooms else ""
            )
            self._lives[instance.id] = life
            moto.set_state(instance, moto.PENDING)
            instance.launch_time = datetime.fromtimestamp(now, tz=UTC)
            if self._timing.address:
                instance.__dict__["fake_address"] = self._timing.address
            if self._hooks.on_run and not life.doomed:
                self._boot(life, self._hooks.on_run, describe(instance, market))

    def tick(self) -> None:
        """Let the time pass: move every instance to the state that it has by now."""
        now = self._now()
        for instance_id in [key for key, at in self._reclaims.items() if now >= at]:
            del self._reclaims[instance_id]
            self.shut_down([instance_id], reason=SPOT)
        for life in list(self._lives.values()):
            if life.is_due(now):
                self._move_on(life, now)

    def hidden(self) -> list[Any]:
        """Return the instances that are too new to be described."""
        since = self._now() - self._timing.hide_s
        return [life.instance for life in self._lives.values() if life.born_at > since]

    def shut_down(self, ids: Iterable[str], *, reason: str) -> dict[str, tuple[str, int]]:
        """Begin the end of instances. Returns: the states before."""
        before = {}
        for instance in self.find(ids):
            before[instance.id] = (instance._state.name, instance._state.code)
            if before[instance.id] not in (moto.SHUTTING_DOWN, moto.TERMINATED):
                life = self._lives[instance.id]
                life.reason, life.until = reason, self._now() + self._timing.stop_s
                moto.set_state(instance, moto.SHUTTING_DOWN)
                moto.set_reason(instance, reason)
                self._run(life, self._hooks.on_terminate, instance.id)
        return before

    def power_off(self, instance_id: str) -> None:
        """Do what follows when a machine has powered itself off, by its shutdown behaviour."""
        (instance,) = self.find([instance_id])
        if instance.instance_initiated_shutdown_behavior == "terminate":
            self.shut_down([instance_id], reason=GUEST)
        elif instance._state.name in ("pending", "running"):
            instance.stop()
            self.stopping([instance_id])

    def stopping(self, ids: Iterable[str]) -> None:
        """Let instances that moto has stopped take their time."""
        for instance in self.find(ids):
            life = self._lives[instance.id]
            life.until = self._now() + self._timing.stop_s
            moto.set_state(instance, moto.STOPPING)
            self._run(life, self._hooks.on_stop, instance.id)

    def starting(self, ids: Iterable[str]) -> None:
        """Let instances that moto has started take their time."""
        for instance in self.find(ids):
            life = self._lives[instance.id]
            life.until = self._now() + self._timing.boot_s
            moto.set_state(instance, moto.PENDING)
            if self._hooks.on_start:
                self._boot(life, self._hooks.on_start, instance.id)

    def reboot(self, ids: Iterable[str]) -> None:
        """Boot instances anew."""
        for instance in self.find(ids):
            self._run(self._lives[instance.id], self._hooks.on_reboot, instance.id)

    def notice(self, instance_id: str, *, in_s: float) -> None:
        """Announce that a spot instance will be taken back; it is, after that time."""
        self._reclaims[instance_id] = self._now() + in_s
        self._run(self._lives[instance_id], self._hooks.on_spot_notice, instance_id, in_s)

    def alive(self) -> list[Any]:
        """Return the instances that are paid for, or may soon be."""
        return [each for each in moto.all_instances() if each._state.name in ("pending", "running")]

    def find(self, ids: Iterable[str]) -> list[Any]:
        """Return the instances of these ids that exist."""
        wanted = set(ids)
        return [each for each in moto.all_instances() if each.id in wanted]

    def _move_on(self, life: _Life, now: float) -> None:
        instance, state = life.instance, life.instance._state.name
        if state == "pending" and (life.doomed or life.failed):
            self.shut_down([instance.id], reason=life.doomed or "Server.InternalError")
        elif state == "pending":
            moto.set_state(instance, moto.RUNNING)
        elif state == "stopping":
            moto.set_state(instance, moto.STOPPED)
        elif state == "shutting-down":
            instance.terminate()
            moto.set_reason(instance, life.reason)
            life.until = now + _FORGOTTEN_AFTER_S
        elif state == "terminated":
            moto.forget(instance)
            del self._lives[instance.id]

    def _boot(self, life: _Life, boot: Callable[[Any], str | None], what: Any) -> None:
        def work() -> None:
            try:
                address = boot(what)
            except Exception as error:  # noqa: BLE001 - whatever it is, the machine does not come up
                life.failed.append(repr(error))
            else:
                life.instance.__dict__["fake_address"] = address or "127.0.0.1"

        life.work = threading.Thread(target=work, daemon=True)
        life.work.start()

    def _run(self, life: _Life, hook: Callable[..., None] | None, *args: Any) -> None:
        if hook:
            life.work = threading.Thread(target=hook, args=args, daemon=True)
            life.work.start()


def describe(instance: Any, market: str) -> Launched:
    """Return what a real machine needs to know of an instance."""
    encoded = instance.user_data or b""
    raw = encoded if isinstance(encoded, bytes) else str(encoded).encode()
    return Launched(
        id=instance.id,
        region=instance.region_name,
        zone=str(instance.availability_zone),
        type=instance.instance_type,
        market=market,
        user_data=base64.b64decode(raw),
        tags={tag["key"]: tag["value"] for tag in instance.get_tags()},
        volumes={device: block.volume_id for device, block in instance.get_block_device_mapping},
    )
