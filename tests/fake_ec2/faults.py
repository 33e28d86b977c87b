"""What can go wrong on purpose: which call, how often, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fake_ec2.call import Call

LOST = "lost"


@dataclass(slots=True)
class Fault:
    """Something that goes wrong with the next calls of an action.

    Attributes:
        action: as in `RunInstances`, or `*`.
        code: what AWS answers; `lost` is no answer at all: the connection is cut.
        after: the work is done first, so that only the answer is an error or is lost.
        times: how often.
        skip: how many such calls go well before.
        match: parameters that the call must have, as they are sent.
        delay_s: how long the answer takes; with no code that is all.
    """

    action: str
    code: str = ""
    message: str = ""
    status: int = 400
    after: bool = False
    times: int = 1
    skip: int = 0
    match: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    def meets(self, call: Call) -> bool:
        """Whether a call is one of those that this is about."""
        named = self.action in ("*", call.action, call.name)
        return named and all(str(call.params.get(key)) == value for key, value in self.match.items())


class Faults:
    """Those that are still to come, first in first out."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let everything go well again."""
        self._waiting.clear()

    def take(self, call: Call) -> Fault | None:
        """Return the fault that a call meets, and count it."""
        for fault in self._waiting:
            if fault.meets(call):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                self._waiting = [each for each in self._waiting if each.times > 0]
                return fault
        return None


def fault_from(values: Mapping[str, Any]) -> Fault:
    """Read a fault that came over HTTP."""
    return Fault(**values)
