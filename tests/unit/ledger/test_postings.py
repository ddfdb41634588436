"""Postings balance, mirror exactly, and carry a number that makes booking twice impossible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.money import AMOUNT_FEN_MAX, Money, share_half_up
from gateway.ledger import postings
from gateway.ledger.postings import Funder, Transfer
from gateway.refunds.split import Paid, Parts, split, together

amounts = st.integers(0, AMOUNT_FEN_MAX).map(Money)
rates = st.integers(0, 1_000_000)
attempts = st.integers(1, 99)
funders = st.lists(st.tuples(st.sampled_from(["bank", "platform", "merchant"]), st.integers(0, 10**6)), max_size=5).map(
    lambda found: [Funder(sponsor, Money(amount)) for sponsor, amount in found]
)
all_funders = st.lists(st.builds(Funder, st.sampled_from(["bank", "merchant"]), amounts, st.booleans()), max_size=8)
"""Of discounts and of fees, in any order."""


def fee_of(payable: Money, rate_millionths: int) -> Money:
    """A plain rate."""
    return Money(share_half_up(payable.amount_fen, rate_millionths))


def owed(rows: Iterable[Transfer]) -> dict[str, int]:
    """What is owed to each account's holder; those at zero are left out."""
    total: Counter[str] = Counter()
    for row in rows:
        total[row.debit] += row.amount.amount_fen
        total[row.credit] -= row.amount.amount_fen
    return {account: amount for account, amount in total.items() if amount}


@given(amounts, rates)
def test_a_capture_owes_the_merchant_what_the_channel_owes_us(payable: Money, rate_millionths: int) -> None:
    rows = postings.capture("mer_1", "wechat_direct", payable, fee_of(payable, rate_millionths))
    net = payable.amount_fen - share_half_up(payable.amount_fen, rate_millionths)
    expected = {"channel_receivable:wechat_direct": net, "merchant_payable:mer_1": -net}
    assert owed(rows) == {account: amount for account, amount in expected.items() if amount}


@given(amounts, rates, funders)
def test_a_discount_is_owed_by_its_funders_and_the_merchant_is_owed_the_goods(
    payable: Money, rate_millionths: int, funding: list[Funder]
) -> None:
    rows = postings.capture("mer_1", "wechat_direct", payable, fee_of(payable, rate_millionths), funding)
    goods = payable.amount_fen + sum(part.amount.amount_fen for part in funding)
    fee = share_half_up(payable.amount_fen, rate_millionths)
    assert owed(rows).get("merchant_payable:mer_1", 0) == fee - goods
    assert owed(rows).get("sponsor_receivable:bank", 0) == _given(funding, "bank")
    assert owed(rows).get("merchant_promotion:mer_1", 0) == _given(funding, "merchant")
    assert postings.fee_of(rows) == fee
    assert postings.funding_of(rows) == tuple([part for part in funding if part.amount.amount_fen])


@given(amounts, rates, all_funders)
def test_who_pays_for_a_fee_is_told_from_who_pays_for_a_discount(
    payable: Money, rate_millionths: int, funding: list[Funder]
) -> None:
    rows = postings.capture("mer_1", "wechat_direct", payable, fee_of(payable, rate_millionths), funding)
    paying = [part for part in funding if part.amount.amount_fen]
    assert postings.funding_of(rows) == tuple([part for part in paying if not part.of_fee])
    assert postings.fee_funding_of(rows) == tuple([part for part in paying if part.of_fee])
    assert owed(rows).get("sponsor_receivable:bank", 0) == _given(paying, "bank")
    assert owed([*rows, *postings.capture_reversed(rows)]) == {}
    booked = postings.refund("mer_1", "wechat_direct", 1, customer=payable, fee=Money(0), funding=paying)
    kinds = [row.kind for row in booked if row.kind.startswith("refund_")]
    assert kinds == ["refund_fee_off" if part.of_fee else "refund_discount" for part in paying]


def _given(funding: Iterable[Funder], sponsor: str) -> int:
    return sum(part.amount.amount_fen for part in funding if part.sponsor == sponsor)


@given(amounts, rates, funders)
def test_every_transfer_moves_something_between_two_accounts_under_a_number_of_its_own(
    payable: Money, rate_millionths: int, funding: list[Funder]
) -> None:
    booked = postings.capture("mer_1", "wechat_direct", payable, fee_of(payable, rate_millionths), funding)
    rows = [*booked, *postings.capture_reversed(booked)]
    assert all(row.amount.amount_fen > 0 and row.debit != row.credit for row in rows)
    assert len({row.seq for row in rows}) == len(rows)


@given(amounts, rates, funders)
def test_a_reversal_mirrors_the_capture_to_the_fen(payable: Money, rate_millionths: int, funding: list[Funder]) -> None:
    booked = postings.capture("mer_1", "wechat_direct", payable, fee_of(payable, rate_millionths), funding)
    mirrored = postings.capture_reversed(booked)
    assert owed([*booked, *mirrored]) == {}
    assert [(row.debit, row.credit, row.amount) for row in mirrored] == [
        (row.credit, row.debit, row.amount) for row in booked
    ]
    assert all(row.kind == f"{original.kind}_reversed" for row, original in zip(mirrored, booked, strict=True))


