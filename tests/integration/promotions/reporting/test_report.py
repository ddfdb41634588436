"""The report of a campaign: sums that come out to the fen, of its time and nothing else, found without a scan."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from gateway.kernel.errors import InvalidRequest
from gateway.kernel.ids import first_ulid_at, new_id, new_ulid
from promotions.reporting import report as reporting
from promotions.reporting.counting import SQL, Counting, What, forget_hours
from promotions.reporting.report import CampaignReports, Period, Report

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
ZONE = "Asia/Shanghai"
HOUR = timedelta(hours=1)
PARTS = (("bank", 350), ("merchant", 150))
OTHERS = """
INSERT INTO redemptions (
    payment_id, merchant_id, seq, campaign_id, campaign_version, name, day, discount, funding, returns_budget,
    returns_limits, created_at
)
SELECT p.head || upper(left(md5(n::text || clock_timestamp()), 16)), 'mer_1', 1, 'cam_' || n % 50, 1, '', '2026-11-22',
    1, '[]', true, true, now()
FROM generate_series(1, 2000) AS n, (VALUES ($1::text), ($2::text)) AS p (head)
"""
"""Redemptions of other campaigns at the same time."""


class Books:
    """Writes what the report reads."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self._numbers = itertools.count()
        self.campaign_id = new_id("cam")

    async def pay(
        self, at: datetime, *, status: str = "succeeded", campaign_id: str | None = None, **changes: Any
    ) -> str:
        """A payment of 25.99 that took 5.00 of the campaign; returns its id."""
        number = next(self._numbers)
        payment_id = f"pay_{new_ulid(int(at.timestamp() * 1_000))}"
        payment = {
            "id": payment_id,
            "merchant_id": "mer_1",
            "merchant_order_no": f"R-{number}-{payment_id[-6:]}",
            "status": status,
            "amount": 2_599,
            "payable": 2_099,
            "currency": "CNY",
            "method": "barcode",
            "wallet": "wechat",
            "request_fingerprint": b"",
            "risk_decision": "approve",
            "risk_score": 0,
            "created_at": at,
            "expires_at": at,
            "promoted": True,
            "attempt_seq": 1,
            "customer": changes.pop("customer", b"c%d" % number),
        }
        redemption = {
            "payment_id": payment_id,
            "merchant_id": "mer_1",
            "seq": 1,
            "campaign_id": campaign_id or self.campaign_id,
            "campaign_version": 1,
            "name": "¥5 off",
            "day": at.date(),
            "discount": 500,
            "funding": orjson.dumps([{"sponsor": name, "amount": fen} for name, fen in PARTS]).decode(),
            "returns_budget": True,
            "returns_limits": False,
            "created_at": at,
        }
        await self._insert("payments", payment | changes)
        await self._insert("redemptions", redemption)
        return payment_id

    async def know(self, customer: bytes, since: datetime) -> None:
        """A customer's first payment was captured then."""
        await self.pool.execute(
            "INSERT INTO customers (customer, orders, first_at) VALUES ($1, 1, $2)"
            " ON CONFLICT (customer) DO UPDATE SET first_at = excluded.first_at",
            customer,
            since,
        )

    async def refund(self, payment_id: str, parts: tuple[int, int], status: str = "succeeded") -> None:
        """Goods of 10.00 of it came back, and these parts of the discount to the bank and the merchant."""
        shares = [
            {"sponsor": sponsor, "amount": part, "campaign_id": self.campaign_id}
            for (sponsor, _), part in zip(PARTS, parts, strict=True)
        ]
        now = datetime.now(UTC)
        row = {
            "id": new_id("ref"),
            "merchant_id": "mer_1",
            "payment_id": payment_id,
            "merchant_refund_no": new_ulid()[:30],
            "seq": 1,
            "attempt_seq": 1,
            "account_id": "wechat_direct",
            "amount": 1_000,
            "returned_to_customer": 1_000 - sum(parts),
            "discount_returned": sum(parts),
            "fee_returned": 0,
            "funding": orjson.dumps(shares).decode(),
            "currency": "CNY",
            "status": status,
            "next_at": now,
            "created_at": now,
            "completed_at": None if status == "pending" else now,
        }
        await self._insert("refunds", row)
        if status == "succeeded":
            await self.pool.execute(
                "UPDATE payments SET amount_refunded = 1000, refund_held = 1000 WHERE id = $1", payment_id
            )

    async def read(self, start: datetime, end: datetime) -> Report:
        """The report."""
        return await CampaignReports(self.pool).read(self.campaign_id, ZONE, Period(start, end))

    async def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.pool.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as opened:
        yield opened


@pytest.fixture
def books(pool: asyncpg.Pool) -> Books:
    return Books(pool)


async def test_the_sums_of_a_time_come_out_to_the_fen(books: Books) -> None:
    first = await books.pay(NOON, customer=b"anna")
    await books.pay(NOON + timedelta(minutes=59), customer=b"anna")
    await books.pay(NOON + HOUR, customer=b"ben")
    await books.know(b"anna", NOON + timedelta(seconds=1))
    await books.know(b"ben", NOON - timedelta(days=1))
    await books.pay(NOON + HOUR, status="processing")
    await books.pay(NOON + HOUR, status="failed")
    await books.refund(first, (134, 58))
    found = await books.read(NOON, NOON + 2 * HOUR)
    assert (found.total("redemptions"), found.total("succeeded"), found.total("held")) == (5, 3, 1)
    assert (found.total("spent_fen"), found.total("held_fen")) == (1_500, 500)
    assert (found.total("turnover_fen"), found.total("refunded_fen")) == (3 * 2_599, 1_000)
    assert found.sponsors == [("bank", 1_050, 134), ("merchant", 450, 58)]
    assert found.turnover_per_fen == (3 * 2_599 - 1_000) / (1_500 - 192)
    assert (found.customers, found.total("new_customers")) == (2, 1)
    assert [(hour.begins, hour.spent_fen, hour.sponsors) for hour in found.hours] == [
        (NOON, 1_000, {"bank": 700, "merchant": 300}),
        (NOON + HOUR, 500, {"bank": 350, "merchant": 150}),
    ]


