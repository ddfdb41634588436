"""A new rule set keeps the counters that it shares with the one before, and old ones go when nobody asks for them."""

from __future__ import annotations

from risk.velocity.plan import STRANGERS_MAX
from risk.velocity.spec import LABEL_DELAY_S, Metric, Series
from tests.support.velocities import Counters, Opening, compiled, name_of, payment

HOUR_S = 3_600


async def _size(counters: Counters) -> int:
    (key,) = await counters.keys()
    size: int = await counters.valkey.call("STRLEN", key)
    return size


async def test_a_window_that_both_ask_for_goes_on(opening: Opening) -> None:
    old, new = (
        opening(compiled(("count", "customer", "1h"), ("sum_amount", "customer", "1d"))),
        opening(
            compiled(("max_amount", "customer", "1d"), ("mean_amount", "customer", "1h"), ("count", "customer", "7d"))
        ),
    )
    facts = payment(amount_fen=900)
    await old.count(facts)
    told = await new.count(payment(60, amount_fen=100, customer=facts.customer))
    assert list(told.values()) == [900, 500, 1]  # the new window counts from now on


async def test_both_count_for_each_other_while_they_are_in_force_side_by_side(opening: Opening) -> None:
    old = opening(compiled(("count", "customer", "1h"), ("distinct_ips", "customer", "1h"), needs_travel=True))
    new = opening(compiled(("count", "customer", "1d"), ("fraud_share", "customer", "1d")))
    facts = payment()
    for number in range(10):
        await (old, new)[number % 2].count(payment(number, customer=facts.customer))
    assert (await old.count(payment(10, customer=facts.customer)))[name_of("count", "customer", "1h")] == 11
    assert (await new.count(payment(11, customer=facts.customer)))[name_of("count", "customer", "1d")] == 11


async def test_a_retry_with_another_rule_set_counts_where_it_was_not_counted(opening: Opening) -> None:
    old = opening(compiled(("count", "customer", "1h")))
    new = opening(
        compiled(("count", "customer", "1h"), ("count", "customer", "1d"), ("distinct_ips", "customer", "1d"))
    )
    facts = payment(ip="10.0.0.1")
    await old.count(facts)
    for _ in range(2):
        assert list((await new.count(facts)).values()) == [1, 1, 1]
    assert list((await new.count(payment(customer=facts.customer))).values()) == [2, 2, 1]


async def test_rolling_back_within_the_window_finds_what_was_counted_meanwhile(opening: Opening) -> None:
    old, new = opening(compiled(("count", "customer", "1d"))), opening(compiled(("count", "customer", "1h")))
    facts = payment()
    await old.one(facts)
    for number in range(1, 6):
        await new.one(payment(number * HOUR_S, customer=facts.customer))
    assert await old.one(payment(6 * HOUR_S, customer=facts.customer)) == 7


async def test_what_nobody_has_asked_for_during_its_window_is_dropped(opening: Opening) -> None:
    everything = [(metric, "customer", window) for metric in Metric for window in ("1h", "2h")]
    old, new = opening(compiled(*everything, needs_travel=True)), opening(compiled(("count", "customer", "10m")))
    facts = payment(ip="10.0.0.1", device="ab" * 16)
    for number in range(40):
        await old.count(payment(number, customer=facts.customer, ip="10.0.0.1", device="ab" * 16))
    full = await _size(old)
    await new.one(payment(HOUR_S, customer=facts.customer))
    assert await _size(new) > full - 100  # nothing is stale yet
    for hours in range(2, 24 * 91):
        await new.one(payment(hours * HOUR_S, customer=facts.customer))
    assert await _size(new) < 450


async def test_a_longer_reach_is_kept_until_nobody_has_asked_for_so_long(opening: Opening) -> None:
    old, new = opening(compiled(("count", "customer", "1d"))), opening(compiled(("count", "customer", "1m")))
    facts = payment()

    async def left_s(counters: Counters, at_s: float) -> int:
        await counters.one(payment(at_s, customer=facts.customer))
        (key,) = await counters.keys()
        left: int = await counters.valkey.call("TTL", key)
        return left

    assert await left_s(old, 0) > 86_400
    assert await left_s(new, 60) > 86_400
    assert await left_s(new, 2 * 86_400) <= 64


async def test_no_more_than_so_many_parts_of_other_rule_sets_are_kept(opening: Opening) -> None:
    facts = payment()
    sizes = []
    for version in range(6):
        windows = [f"{minutes}m" for minutes in range(64 * version + 1, 64 * version + 65)]
        counters = opening(compiled(*(("count", "customer", window) for window in windows)))
        for number in range(3):
            await counters.count(payment(version * 10 + number, customer=facts.customer))
        sizes.append(await _size(counters))
    assert STRANGERS_MAX == 64
    assert sizes[1] > sizes[0]
    assert max(sizes) < 2.2 * sizes[0]


async def test_the_parts_of_the_rule_set_before_are_kept_before_those_of_older_ones(opening: Opening) -> None:
    windows = [f"{minutes}m" for minutes in range(60, 60 + 3 * 64)]
    versions = [
        opening(compiled(*(("count", "customer", window) for window in windows[64 * number : 64 * number + 64])))
        for number in range(3)
    ]
    facts = payment()
    for number, counters in enumerate(versions):
        await counters.count(payment(number, customer=facts.customer))
    before = await versions[1].count(payment(3, customer=facts.customer))
    assert set(before.values()) == {3}  # its own, the third one's, and this one
    oldest = await versions[0].count(payment(4, customer=facts.customer))
    assert set(oldest.values()) == {1}


async def test_payments_wait_for_their_labels_while_another_rule_set_is_in_force(opening: Opening) -> None:
    old = opening(compiled(("fraud_share", "customer", "1d")))
    new = opening(compiled(("count", "customer", "1d")))
    first = payment()
    await old.one(first)
    for number in range(1, 4):
        await new.one(payment(number, customer=first.customer))
    due_s = LABEL_DELAY_S + HOUR_S
    await old.tell(Series.FRAUDS, first, "fraud", due_s)
    assert await old.one(payment(due_s, customer=first.customer)) == 0.25
