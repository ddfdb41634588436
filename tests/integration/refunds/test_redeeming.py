"""Refunds give budgets back what their campaigns gave: exact over any sequence, and only what the rules allow."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

import pytest

from gateway.database.intents import IntentRow
from gateway.database.redemptions import RedemptionRow, UseRow
from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money
from gateway.ledger.postings import Funder
from gateway.refunds.refund import RefundStatus
from gateway.refunds.steps import End, Verdict
from promotions.facts import EVER
from tests.integration.refunds.conftest import Counter
from tests.support.campaign_rows import campaign, grant, today

BROUGHT_BACK: Final = Verdict(End.SUCCEEDED, "50300001")
REFUSED: Final = Verdict(End.FAILED, failure=FailureCode.REFUND_REFUSED)


async def taking(
    counter: Counter, campaign_id: str, discount: int = 0, fee_off: int = 0, **rules: bool
) -> RedemptionRow:
    """What a payment takes of a new campaign: the bank pays two thirds, the merchant the rest."""
    await campaign(counter.pool, campaign_id)
    await grant(counter.pool, campaign_id, 100_000, counts=[100])
    day, bank = await today(counter.pool), (discount + fee_off) * 2 // 3
    funding = [{"sponsor": "bank", "amount": bank}, {"sponsor": "merchant", "amount": discount + fee_off - bank}]
    return RedemptionRow(
        campaign_id=campaign_id,
        version=1,
        name=campaign_id,
        day=day,
        slice=0,
        discount=discount,
        fee_off=fee_off,
        funding=str(funding).replace("'", '"'),
        uses=f'[["customer", "{campaign_id}", "{EVER}"]]',
        coupon_id=None,
        rewards=False,
        new_customer=None,
        counters=(UseRow("customer", campaign_id, EVER, 5, None),),
        **({"returns_budget": True, "returns_limits": False} | rules),
    )


def funders(*rows: RedemptionRow) -> list[Funder]:
    """As the capture books them."""
    found = []
    for row in rows:
        taken = row.discount + row.fee_off
        parts = (("bank", taken * 2 // 3), ("merchant", taken - taken * 2 // 3))
        found += [Funder(sponsor, Money(fen), of_fee=row.fee_off > 0) for sponsor, fen in parts]
    return found


async def paid(counter: Counter, amount: int, *rows: RedemptionRow) -> IntentRow:
    """A payment that took these."""
    payable = amount - sum(row.discount for row in rows)
    return await counter.paid(amount=amount, payable=payable, funding=funders(*rows), redemptions=rows)


async def used(counter: Counter, campaign_id: str) -> tuple[int, int, int]:
    """What is taken of a campaign: fen, redemptions, and those of the customer."""
    row = await counter.pool.fetchrow(
        "SELECT used, used_count FROM campaign_slices WHERE campaign_id = $1", campaign_id
    )
    times = await counter.pool.fetchval("SELECT used_count FROM campaign_uses WHERE campaign_id = $1", campaign_id)
    return row["used"], row["used_count"], times


@pytest.mark.parametrize("seed", range(12))
async def test_each_campaign_has_back_its_part_of_what_was_refunded_and_in_the_end_all(
    counter: Counter, seed: int
) -> None:
    draw, name = random.Random(seed), new_id("cam")
    rows = [
        await taking(counter, f"{name}1", discount=draw.randint(1, 900)),
        await taking(counter, f"{name}2", fee_off=draw.randint(2, 7)),
        await taking(counter, f"{name}3", discount=draw.randint(1, 90)),
    ]
    row = await paid(counter, 2_599, *rows)
    left, failures = 2_599, 0
    while left:
        goods = left if draw.random() < 0.2 else draw.randint(1, left)
        refund = await counter.refund(row, goods)
        fails = refund.status is RefundStatus.PENDING and failures < 4 and draw.random() < 0.3
        if refund.status is RefundStatus.PENDING:
            refund = await counter.desk.commit(refund, REFUSED if fails else BROUGHT_BACK)
        failures, left = failures + fails, left if fails else left - goods
        done = [each for each in await counter.refunds(row) if each.status is RefundStatus.SUCCEEDED]
        for taken in rows:
            back = sum(
                share.amount for each in done for share in each.funding if share.campaign_id == taken.campaign_id
            )
            expected = taken.discount + taken.fee_off - back
            assert await used(counter, taken.campaign_id) == (expected, 1, 1), f"seed {seed}"
    for taken in rows:
        assert await used(counter, taken.campaign_id) == (0, 1, 1), "the limits are kept"
    owed = await counter.pool.fetch(
        "SELECT account FROM transfers, LATERAL (VALUES (debit, amount), (credit, -amount)) AS side (account, fen)"
        " WHERE payment_id = $1 GROUP BY account HAVING sum(fen) <> 0",
        row.payment_id,
    )
    assert owed == [], f"seed {seed}"


async def test_limits_come_back_with_the_last_good_and_a_budget_that_is_kept_never(counter: Counter) -> None:
    name = new_id("cam")
    kept = await taking(counter, f"{name}1", discount=300, returns_budget=False, returns_limits=True)
    given = await taking(counter, f"{name}2", discount=200)
    row = await paid(counter, 2_000, kept, given)
    await counter.desk.commit(await counter.refund(row, 1_999), BROUGHT_BACK)
    assert await used(counter, kept.campaign_id) == (300, 1, 1)
    assert (await used(counter, given.campaign_id))[1:] == (1, 1)
    last = await counter.refund(row, 1)
    if last.status is RefundStatus.PENDING:
        await counter.desk.commit(last, BROUGHT_BACK)
    assert await used(counter, kept.campaign_id) == (300, 0, 0), "the money is kept, the customer may again"
    assert await used(counter, given.campaign_id) == (0, 1, 1)


async def test_a_refund_after_the_campaigns_end_goes_back_to_the_day_of_the_payment(counter: Counter) -> None:
    taken = await taking(counter, new_id("cam"), discount=500)
    row = await paid(counter, 2_599, taken)
    yesterday = taken.day - timedelta(days=1)
    for table in ("redemptions", "campaign_slices"):
        await counter.pool.execute(f"UPDATE {table} SET day = $2 WHERE campaign_id = $1", taken.campaign_id, yesterday)
    await counter.pool.execute("UPDATE campaigns SET status = 'ended' WHERE id = $1", taken.campaign_id)
    await counter.desk.commit(await counter.refund(row, 2_599), BROUGHT_BACK)
    slices = await counter.pool.fetch("SELECT day, used FROM campaign_slices WHERE campaign_id = $1", taken.campaign_id)
    assert [tuple(each) for each in slices] == [(yesterday, 0)]


async def test_a_refund_that_ends_twice_gives_back_once(counter: Counter) -> None:
    taken = await taking(counter, new_id("cam"), discount=500)
    row = await paid(counter, 2_599, taken)
    refund = await counter.refund(row, 1_000)
    for verdict in (BROUGHT_BACK, BROUGHT_BACK, REFUSED):
        await counter.desk.commit(refund, verdict)
    assert await used(counter, taken.campaign_id) == (307, 1, 1)