async def test_refunds_that_did_not_succeed_give_nothing_back(books: Books) -> None:
    await books.refund(await books.pay(NOON), (134, 58), "failed")
    await books.refund(await books.pay(NOON), (134, 58), "pending")
    assert (await books.read(NOON, NOON + HOUR)).returned == ()


async def test_only_the_time_and_the_campaign_count_and_the_end_is_not_in_it(books: Books) -> None:
    await books.pay(NOON - timedelta(milliseconds=1))
    await books.pay(NOON)
    await books.pay(NOON + HOUR)
    await books.pay(NOON, campaign_id=new_id("cam"))
    assert (await books.read(NOON, NOON + HOUR)).total("redemptions") == 1


async def test_a_payment_counts_by_the_databases_time_however_wrong_the_clock_of_its_process(books: Books) -> None:
    wrong = f"pay_{new_ulid(int((NOON - timedelta(minutes=10)).timestamp() * 1_000))}"
    payment_id = await books.pay(NOON)
    await books.pool.execute("UPDATE payments SET id = $2 WHERE id = $1", payment_id, wrong)
    await books.pool.execute("UPDATE redemptions SET payment_id = $2 WHERE payment_id = $1", payment_id, wrong)
    assert (await books.read(NOON, NOON + HOUR)).total("succeeded") == 1


async def test_what_was_asked_is_counted_by_hour_and_added_up_over_processes(books: Books) -> None:
    for _ in range(2):
        process = Counting()
        process.count(books.campaign_id, What.QUOTED)
        process.count(books.campaign_id, What.CONSIDERED)
        process.count(books.campaign_id, "below_spend")
        await process.flush(books.pool)
    now = datetime.now(UTC)
    for _ in range(3):
        await books.pay(now)
    found = await books.read(now - HOUR, now + HOUR)
    assert found.refusals == [("below_spend", 2)]
    assert found.asked(What.CONSIDERED) == 2
    assert found.conversion == 3 / 2


async def test_counts_that_could_not_be_written_are_written_the_next_time(books: Books, database_url: str) -> None:
    process = Counting()
    process.count(books.campaign_id, "condition")
    async with asyncpg.create_pool(database_url, min_size=0, max_size=1) as closed:
        pass
    with pytest.raises(asyncpg.InterfaceError):
        await process.flush(closed)
    process.count(books.campaign_id, "condition")
    await process.flush(books.pool)
    await process.flush(books.pool)
    now = datetime.now(UTC)
    assert (await books.read(now - HOUR, now + HOUR)).asked("condition") == 2


async def test_hours_long_past_are_forgotten_and_no_others(books: Books) -> None:
    await books.pool.execute(
        "INSERT INTO campaign_hours (campaign_id, hour, what, count)"
        " SELECT $1, date_trunc('hour', now()) - make_interval(days => days), 'condition', 1"
        " FROM unnest(ARRAY[399, 401]) AS days",
        books.campaign_id,
    )
    await forget_hours(books.pool)
    kept = await books.pool.fetchval(
        "SELECT array_agg(now() - hour < interval '400 days') FROM campaign_hours WHERE campaign_id = $1",
        books.campaign_id,
    )
    assert kept == [True]


async def test_nothing_happened(books: Books) -> None:
    found = await books.read(NOON, NOON + HOUR)
    assert (found.hours, found.sponsors, found.refusals) == ((), [], [])
    assert found.turnover_per_fen is found.conversion is None


async def test_a_time_with_too_many_redemptions_is_refused(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "REDEMPTIONS_MAX", 2)
    for _ in range(3):
        await books.pay(NOON)
    with pytest.raises(InvalidRequest, match="at most"):
        await books.read(NOON, NOON + HOUR)


@pytest.mark.parametrize("statement", ["hours", "sponsors", "returned", "customers"])
async def test_a_small_time_is_found_without_reading_the_others(books: Books, statement: str) -> None:
    for day in range(20):
        for _ in range(5):
            await books.pay(NOON - timedelta(days=day))
    await books.pool.execute(OTHERS, *[f"pay_{first_ulid_at(NOON - timedelta(days=day))[:10]}" for day in (0, 10)])
    await books.pool.execute("ANALYZE redemptions")
    ids = [f"pay_{first_ulid_at(moment)}" for moment in (NOON - HOUR, NOON + 2 * HOUR)]
    async with books.pool.acquire() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off")
        explained = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {SQL[statement]}", books.campaign_id, *ids, NOON, NOON + HOUR, ZONE
        )
    read = [
        node for node in nodes(orjson.loads(explained)[0]["Plan"]) if "redemptions" in node.get("Relation Name", "")
    ]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) == 5
    assert not any(node.get("Rows Removed by Filter") for node in read)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan and all its parts."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)
