"""What becomes of payments is told to the counters, once, and is in the velocities from then on."""

from __future__ import annotations

import asyncio

import pytest

from risk.velocity.spec import Series
from tests.support.velocities import Opening, compiled, name_of, payment

ASKED = compiled(
    ("decline_count", "customer", "1h"),
    ("refund_count", "customer", "1h"),
    ("refund_amount", "customer", "1h"),
    ("complaint_count", "customer", "1h"),
    ("fraud_count", "customer", "1h"),
    ("count", "customer", "1h"),
)


async def test_each_series_is_counted_apart(opening: Opening) -> None:
    counters = opening(ASKED)
    facts = payment()
    for times, series in enumerate((Series.DECLINES, Series.REFUNDS, Series.COMPLAINTS, Series.FRAUDS), start=1):
        for number in range(times):
            assert await counters.tell(series, facts, f"{series} {number}", number, amount_fen=300)
    values = await counters.count(payment(10, customer=facts.customer))
    assert list(values.values()) == [1, 2, 600, 3, 4, 1]


async def test_what_is_told_again_counts_once(opening: Opening) -> None:
    counters = opening(ASKED)
    facts = payment()
    told = await asyncio.gather(*(counters.tell(Series.REFUNDS, facts, "refund 1", 0) for _ in range(10)))
    assert told == [True] * 10
    assert (await counters.count(facts))[name_of("refund_count", "customer", "1h")] == 1


async def test_one_id_counts_in_each_series(opening: Opening) -> None:
    counters = opening(ASKED)
    facts = payment()
    await counters.count(facts)
    await counters.tell(Series.DECLINES, facts, facts.order_key, 0)
    await counters.tell(Series.FRAUDS, facts, facts.order_key, 0)
    assert list((await counters.count(facts)).values()) == [1, 0, 0, 0, 1, 1]


async def test_what_no_rule_asks_for_is_not_told(opening: Opening) -> None:
    counters = opening(compiled(("count", "customer", "1h"), ("fraud_count", "merchant", "1h")))
    assert await counters.tell(Series.REFUNDS, payment(), "refund", 0)
    assert await counters.keys() == []
    assert await counters.tell(Series.FRAUDS, payment(), "fraud", 0)
    assert len(await counters.keys()) == 1  # the merchant alone


async def test_what_is_told_does_not_change_what_is_known_of_payments(opening: Opening) -> None:
    asked = (("distinct_devices", "customer", "1h"), ("seconds_since_last", "customer", "1h"))
    counters = opening(
        compiled(*asked, *((each[0], each[1], "1d") for each in asked), ("fraud_count", "customer", "1h"))
    )
    facts = payment(device="ab" * 16)
    await counters.count(facts)
    await counters.tell(Series.FRAUDS, facts._replace(device="cd" * 16), "fraud", 60)
    told = await counters.count(payment(120, customer=facts.customer))
    assert list(told.values()) == [1, 120, 1, 120, 1]


async def test_what_is_older_than_the_window_is_not_counted(opening: Opening) -> None:
    counters = opening(compiled(("refund_count", "customer", "1h")))
    facts = payment()
    await counters.tell(Series.REFUNDS, facts, "refund 1", 0)
    await counters.tell(Series.REFUNDS, facts, "refund 2", 3_600)
    told = [await counters.one(payment(at_s, customer=facts.customer)) for at_s in (3_601, 3_600 * 17 // 16 + 1, 9_000)]
    assert told[0] in {1, 2}
    assert told[1:] == [1, 0]


@pytest.mark.parametrize("series", list(Series))
async def test_every_series_has_counters(opening: Opening, series: Series) -> None:
    metrics = {
        Series.PAYMENTS: "count",
        Series.DECLINES: "decline_count",
        Series.REFUNDS: "refund_count",
        Series.COMPLAINTS: "complaint_count",
        Series.FRAUDS: "fraud_count",
    }
    counters = opening(compiled((metrics[series], "merchant", "30d")))
    await counters.tell(series, payment(), "it", 0)
    assert await counters.one(payment(1)) == (2 if series is Series.PAYMENTS else 1)
