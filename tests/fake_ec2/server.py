"""The account as a whole, on a port of 127.0.0.1."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from werkzeug.serving import make_server

from tests.fake_ec2 import moto_state as moto
from tests.fake_ec2 import schedules, seeds
from tests.fake_ec2.answers import Prices
from tests.fake_ec2.application import Application
from tests.fake_ec2.faults import Fault, Faults
from tests.fake_ec2.gate import Gate
from tests.fake_ec2.launches import Supply, Tokens
from tests.fake_ec2.machines import Hooks, Machines, Timing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.fake_ec2.call import Call

_EVERY_S = 0.05


class FakeEc2:
    """An AWS account.

    Args:
        port: 0 takes a free one.

    Attributes:
        calls: every call so far, with what it named and how it was answered.
        watch: called before (`before`) and after (`after`) each call is done, outside of all locks.
        lock: held while a call is done; hold it to look at several things at once.
    """

    def __init__(self, port: int = 0) -> None:
        self.lock = threading.RLock()
        self.calls: list[Call] = []
        self.faults, self.tokens = Faults(), Tokens()
        self.timing, self.hooks, self.supply, self.gate, self.prices = (
            Timing(),
            Hooks(),
            Supply(),
            Gate(),
            Prices(),
        )
        self.watch: Callable[[Call, str], None] | None = None
        self._skipped_s = 0.0
        self.machines = Machines(timing=self.timing, hooks=self.hooks, now=self.now)
        application = Application(self)
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._server = make_server(
            "127.0.0.1", port, application, threaded=True, request_handler=moto.RequestHandler
        )
        self._stopping = threading.Event()
        self._threads = (
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
            threading.Thread(target=self._pass_time, daemon=True),
        )
        self.reset()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """The address, for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.port}"

    def environ(self, region: str = "us-west-2") -> dict[str, str]:
        """Return the variables with which boto3 in any process comes here and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def now(self) -> float:
        """Return the time here, epoch seconds."""
        return time.time() + self._skipped_s

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        with self.lock:
            self._skipped_s += seconds
            self.tick()

    def tick(self) -> None:
        """Do what is due."""
        with self.lock:
            self.machines.tick()
            schedules.fire_due(
                now=self.now(), terminate=lambda ids: self.machines.shut_down(ids, reason=_SCHEDULED)
            )

    def reset(self) -> None:
        """Make it a new account, with nothing in it but what Amazon puts there."""
        with self.lock:
            self.machines.clear()
            moto.reset()
            self.faults.clear()
            self.tokens.clear()
            self.calls.clear()
            self.watch, self._skipped_s = None, 0.0
            for held, fresh in self._settings():
                for name in fresh.__dataclass_fields__:
                    setattr(held, name, getattr(fresh, name))
            self.prices.__init__()  # type: ignore[misc]
            for region in seeds.REGIONS:
                seeds.seed(region)

    def fail(self, action: str, code: str = "", **how: Any) -> None:
        """Let the next calls of an action go wrong; see `Fault`."""
        self.faults.add(Fault(action, code, **how))

    def instances(self, *states: str) -> list[Any]:
        """Return moto's instances of all regions, of the given states or of any."""
        with self.lock:
            self.tick()
            return [each for each in moto.all_instances() if not states or each._state.name in states]

    def alive(self) -> list[Any]:
        """Return the instances that somebody pays for by the hour."""
        return self.instances("pending", "running")

    def volumes(self, region: str = "us-west-2") -> dict[str, Any]:
        """Return moto's volumes of a region, by id."""
        with self.lock:
            return dict(moto.backend(region).volumes)

    def subnets(self, region: str = "us-west-2") -> dict[str, str]:
        """Return the default subnets of a region: id by zone."""
        with self.lock:
            return {zone: subnet.id for zone, subnet in moto.backend(region).get_default_subnets().items()}

    def default_group(self, region: str = "us-west-2") -> str:
        """Return the id of the default security group of the default VPC."""
        with self.lock:
            held = moto.backend(region)
            vpc = next(vpc.id for vpc in held.vpcs.values() if vpc.is_default)
            return str(held.get_security_group_from_name("default", vpc).id)

    def actions(self, service: str = "ec2") -> list[str]:
        """Return the actions of a service that were called, in order."""
        return [call.action for call in self.calls if call.service == service]

    def power_off(self, instance_id: str) -> None:
        """Do what follows when a machine has powered itself off."""
        with self.lock:
            self.machines.power_off(instance_id)

    def interrupt(self, instance_id: str, *, in_s: float = 120.0) -> None:
        """Take a spot instance back, after a notice."""
        with self.lock:
            self.machines.notice(instance_id, in_s=in_s)

    def _settings(self) -> tuple[tuple[Any, Any], ...]:
        return (
            (self.timing, Timing()),
            (self.hooks, Hooks()),
            (self.supply, Supply()),
            (self.gate, Gate()),
        )

    def _pass_time(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            self.tick()


_SCHEDULED = "Client.UserInitiatedShutdown"
