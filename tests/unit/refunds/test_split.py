"""A payment's money goes back to the fen, whatever the sequence of partial refunds, and of failed ones among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.money import AMOUNT_FEN_MAX
from gateway.refunds.split import Paid, Parts, split, together

NOTHING = Parts(0, 0, 0)


@st.composite
def payments(draw: st.DrawFn, funders_max: int = 4) -> Paid:
    """Any payment: small ones, where a fen is much, and the largest."""
    amount = draw(st.one_of(st.integers(1, 60), st.integers(1, AMOUNT_FEN_MAX)))
    payable = draw(st.integers(0, amount))
    funders = draw(st.integers(1, funders_max)) if payable < amount else 0
    cuts = [draw(st.integers(0, amount - payable)) for _ in range(funders - 1)]
    bounds = [0, *sorted(cuts), amount - payable] if funders else []
    funding = tuple([high - low for low, high in pairwise(bounds)])
    fee = draw(st.integers(0, payable))
    return Paid(amount, payable, fee, funding, draw(funders_of(fee, funders_max)))


@st.composite
def funders_of(draw: st.DrawFn, fee: int, funders_max: int) -> tuple[int, ...]:
    """What some pay of a fee: together all of it, or less."""
    parts = draw(st.lists(st.integers(1, max(fee, 1)), max_size=funders_max))
    while sum(parts) > fee:
        parts.pop()
    return tuple(parts)


@dataclass
class Account:
    """The refunds of one payment, some of which fail."""

    paid: Paid
    live: list[Parts] = field(default_factory=list)

    @property
    def taken(self) -> Parts:
        return together(self.live, len(self.paid.funding), len(self.paid.fee_funding))

    def refund(self, goods: int) -> Parts:
        parts = split(self.paid, self.taken, goods)
        self.live.append(parts)
        return parts

    def must_be_sound(self) -> None:
        """No part negative, no sum above what was paid, all of them adding up."""
        for parts in self.live:
            assert min(parts.customer, parts.discount, parts.fee, *parts.funding, 0) == 0, parts
            assert sum(parts.funding) == parts.discount
            assert parts.fee <= parts.customer
            assert min(parts.fee_funding, default=0) >= 0
        taken = self.taken
        assert taken.customer <= self.paid.payable
        assert taken.discount <= self.paid.discount
        assert taken.fee <= self.paid.fee
        assert all(part <= given for part, given in zip(taken.funding, self.paid.funding, strict=True))
        assert all(part <= given for part, given in zip(taken.fee_funding, self.paid.fee_funding, strict=True))


@given(payments(), st.data())
def test_any_sequence_of_refunds_and_failures_stays_within_what_was_paid_and_ends_exactly(
    paid: Paid, data: st.DataObject
) -> None:
    account = Account(paid)
    for _ in range(data.draw(st.integers(0, 12), label="steps")):
        left = paid.amount - account.taken.goods
        if account.live and (not left or data.draw(st.booleans(), label="one fails")):
            account.live.pop(data.draw(st.integers(0, len(account.live) - 1), label="which"))
        else:
            goods = data.draw(st.integers(1, left), label="goods")
            assert account.refund(goods).goods == goods
        account.must_be_sound()
    if left := paid.amount - account.taken.goods:
        account.refund(left)
    account.must_be_sound()
    assert account.taken == Parts(paid.payable, paid.discount, paid.fee, paid.funding, paid.fee_funding)


@given(payments(funders_max=2), st.data())
def test_without_failures_the_sums_are_the_contracts_formula(paid: Paid, data: st.DataObject) -> None:
    account = Account(paid)
    while left := paid.amount - account.taken.goods:
        account.refund(left if len(account.live) == 9 else data.draw(st.integers(1, left)))
        taken = account.taken
        assert taken.customer == paid.payable * taken.goods // paid.amount
        assert taken.discount == taken.goods - taken.customer
        if paid.payable:
            assert taken.fee == paid.fee * taken.customer // paid.payable
        if paid.discount:
            first = [part * taken.discount // paid.discount for part in paid.funding[:-1]]
            assert taken.funding == (*first, taken.discount - sum(first))
        if paid.fee_funding:
            assert sum(taken.fee_funding) == sum(paid.fee_funding) * taken.fee // paid.fee


@given(payments())
def test_a_refund_in_one_piece_returns_everything(paid: Paid) -> None:
    nothing = together([], len(paid.funding), len(paid.fee_funding))
    assert split(paid, nothing, paid.amount) == Parts(
        paid.payable, paid.discount, paid.fee, paid.funding, paid.fee_funding
    )


def test_the_example_of_the_documentation() -> None:
    """docs/refunds.md: 25.99 of goods, 5.00 off, of which the bank pays 3.50 and the merchant 1.50; a fee of 0.08."""
    account = Account(Paid(2_599, 2_099, 8, (350, 150)))
    assert account.refund(1_000) == Parts(807, 193, 3, (135, 58))
    assert account.refund(1_000) == Parts(808, 192, 3, (134, 58))
    assert account.refund(599) == Parts(484, 115, 2, (81, 34))


def test_what_a_failed_refund_did_not_give_is_caught_up_with_and_never_taken_back() -> None:
    account = Account(Paid(3, 2, 0, (1,)))
    assert [account.refund(1).customer for _ in range(2)] == [0, 1]
    account.live.pop(0)
    assert account.refund(1).customer == 0, "of two goods one fen is due, and it is given already"
    assert account.refund(1).customer == 1

    account = Account(Paid(10, 9, 0, (1,)))
    for _ in range(4):
        account.refund(2)
    assert [parts.customer for parts in account.live] == [1, 2, 2, 2]
    del account.live[1:]
    assert account.refund(2) == Parts(2, 0, 0, (0,)), "the customer's part is never above the goods"


def test_three_funders_of_a_fen_each_get_one_back_each() -> None:
    account = Account(Paid(6, 3, 0, (1, 1, 1)))
    assert [account.refund(2).funding for _ in range(3)] == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]


@pytest.mark.parametrize("goods", [0, -1, 101])
def test_nothing_and_more_than_is_left_cannot_be_split(goods: int) -> None:
    with pytest.raises(ValueError, match="between one fen"):
        split(Paid(200, 200, 0), Parts(100, 0, 0), goods)


def test_a_discount_without_its_funders_is_no_payment() -> None:
    with pytest.raises(ValueError, match="add up"):
        Paid(100, 90, 0, (9,))


def test_a_payment_that_cost_nothing_returns_nothing_but_its_discount() -> None:
    assert split(Paid(100, 0, 0, (100,)), Parts(0, 0, 0, (0,)), 30) == Parts(0, 30, 0, (30,))
