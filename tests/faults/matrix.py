"""The matrix: every fault in every phase of a night, and why some of them can't meet.

A phase is recognised from outside, by what AWS is asked for, by what the client says or by files at home;
nothing in the product knows that it is watched.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLIENT, API, MACHINE = "client", "api", "machine"


@dataclass(frozen=True, slots=True)
class Phase:
    """A moment of a night.

    Attributes:
        call: the action and `before` or `after` it; else `line` or `state` tell of it.
        line: what the client says at that moment.
        states: what all runs have in common at that moment, as seen at home; of `running` one is enough.
        outputs: whether what they wrote is at home, too.
        has_machine: whether there is one that something can happen to.
        has_batch: whether the batch is on it, or was.
        only_asks: whether its call changes nothing; left out of what CI plays.
    """

    name: str
    call: tuple[str, str] | None = None
    line: str = ""
    states: str = ""
    outputs: bool = False
    has_machine: bool = False
    has_batch: bool = False
    only_asks: bool = False


# Calls that leave nothing at AWS: whoever is killed at one leaves what the phase before it left.
_ASKING = (
    "GetCallerIdentity",
    "DescribeInstanceTypeOfferings",
    "DescribeSubnets",
    "GetProducts",
    "GetServiceQuota",
    "DescribeInstances",
    "GetParameter",
    "DescribeImages",
    "DescribeSecurityGroups",
    "DescribeVolumes",
)
PHASES = (
    Phase("planning", call=("DescribeSubnets", "before")),
    Phase("a group without a rule", call=("AuthorizeSecurityGroupIngress", "before")),
    Phase("before it is bought", call=("RunInstances", "before")),
    Phase("bought, unheard", call=("RunInstances", "after")),
    Phase("booting", line="Got i-", has_machine=True),
    Phase("a new host key", call=("CreateTags", "before"), has_machine=True),
    Phase("tagged", call=("CreateTags", "after"), has_machine=True),
    Phase("bringing the batch", line=" is up: ", has_machine=True),
    Phase("running", states="running", has_machine=True, has_batch=True),
    Phase("results come home", states="succeeded", has_machine=True, has_batch=True),
    Phase("all is at home", states="succeeded", outputs=True, has_machine=True, has_batch=True),
    Phase("before it is ended", call=("TerminateInstances", "before"), has_machine=True, has_batch=True),
    Phase("it was ended, unheard", call=("TerminateInstances", "after"), has_batch=True),
    Phase("before its disk is deleted", call=("DeleteVolume", "before"), has_batch=True),
    Phase("its disk is deleted, unheard", call=("DeleteVolume", "after"), has_batch=True),
    *(
        Phase(f"{moment} {action}", call=(action, moment), only_asks=True)
        for action in _ASKING
        for moment in ("before", "after")
    ),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong.

    Attributes:
        of: what it happens to.
        only: the phases that it is about; empty is any that has what it happens to.
        spot: whether it needs a spot machine.
        action: of AWS, where it is about one.
    """

    name: str
    of: str
    only: tuple[str, ...] = ()
    spot: bool = False
    action: str = ""


_CALLED = ("before it is bought", "a new host key", "before it is ended", "before its disk is deleted")
DENIED = (
    "sts:GetCallerIdentity",
    "ssm:GetParameter",
    "servicequotas:GetServiceQuota",
    "pricing:GetProducts",
    "ec2:DescribeSubnets",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVolumes",
    "ec2:CreateSecurityGroup",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:RunInstances",
    "ec2:CreateTags",
    "ec2:TerminateInstances",
    "ec2:DeleteVolume",
)
FAULTS = (
    Fault("kill -9", CLIENT),
    Fault("Ctrl-C twice", CLIENT),
    # From then on what is at home is on its disk: that is seen to before a machine is ended.
    Fault("power cut at home", CLIENT, only=("running", "results come home", "all is at home")),
    Fault("second client", CLIENT),
    Fault("clock wrong", CLIENT),
    Fault("credentials expire", CLIENT),
    Fault("answer lost", API, only=_CALLED),
    Fault("throttled", API, only=_CALLED),
    Fault("disk won't go", API, only=("before its disk is deleted",)),
    *(Fault(f"denied {action}", API, only=("planning",), action=action) for action in DENIED),
    Fault("user-data fails", MACHINE, only=("before it is bought",)),
    Fault("power cut", MACHINE),
    Fault("reboot", MACHINE),
    Fault("sshd gone", MACHINE),
    Fault("network cut", MACHINE),
    Fault("network cut for good", MACHINE),
    Fault("disk full", MACHINE),
    Fault("runner kill -9", MACHINE),
    Fault("spot notice", MACHINE, spot=True),
    Fault("spot end", MACHINE, spot=True),
    Fault("nobody home, the queue ends", MACHINE),
    Fault("nobody home, the deadline comes", MACHINE),
)
# What the client comes through while nobody looks: at any time, and once the batch is on its machine.
_PASSES = ("answer lost", "throttled", "network cut")
_PASSES_ON_MACHINE = ("reboot", "runner kill -9", "spot notice", "spot end")
_SHORT_S, _LONG_S = 60, 600
_NEEDS_RUNNER = ("runner kill -9", "nobody home, the queue ends")


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault in a phase; `impossible` says why they can't meet."""

    fault: Fault
    phase: Phase
    impossible: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.fault.name} / {self.phase.name}"

    @property
    def needs_nobody(self) -> bool:
        """Whether the night goes on by itself, so that its user finds it finished."""
        name = self.fault.name
        return name in _PASSES or (name in _PASSES_ON_MACHINE and self.phase.has_batch)

    @property
    def keep_s(self) -> int:
        """How long a machine waits that has nothing to do and hears nothing from home.

        Once it has its batch, it may end itself in a network's absence: its disk has the results.
        """
        return _LONG_S if self.fault.name == "network cut" and not self.phase.has_batch else _SHORT_S


def cells() -> Iterator[Cell]:
    """Yield the whole matrix."""
    for fault in FAULTS:
        for phase in PHASES:
            yield Cell(fault, phase, _why_impossible(fault, phase))


def possible() -> tuple[Cell, ...]:
    """Return what can happen."""
    return tuple(cell for cell in cells() if not cell.impossible)


def choose(seed: int) -> tuple[Cell, ...]:
    """Return few cells in which every fault comes up, and every phase but those in which only asking goes on.

    A cover, taken greedily: always a cell that brings most news. The seed decides among equals.
    """
    left = [cell for cell in possible() if not cell.phase.only_asks]
    random.Random(seed).shuffle(left)
    chosen: list[Cell] = []
    while _news(best := max(left, key=lambda cell: _news(cell, chosen)), chosen):
        chosen.append(best)
    return tuple(chosen)


def _news(cell: Cell, chosen: Sequence[Cell]) -> int:
    is_new_fault = all(other.fault != cell.fault for other in chosen)
    is_new_phase = all(other.phase != cell.phase for other in chosen)
    return is_new_fault + is_new_phase


def _why_impossible(fault: Fault, phase: Phase) -> str:
    if fault.only:
        return "" if phase.name in fault.only else f"it is about: {', '.join(fault.only)}"
    if fault.of == MACHINE and not phase.has_machine:
        return "there is no machine"
    if fault.name in _NEEDS_RUNNER and not phase.has_batch:
        return "no runner is there yet"
    return ""
