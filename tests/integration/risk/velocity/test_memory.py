"""An entity never takes more than is stated, however busy it is."""

from __future__ import annotations

from typing import Final

import pytest

from risk.velocity.memory import STRANGERS_BYTES_MAX, entity_bytes_max
from risk.velocity.spec import VELOCITIES_MAX, Metric, Series
from tests.support.velocities import Compiled, Counters, Opening, compiled, payment

_OVERHEAD_BYTES: Final = 25_600
"""What the server keeps beside a long value: its allocator rounds up by a quarter at most."""
SHARES: Final = compiled(*(("fraud_share", "customer", f"{minutes}m") for minutes in range(1_377, 1_441)))
"""What takes the most: each has a ring, and the finest buckets for the longest time."""
EVERYTHING: Final = compiled(
    *((metric, "customer", window) for metric in Metric for window in ("1h", "1d", "7d")), needs_travel=True
)


def _bound(asked: Compiled) -> int:
    return entity_bytes_max((velocity for _, velocity in asked.velocities), needs_travel=asked.needs_travel)


async def _keep_busy(counters: Counters, days: int) -> None:
    """One customer everywhere, each time with another device, till, address and card; more often in the last hours."""
    who = payment()
    last_s = days * 86_400
    for number, at_s in enumerate((*range(0, last_s, 2_400), *range(last_s, last_s + 7_200, 200))):
        facts = payment(
            at_s,
            10**12,
            customer=who.customer,
            merchant_id=f"mer_{number}",
            terminal_id=f"{number}",
            device=f"{number:032x}",
            ip=f"10.0.{number // 250}.{number % 250}",
            card_bin=f"{number:08d}",
        )
        counters.velocities.begin(counters.in_force, facts)
        for series in (Series.DECLINES, Series.REFUNDS, Series.COMPLAINTS):
            counters.telling.tell(series, facts, facts.order_key, 10**12, facts.at)
        await counters.telling.tell(Series.FRAUDS, facts, facts.order_key, 10**12, facts.at)


async def _sizes(counters: Counters) -> tuple[int, int]:
    (key,) = await counters.keys()
    return await counters.valkey.call("STRLEN", key), await counters.valkey.call("MEMORY", "USAGE", key)


@pytest.mark.parametrize(("asked", "days"), [(SHARES, 9), (EVERYTHING, 16)])
async def test_the_busiest_customer_takes_what_is_stated_and_no_more(
    opening: Opening, asked: Compiled, days: int
) -> None:
    counters = opening(asked)
    await _keep_busy(counters, days)
    length, used = await _sizes(counters)
    assert 0.93 * _bound(asked) < length <= _bound(asked)
    assert used <= length + _OVERHEAD_BYTES


async def test_what_earlier_rule_sets_asked_for_is_bounded_too(opening: Opening) -> None:
    asked = [
        compiled(*(("fraud_share", "customer", f"{minutes}m") for minutes in range(first, first + VELOCITIES_MAX)))
        for first in (1_200, 1_264, 1_328, 1_377)
    ]
    who = payment()
    for number, each in enumerate(asked):
        counters = opening(each)
        for at_s in range(number * 7_200, (number + 1) * 7_200, 600):
            await counters.count(payment(at_s, customer=who.customer))
    length, _ = await _sizes(counters)
    assert length <= _bound(asked[-1]) + STRANGERS_BYTES_MAX


def test_the_stated_bounds_are_those_of_the_documentation() -> None:
    plain = compiled(*(("count", "customer", f"{minutes}m") for minutes in range(1, VELOCITIES_MAX + 1)))
    assert _bound(plain) == 31_836
    assert _bound(SHARES) == 99_747
    assert STRANGERS_BYTES_MAX == 67_648
