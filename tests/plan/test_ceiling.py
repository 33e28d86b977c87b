"""What a batch asks of its machine, and the most that it may cost."""

from __future__ import annotations

import pytest

from launcher.errors import UsageError
from launcher.plan.ceiling import ceiling, needs_of
from launcher.plan.values import Offer
from launcher.spec.job import Limits, Machine, Needs
from tests.plan.factory import job

HOUR = 3600.0
GRACE = 900.0


def test_the_machine_is_what_every_job_takes_in_the_first_jobs_order() -> None:
    one = job("a", machine=Machine(types=("p3.2xlarge", "g6.xlarge", "g5.xlarge"), spot=True, regions=("a",)))
    two = job("b", machine=Machine(types=("g5.xlarge", "p3.2xlarge"), spot=True, regions=("a",)))

    needs = needs_of([one, two])

    assert (needs.types, needs.spot, needs.regions) == (("p3.2xlarge", "g5.xlarge"), True, ("a",))


def test_the_batch_has_the_smallest_limits_and_the_largest_need() -> None:
    one = job("a", needs=Needs(gpus=0.5), limits=Limits(batch_s=HOUR, usd=12.0))
    two = job("b", needs=Needs(gpus=4), limits=Limits(usd=9.0))

    needs = needs_of([one, two])

    assert (needs.gpus, needs.batch_s, needs.usd) == (4, HOUR, 9.0)
    assert needs_of([one, two], cpu=True).gpus == 0


@pytest.mark.parametrize(
    ("batch_s", "usd", "spent_usd", "granted_s"),
    [
        (None, None, 0.0, 12 * HOUR),
        (9 * HOUR, None, 0.0, 9 * HOUR),
        (None, 4.0, 0.0, 2 * HOUR - GRACE),
        (9 * HOUR, 4.0, 0.0, 2 * HOUR - GRACE),
        (HOUR, 4.0, 0.0, HOUR),
        (9 * HOUR, 4.0, 2.0, HOUR - GRACE),
    ],
)
def test_a_machine_lives_as_long_as_time_and_money_allow(
    batch_s: float | None, usd: float | None, spent_usd: float, granted_s: float
) -> None:
    granted = ceiling(usd_per_hour=2.0, batch_s=batch_s, usd=usd, spent_usd=spent_usd)

    assert (granted.batch_s, granted.life_s) == (granted_s, granted_s + GRACE)
    assert granted.usd == pytest.approx((granted_s + GRACE) / HOUR * 2.0)
    assert usd is None or granted.usd <= usd - spent_usd


def test_money_that_buys_nothing_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        ceiling(usd_per_hour=3.0, batch_s=None, usd=12.0, spent_usd=11.5)

    assert "limits.usd is $12.00, of which $11.50 are spent: at $3.00 an hour" in caught.value.what
    with pytest.raises(UsageError, match=r"limits.usd is \$0.10: at"):
        ceiling(usd_per_hour=3.0, batch_s=HOUR, usd=0.1)


def test_an_offer_costs_its_disk_and_its_address_too() -> None:
    offer = Offer("g6.xlarge", "us-west-2a", "us-west-2", "spot", 0.4, "AWS", "", extra_usd_per_hour=0.02)

    assert offer.usd_per_hour == pytest.approx(0.42)