def test_a_reversal_mirrors_nothing_but_the_capture_and_its_fee() -> None:
    late = postings.late_capture("wechat_direct", 1, Money(100))
    refund = postings.refund("mer_1", "wechat_direct", 1, customer=Money(5), fee=Money(0), funding=[])
    assert postings.capture_reversed([late, *refund]) == ()
    assert postings.capture_reversed([]) == ()


@given(amounts.filter(lambda amount: amount.amount_fen > 0), attempts)
def test_a_late_capture_that_was_returned_leaves_nothing_owed(amount: Money, attempt_seq: int) -> None:
    found = postings.late_capture("wechat_direct", attempt_seq, amount)
    returned = postings.late_capture_returned("wechat_direct", attempt_seq, amount)
    assert owed([found, returned]) == {}
    assert owed([found]) == {
        "channel_receivable:wechat_direct": amount.amount_fen,
        "late_captures_payable:wechat_direct": -amount.amount_fen,
    }


def test_no_two_postings_of_a_payment_can_have_the_same_number() -> None:
    everyone = [Funder(f"s{number}", Money(1)) for number in range(postings.FUNDERS_MAX)]
    captured = postings.capture("m", "a", Money(1_000), Money(500), everyone)
    numbers = [row.seq for row in [*captured, *postings.capture_reversed(captured)]]
    for refund_seq in range(1, 1_024):
        rows = postings.refund("m", "a", refund_seq, customer=Money(1), fee=Money(1), funding=everyone)
        numbers += [row.seq for row in rows]
    for attempt_seq in range(1, 100):
        numbers.append(postings.late_capture("a", attempt_seq, Money(1)).seq)
        numbers.append(postings.late_capture_returned("a", attempt_seq, Money(1)).seq)
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 2**15, "the column is a smallint"


@pytest.mark.parametrize("attempt_seq", [0, -1, 100])
def test_attempts_outside_1_to_99_have_no_number(attempt_seq: int) -> None:
    with pytest.raises(ValueError, match="1 to 99"):
        postings.late_capture("wechat_direct", attempt_seq, Money(1))


@given(st.integers(1, 10**6), rates, funders.filter(lambda found: len(found) < 5), st.data())
def test_refunds_of_all_goods_leave_nothing_owed(
    payable_fen: int, rate_millionths: int, funding: list[Funder], data: st.DataObject
) -> None:
    booked = postings.capture(
        "mer_1", "wechat_direct", Money(payable_fen), fee_of(Money(payable_fen), rate_millionths), funding
    )
    sponsors = [part.sponsor for part in postings.funding_of(booked)]
    given_by = tuple([part.amount.amount_fen for part in postings.funding_of(booked)])
    paid = Paid(payable_fen + sum(given_by), payable_fen, postings.fee_of(booked), given_by)
    rows, done = list(booked), list[Parts]()
    while left := paid.amount - sum(parts.goods for parts in done):
        goods = left if len(done) == 5 else data.draw(st.integers(1, left))
        parts = split(paid, together(done, len(given_by)), goods)
        done.append(parts)
        returned = [Funder(sponsor, Money(part)) for sponsor, part in zip(sponsors, parts.funding, strict=True)]
        rows += postings.refund(
            "mer_1",
            "wechat_direct",
            len(done),
            customer=Money(parts.customer),
            fee=Money(parts.fee),
            funding=returned,
        )
    assert owed(rows) == {}
    assert len({row.seq for row in rows}) == len(rows)


@pytest.mark.parametrize("refund_seq", [0, -1, 1_024])
def test_refunds_outside_1_to_1023_have_no_number(refund_seq: int) -> None:
    with pytest.raises(ValueError, match="1 to 1,023"):
        postings.refund("mer_1", "wechat_direct", refund_seq, customer=Money(1), fee=Money(0), funding=[])


def test_a_discount_of_more_funders_than_there_are_numbers_is_refused() -> None:
    funding = [Funder(f"s{number}", Money(1)) for number in range(postings.FUNDERS_MAX + 1)]
    with pytest.raises(ValueError, match="at most"):
        postings.capture("mer_1", "wechat_direct", Money(1), Money(0), funding)


@pytest.mark.parametrize(
    ("payable_fen", "rate_millionths", "kinds"),
    [(2_599, 3_800, ["capture", "fee"]), (100, 3_800, ["capture"]), (100, 0, ["capture"]), (0, 3_800, [])],
)
def test_an_amount_of_zero_makes_no_row(payable_fen: int, rate_millionths: int, kinds: list[str]) -> None:
    rows = postings.capture("mer_1", "wechat_direct", Money(payable_fen), fee_of(Money(payable_fen), rate_millionths))
    assert [row.kind for row in rows] == kinds


def test_a_fee_above_what_the_customer_paid_is_no_fee() -> None:
    with pytest.raises(ValueError, match="at most"):
        postings.capture("mer_1", "wechat_direct", Money(10), Money(11))
