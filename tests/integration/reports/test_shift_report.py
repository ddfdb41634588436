"""A shift report is equal to the ledger, and to what a shopkeeper would have added up on paper."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.kernel.errors import InvalidRequest
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money, share_half_up
from gateway.ledger.postings import Funder
from gateway.payments.states import Event
from gateway.reports import store
from gateway.reports.shift import Till
from routing.channels.reports import RefundState
from tests.integration.reports.conftest import ANY, Shop
from tests.support.rows import FEE_RATE_MILLIONTHS

DAY = datetime(2026, 11, 20, 16, tzinfo=UTC)
"""The beginning of a day in Shanghai."""
ENDS = (Event.CAPTURED, Event.CAPTURED, Event.CAPTURED, Event.DECLINED, Event.CLOSED, Event.NOT_CREATED, None)

NAMES = st.sampled_from([None, "a", "b"])
TILLS = st.builds(Till, store_id=NAMES, terminal_id=NAMES, operator_id=NAMES)
MOMENTS = st.integers(-2 * 3_600, 26 * 3_600).map(lambda seconds: DAY + timedelta(seconds=seconds))


@dataclass(frozen=True)
class Give:
    """A refund as a story tells it: which part of the goods that are left, when, where, and what became of it."""

    share: float
    at: datetime
    till: Till
    state: RefundState | None


@dataclass(frozen=True)
class Sale:
    """A payment as a story tells it."""

    at: datetime
    till: Till
    wallet: str
    amount: int
    funded: tuple[int, int]
    end: Event | None
    is_voided: bool
    refunds: list[Give] = field(default_factory=list)


GIVES = st.builds(
    Give,
    share=st.floats(0.01, 1),
    at=MOMENTS,
    till=TILLS,
    state=st.sampled_from([RefundState.SUCCEEDED, RefundState.SUCCEEDED, RefundState.FAILED, None]),
)
SALES = st.builds(
    Sale,
    at=MOMENTS,
    till=TILLS,
    wallet=st.sampled_from(["wechat", "alipay", "unionpay"]),
    amount=st.integers(100, 100_000),
    funded=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    end=st.sampled_from(ENDS),
    is_voided=st.booleans(),
    refunds=st.lists(GIVES, max_size=3),
)


class Paper:
    """What a shopkeeper notes: one line for each sale and refund of the day that succeeded, added up by hand."""

    def __init__(self) -> None:
        self.sold: defaultdict[tuple[str | None, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.returned: defaultdict[tuple[str | None, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def sell(self, sale: Sale, payable: int) -> None:
        fee = share_half_up(payable, FEE_RATE_MILLIONTHS)
        _add(self.sold[*sale.till, sale.wallet], 1, sale.amount, payable, fee)

    def give(self, give: Give, wallet: str, goods: int, returned: int, fee: int) -> None:
        _add(self.returned[*give.till, wallet], 1, goods, returned, fee)


def _add(line: list[int], *parts: int) -> None:
    for place, part in enumerate(parts):
        line[place] += part


async def live_through(shop: Shop, sale: Sale, paper: Paper, wanted: Till) -> None:
    """Let one sale happen, and note what belongs on the paper of the day."""
    bank, own = (sale.amount * percent // 200 for percent in sale.funded)
    payable = sale.amount - bank - own
    row = await shop.begin(sale.at, sale.till, wallet=sale.wallet, amount=sale.amount, payable=payable)
    if sale.end is None:
        return
    await shop.end(row, sale.end, (Funder("bank", Money(bank)), Funder("merchant", Money(own))))
    if sale.end is not Event.CAPTURED:
        return
    if sale.is_voided:
        await shop.reverse(row)
        return
    if _counts(sale.at, sale.till, wanted):
        paper.sell(sale, payable)
    goods_before, fee = 0, share_half_up(payable, FEE_RATE_MILLIONTHS)
    for give in sale.refunds:
        goods = int((sale.amount - goods_before) * give.share)
        if not goods:
            continue
        await shop.refund(row, goods, give.at, give.till, give.state)
        if give.state is not RefundState.SUCCEEDED:
            return  # what the rest of a sale looks like then is the refund room's business
        before, after = (payable * so_far // sale.amount for so_far in (goods_before, goods_before + goods))
        fee_back = fee * after // payable - fee * before // payable
        goods_before += goods
        if _counts(give.at, give.till, wanted):
            paper.give(give, sale.wallet, goods, after - before, fee_back)


def _counts(at: datetime, till: Till, wanted: Till) -> bool:
    return DAY <= at < DAY + timedelta(days=1) and all(
        mine is None or mine == theirs for mine, theirs in zip(wanted, till, strict=True)
    )


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sales=st.lists(SALES, max_size=8), wanted=TILLS)
def test_any_day_is_equal_to_the_ledger_and_to_the_paper(shop: Shop, sales: list[Sale], wanted: Till) -> None:
    shop.merchant_id, paper = new_id("mer"), Paper()
    for sale in sales:
        shop.run(live_through(shop, sale, paper, wanted))
    report = shop.run(shop.report(DAY, DAY + timedelta(days=1), wanted))

    assert report.agrees
    found_sold, found_returned = {}, {}
    for group, sums in report.sums.items():
        books, key = report.books[group], (*group.till, group.wallet)
        if sums.payments:
            found_sold[key] = [sums.payments, sums.amount, sums.payable, books.fee]
        if sums.refunds:
            found_returned[key] = [sums.refunds, sums.refunded, sums.returned, books.fee_returned]
    assert found_sold == paper.sold
    assert found_returned == paper.returned
    sums, books = report.total()
    assert sums.net == sum(line[2] for line in paper.sold.values()) - sum(line[2] for line in paper.returned.values())
    assert books.fees == sum(line[3] for line in paper.sold.values()) - sum(line[3] for line in paper.returned.values())


async def sold(shop: Shop, at: datetime, till: Till = ANY, amount: int = 2_599) -> str:
    row = await shop.begin(at, till, amount=amount, payable=amount)
    await shop.end(row, Event.CAPTURED)
    return row.payment_id


def test_the_beginning_counts_and_the_end_does_not(shop: Shop) -> None:
    inside = [shop.run(sold(shop, DAY)), shop.run(sold(shop, DAY + timedelta(days=1, microseconds=-1)))]
    for at in (DAY - timedelta(microseconds=1), DAY + timedelta(days=1)):
        shop.run(sold(shop, at))
    report = shop.run(shop.report(DAY, DAY + timedelta(days=1)))
    assert [line.id for line in report.lines.payments] == inside
    assert report.total()[0].payments == 2


def test_the_rows_time_counts_where_the_clock_that_made_the_id_was_wrong(shop: Shop) -> None:
    early = shop.run(sold(shop, DAY - timedelta(minutes=10)))
    shop.run(shop.pool.execute("UPDATE payments SET created_at = $2 WHERE id = $1", early, DAY))
    report = shop.run(shop.report(DAY, DAY + timedelta(days=1)))
    assert [line.id for line in report.lines.payments] == [early]


def test_another_merchants_day_is_not_in_it(shop: Shop) -> None:
    shop.run(sold(shop, DAY))
    shop.merchant_id = new_id("mer")
    report = shop.run(shop.report(DAY, DAY + timedelta(days=1)))
    assert (report.lines.payments, report.groups, report.agrees) == ((), (), True)


def test_what_has_no_end_stands_apart_and_counts_when_it_has_one(shop: Shop) -> None:
    row = shop.run(shop.begin(DAY))
    paid = shop.run(shop.begin(DAY))
    shop.run(shop.end(paid, Event.CAPTURED))
    shop.run(shop.refund(paid, 599, DAY))
    report = shop.run(shop.report(DAY, DAY + timedelta(days=1)))
    assert [line.id for line in report.open.payments] == [row.payment_id]
    assert [line.amount for line in report.open.refunds] == [599]
    sums, _ = report.total()
    assert (sums.payments, sums.refunds, sums.net) == (1, 0, 2_599)
    assert {(found.status, found.count) for found in report.payment_statuses} == {("processing", 1), ("succeeded", 1)}
    assert {(found.status, found.count) for found in report.refund_statuses} == {("pending", 1)}


def test_books_that_say_something_else_are_told_of(shop: Shop) -> None:
    payment_id = shop.run(sold(shop, DAY, Till("s-1")))
    shop.run(sold(shop, DAY, Till("s-2")))
    assert shop.run(shop.report(DAY, DAY + timedelta(days=1))).agrees
    for change in (
        "amount = amount + 1 WHERE seq = 1",
        "credit = 'elsewhere' WHERE seq = 1",
        "seq = 2_000 WHERE seq = 1",
    ):
        before = shop.run(shop.pool.fetchrow("SELECT * FROM transfers WHERE payment_id = $1 AND seq = 1", payment_id))
        shop.run(shop.pool.execute(f"UPDATE transfers SET {change} AND payment_id = $1", payment_id))
        assert not shop.run(shop.report(DAY, DAY + timedelta(days=1))).agrees, change
        shop.run(
            shop.pool.execute(
                "UPDATE transfers SET seq = 1, amount = $2, credit = $3 WHERE payment_id = $1 AND kind = 'capture'",
                payment_id,
                before["amount"],
                before["credit"],
            )
        )
    assert shop.run(shop.report(DAY, DAY + timedelta(days=1))).agrees


def test_two_errors_that_cancel_out_over_the_day_are_told_of_all_the_same(shop: Shop) -> None:
    for till, change in ((Till("s-1"), 1), (Till("s-2"), -1)):
        payment_id = shop.run(sold(shop, DAY, till))
        shop.run(
            shop.pool.execute(
                "UPDATE transfers SET amount = amount + $2 WHERE payment_id = $1 AND seq = 1", payment_id, change
            )
        )
    assert not shop.run(shop.report(DAY, DAY + timedelta(days=1))).agrees


def test_money_that_came_late_and_went_back_is_no_sale(shop: Shop) -> None:
    row = shop.run(shop.begin(DAY))
    shop.run(shop.end(row, Event.NOT_CREATED))
    shop.run(
        shop.pool.execute(
            "INSERT INTO transfers"
            " VALUES ($1, $2, 101, 'late_capture', 'channel_receivable:a', 'late_captures_payable:a', 5, 'CNY', now())",
            row.payment_id,
            row.merchant_id,
        )
    )
    report = shop.run(shop.report(DAY, DAY + timedelta(days=1)))
    assert (report.agrees, report.groups) == (True, ())


def test_the_lists_are_bounded_and_the_sums_are_not(shop: Shop) -> None:
    ids = [shop.run(sold(shop, DAY + timedelta(seconds=second))) for second in range(4)]
    report = shop.run(shop.report(DAY, DAY + timedelta(days=1), lines_max=3))
    assert ([line.id for line in report.lines.payments], report.lines.more_payments) == (ids[:3], True)
    assert report.total()[0].payments == 4
    assert not shop.run(shop.report(DAY, DAY + timedelta(days=1), lines_max=4)).lines.more_payments


@pytest.mark.parametrize("bound", ["ROWS_MAX", "GROUPS_MAX"])
def test_more_than_a_report_can_hold_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    for number in range(3):
        shop.run(sold(shop, DAY, Till(f"s-{number}")))
    monkeypatch.setattr(store, bound, 2)
    with pytest.raises(InvalidRequest, match="too much"):
        shop.run(shop.report(DAY, DAY + timedelta(days=1)))
    monkeypatch.setattr(store, bound, 3)
    assert shop.run(shop.report(DAY, DAY + timedelta(days=1))).agrees
