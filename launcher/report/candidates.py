"""The part of a plan's page that says what could be rented, why, and what the batch may cost there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.plan.ceiling import ceiling
from launcher.report.text import clean, plural, span, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.plan.ceiling import Ceiling
    from launcher.plan.values import Fleet, Offer

_MONEY_COLUMNS = (3,)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a batch may take.

    Attributes:
        batch_s: its limit of time; None is none.
        usd: its limit of money; None is none.
        spent_usd: what its earlier machines have cost.
    """

    batch_s: float | None
    usd: float | None
    spent_usd: float = 0.0

    def ceiling_on(self, offer: Offer) -> Ceiling | None:
        """Return what it may take on a machine, None where the money buys no time there."""
        try:
            return ceiling(
                usd_per_hour=offer.usd_per_hour,
                batch_s=self.batch_s,
                usd=self.usd,
                spent_usd=self.spent_usd,
            )
        except UsageError:
            return None


def candidate_lines(fleet: Fleet, limits: Limits) -> list[str]:
    """Return the lines of a block: offers in order with price and reason, then what can't be had."""
    groups = [list(group) for _, group in groupby(fleet.offers, key=_kind_of)]
    rows = [_row(group, limits) for group in groups]
    head = ["machines, the first that can be had"] if rows else ["machines: none can be had"]
    lines = [*head, *table(rows, right=_MONEY_COLUMNS), *_prices(fleet.offers)]
    refused = [
        (f"not {clean(row.type)}", clean(row.zone or row.region), clean(row.reason)) for row in fleet.refused
    ]
    return [*lines, *table(refused), *(f"note: {clean(note)}" for note in fleet.notes)]


def offers_for_scripts(fleet: Fleet, limits: Limits) -> list[dict[str, Any]]:
    """Return offers as `plan --json` has them, each with what the batch may cost on it."""
    return [
        {
            "on": "ec2",
            "type": offer.type,
            "region": offer.region,
            "zone": offer.zone or None,
            "market": offer.market,
            "price_usd_per_hour": offer.price_usd_per_hour,
            "price_as_of": offer.price_as_of,
            "price_source": offer.source,
            "usd_per_hour": round(offer.usd_per_hour, 4),
            "ceiling_usd": _most_usd(offer, limits),
            "gpus": offer.gpus,
            "gpu": offer.gpu_name,
            "vcpus": offer.vcpus,
            "reason": offer.reason,
        }
        for offer in fleet.offers
    ]


def most_usd(offers: Sequence[Offer], limits: Limits) -> float | None:
    """Return the most that the batch can cost, whichever of the offers is had; None where there is none."""
    return max((most for offer in offers if (most := _most_usd(offer, limits)) is not None), default=None)


def _kind_of(offer: Offer) -> tuple[str, str, str, float]:
    return offer.type, offer.market, offer.region, offer.price_usd_per_hour


def _row(group: Sequence[Offer], limits: Limits) -> tuple[str, ...]:
    first = group[0]
    gpus = f"{first.gpus} {first.gpu_name}" if first.gpus else plural(first.vcpus, "vCPU")
    return (
        clean(first.type),
        clean(_where(group)),
        first.market,
        f"${first.price_usd_per_hour:.4g}/h",
        clean(gpus),
        _ceiling_text(first, limits),
        clean(first.reason),
    )


def _where(group: Sequence[Offer]) -> str:
    region = group[0].region
    letters = [offer.zone.removeprefix(region) for offer in group if offer.zone]
    return f"{region}{','.join(letters)}"


def _ceiling_text(offer: Offer, limits: Limits) -> str:
    most = limits.ceiling_on(offer)
    return f"at most ${most.usd:.2f} in {span(most.life_s)}" if most else "limits.usd buys no time on it"


def _most_usd(offer: Offer, limits: Limits) -> float | None:
    most = limits.ceiling_on(offer)
    return round(most.usd, 2) if most else None


def _prices(offers: Sequence[Offer]) -> list[str]:
    """Say once where the prices come from; disk and address are in what the batch may cost."""
    sources = dict.fromkeys(
        offer.source if "estimate" in offer.source else f"{offer.source}, {offer.price_as_of}"
        for offer in offers
    )
    return [f"  prices: {clean('; '.join(sources))}; disk and address are in the most"] if sources else []
