"""`take_coupons`: batches hand out exactly what the same rows get one at a time, and no storm oversells."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.kernel.ids import new_id
from promotions.campaigns.campaign import CouponTerms, Status
from promotions.coupons.campaigns import CouponCampaign
from promotions.coupons.coupon import Source
from promotions.coupons.taking import Receiver, Refusal, TakeResult, TakeRow, Taking
from tests.support.coupons import campaign, save

_NUMBERS = itertools.count(1)
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AWAY: Final = datetime(2090, 1, 1, tzinfo=UTC)


def receiver(number: int) -> Receiver:
    """A customer of one shop."""
    return Receiver(f"customer {number}".encode(), "mer_1", "mer_1")


async def new_campaign(pool: asyncpg.Pool, terms: CouponTerms, *, ends_at: datetime | None = None) -> CouponCampaign:
    return await save(pool, campaign(f"cam_{next(_NUMBERS):06}", terms, ends_at=ends_at))


def claim(known: CouponCampaign, customer: int, key: str | None = None) -> TakeRow:
    return TakeRow.claimed(new_id("cpn"), known, receiver(customer), key)


async def take(pool: asyncpg.Pool, *rows: TakeRow) -> list[TakeResult]:
    results = await Taking(pool).flush(rows) if rows else []
    assert not [each for each in results if isinstance(each, Exception)], results
    return [each for each in results if not isinstance(each, Exception)]


# One at a time, in plain Python


@dataclass
class Model:
    """What the rules say, without a database."""

    stock: dict[str, int | None]
    per_customer: int
    taken: Counter[str] = field(default_factory=Counter)
    claimed: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    keys: dict[tuple[bytes, str], str] = field(default_factory=dict)

    def take(self, row: TakeRow) -> tuple[Refusal | None, str | None]:
        key = None if row.claim_key is None else (row.customer, row.claim_key)
        if key is not None and key in self.keys:
            return None, self.keys[key]
        stock = self.stock[row.campaign_id]
        if stock is not None and self.taken[row.campaign_id] >= stock:
            return Refusal.SOLD_OUT, None
        if row.source == Source.CLAIMED:
            if self.claimed[row.campaign_id, row.customer] >= self.per_customer:
                return Refusal.LIMIT, None
            self.claimed[row.campaign_id, row.customer] += 1
        self.taken[row.campaign_id] += 1
        if key is not None:
            self.keys[key] = row.id
        return None, row.id


wishes = st.tuples(
    st.integers(0, 1),  # campaign
    st.integers(0, 3),  # customer
    st.sampled_from([None, None, None, "a", "b"]),  # key
    st.sampled_from([Source.CLAIMED, Source.CLAIMED, Source.CLAIMED, Source.GRANTED]),
)
batches = st.lists(st.lists(wishes, min_size=1, max_size=12), min_size=1, max_size=4)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    days=batches,
    stocks=st.tuples(st.integers(0, 8), st.none() | st.integers(0, 8)),
    per_customer=st.integers(1, 3),
)
async def test_a_batch_hands_out_what_its_rows_get_one_at_a_time(
    pool: asyncpg.Pool,
    days: Sequence[Sequence[tuple[int, int, str | None, Source]]],
    stocks: tuple[int, int | None],
    per_customer: int,
) -> None:
    salt = next(_NUMBERS)
    campaigns = [await new_campaign(pool, CouponTerms(stock=stock, per_customer=per_customer)) for stock in stocks]
    model = Model({known.id: stock for known, stock in zip(campaigns, stocks, strict=True)}, per_customer)
    for wanted in days:
        rows = [_row(campaigns[which], f"{salt} {who}", key, source) for which, who, key, source in wanted]
        expected = [model.take(row) for row in rows]
        assert [(each.refusal, each.id) for each in await take(pool, *rows)] == expected
        admitted = [row for row, (refusal, _) in zip(rows, expected, strict=True) if refusal is None]
        # A commit of unknown fate is sent again.
        again = await take(pool, *admitted)
        assert [each.id for each in again] == [coupon_id for refusal, coupon_id in expected if refusal is None]
    for known in campaigns:
        written = await pool.fetchval("SELECT count(*) FROM coupons WHERE campaign_id = $1", known.id)
        counted = await pool.fetchval("SELECT taken FROM coupon_stock WHERE campaign_id = $1", known.id)
        assert (written, counted or 0) == (model.taken[known.id],) * 2


def _row(known: CouponCampaign, customer: str, key: str | None, source: Source) -> TakeRow:
    receives = Receiver(customer.encode(), "mer_1", "mer_1")
    if source is Source.CLAIMED:
        return TakeRow.claimed(new_id("cpn"), known, receives, key)
    return TakeRow.granted(new_id("cpn"), known, receives)


# Rows that the model does not know


async def test_what_was_claimed_expires_after_its_days(pool: asyncpg.Pool) -> None:
    known = await new_campaign(pool, CouponTerms(valid_days=3))
    [result] = await take(pool, claim(known, 1))
    assert result.refusal is None
    assert result.created_at is not None
    assert result.expires_at == result.created_at + timedelta(days=3)


async def test_before_its_time_after_it_and_after_the_campaigns_end_nothing_is_claimed(pool: asyncpg.Pool) -> None:
    early = await new_campaign(pool, CouponTerms(claim_from=FAR_AWAY))
    late = await new_campaign(pool, CouponTerms(claim_until=LONG_AGO))
    ended = await new_campaign(pool, CouponTerms(), ends_at=LONG_AGO)
    results = await take(pool, claim(early, 1), claim(late, 1), claim(ended, 1))
    assert [each.refusal for each in results] == [Refusal.NOT_OPEN_YET, Refusal.OVER, Refusal.OVER]


async def test_the_manager_grants_outside_of_the_time_for_claims(pool: asyncpg.Pool) -> None:
    early = await new_campaign(pool, CouponTerms(claim_from=FAR_AWAY, per_customer=1))
    rows = [TakeRow.granted(new_id("cpn"), early, receiver(1)) for _ in range(2)]
    assert [each.refusal for each in await take(pool, *rows)] == [None, None]


async def test_a_claim_with_the_terms_of_another_version_is_told_so(pool: asyncpg.Pool) -> None:
    known = await new_campaign(pool, CouponTerms(stock=1))
    edited = await save(pool, replace(known, terms=CouponTerms(stock=2)))
    [old] = await take(pool, claim(known, 1))
    [new] = await take(pool, claim(edited, 1))
    assert (old.refusal, new.refusal) == (Refusal.CHANGED, None)


async def test_a_paused_campaign_gives_no_claims_but_what_was_promised(pool: asyncpg.Pool) -> None:
    known = await new_campaign(pool, CouponTerms())
    await pool.execute("UPDATE campaigns SET status = 'paused' WHERE id = $1", known.id)
    reward = TakeRow.issued(new_id("cpn"), known, receiver(2), ("pay_1", "cam_of_the_reward", 1))
    results = await take(pool, claim(known, 1), reward)
    assert [each.refusal for each in results] == [Refusal.CHANGED, None]


async def test_nothing_comes_of_a_draft_or_of_no_campaign(pool: asyncpg.Pool) -> None:
    drafted = await save(pool, replace(campaign("cam_draft"), status=Status.DRAFT))
    results = await take(pool, claim(drafted, 1), claim(campaign("cam_nowhere"), 1))
    assert [each.refusal for each in results] == [Refusal.CHANGED] * 2


async def test_a_reward_is_issued_once_for_each_number(pool: asyncpg.Pool) -> None:
    known = await new_campaign(pool, CouponTerms(claimable=False))

    def rewards() -> list[TakeRow]:
        return [TakeRow.issued(new_id("cpn"), known, receiver(1), ("pay_7", "cam_reward", number)) for number in (1, 2)]

    first, second = await take(pool, *rewards()), await take(pool, *rewards())
    assert [each.id for each in first] == [each.id for each in second]
    assert [each.replayed for each in second] == [True, True]
    assert await pool.fetchval("SELECT taken FROM coupon_stock WHERE campaign_id = $1", known.id) == 2


async def test_a_key_of_another_campaign_gives_that_campaigns_coupon(pool: asyncpg.Pool) -> None:
    one, other = await new_campaign(pool, CouponTerms()), await new_campaign(pool, CouponTerms())
    [first] = await take(pool, claim(one, 77, "same key"))
    [second] = await take(pool, claim(other, 77, "same key"))
    assert (second.id, second.campaign_id, second.replayed) == (first.id, one.id, True)


async def test_a_storm_over_many_connections_sells_the_stock_and_not_one_more(pool: asyncpg.Pool) -> None:
    known = await new_campaign(pool, CouponTerms(stock=100))
    other = await new_campaign(pool, CouponTerms(stock=50))
    taking = Taking(pool)

    async def some(first: int) -> Sequence[TakeResult | Exception]:
        rows = [claim(known if number % 3 else other, number % 400) for number in range(first, first + 40)]
        return await taking.flush(rows)

    results = [each for part in await asyncio.gather(*map(some, range(0, 1200, 40))) for each in part]
    assert not [each for each in results if isinstance(each, Exception)]
    sold = Counter(
        await pool.fetchval(
            "SELECT array_agg(campaign_id) FROM coupons WHERE campaign_id = ANY ($1)", [known.id, other.id]
        )
    )
    assert sold == {known.id: 100, other.id: 50}
    twice = await pool.fetch(
        "SELECT customer FROM coupons WHERE campaign_id = ANY ($1) GROUP BY campaign_id, customer HAVING count(*) > 1",
        [known.id, other.id],
    )
    assert twice == []
