"""Postings balance, mirror exactly, and carry a number that makes booking twice impossible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.money import AMOUNT_FEN_MAX, Money, share_half_up
from gateway.ledger import postings
from gateway.ledger.postings import Kind, Transfer

amounts = st.integers(0, AMOUNT_FEN_MAX).map(Money)
rates = st.integers(0, 1_000_000)
attempts = st.integers(1, 99)


def owed(rows: Iterable[Transfer]) -> dict[str, int]:
    """What is owed to each account's holder; those at zero are left out."""
    total: Counter[str] = Counter()
    for row in rows:
        total[row.debit] += row.amount.amount_fen
        total[row.credit] -= row.amount.amount_fen
    return {account: amount for account, amount in total.items() if amount}


@given(amounts, rates)
def test_a_capture_owes_the_merchant_what_the_channel_owes_us(payable: Money, rate_millionths: int) -> None:
    rows = postings.capture("mer_1", "wechat_direct", payable, rate_millionths)
    net = payable.amount_fen - share_half_up(payable.amount_fen, rate_millionths)
    expected = {"channel_receivable:wechat_direct": net, "merchant_payable:mer_1": -net}
    assert owed(rows) == {account: amount for account, amount in expected.items() if amount}


@given(amounts, rates)
def test_every_transfer_moves_something_between_two_accounts_under_a_number_of_its_own(
    payable: Money, rate_millionths: int
) -> None:
    booked = postings.capture("mer_1", "wechat_direct", payable, rate_millionths)
    rows = [*booked, *postings.capture_reversed(booked)]
    assert all(row.amount.amount_fen > 0 and row.debit != row.credit for row in rows)
    assert len({row.seq for row in rows}) == len(rows)


@given(amounts, rates)
def test_a_reversal_mirrors_the_capture_to_the_fen(payable: Money, rate_millionths: int) -> None:
    booked = postings.capture("mer_1", "wechat_direct", payable, rate_millionths)
    mirrored = postings.capture_reversed(booked)
    assert owed([*booked, *mirrored]) == {}
    assert [(row.debit, row.credit, row.amount) for row in mirrored] == [
        (row.credit, row.debit, row.amount) for row in booked
    ]
    assert all(row.kind == f"{original.kind}_reversed" for row, original in zip(mirrored, booked, strict=True))


def test_a_reversal_mirrors_nothing_but_the_capture_and_its_fee() -> None:
    late = postings.late_capture("wechat_direct", 1, Money(100))
    assert postings.capture_reversed([late]) == ()
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
    numbers = [int(kind) for kind in Kind if kind < Kind.LATE_CAPTURE]
    for attempt_seq in range(1, 100):
        numbers.append(postings.late_capture("a", attempt_seq, Money(1)).seq)
        numbers.append(postings.late_capture_returned("a", attempt_seq, Money(1)).seq)
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 2**15, "the column is a smallint"


@pytest.mark.parametrize("attempt_seq", [0, -1, 100])
def test_attempts_outside_1_to_99_have_no_number(attempt_seq: int) -> None:
    with pytest.raises(ValueError, match="1 to 99"):
        postings.late_capture("wechat_direct", attempt_seq, Money(1))


@pytest.mark.parametrize(
    ("payable_fen", "rate_millionths", "kinds"),
    [(2_599, 3_800, ["capture", "fee"]), (100, 3_800, ["capture"]), (100, 0, ["capture"]), (0, 3_800, [])],
)
def test_an_amount_of_zero_makes_no_row(payable_fen: int, rate_millionths: int, kinds: list[str]) -> None:
    rows = postings.capture("mer_1", "wechat_direct", Money(payable_fen), rate_millionths)
    assert [row.kind for row in rows] == kinds
