"""A fee that funders pay for is no difference between a shift's payments and its books."""

from __future__ import annotations

from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.ledger.postings import Funder, Transfer
from gateway.reports.shift import Books, Sums

FUNDING = [Funder("bank", Money(25), of_fee=True), Funder("merchant", Money(13), of_fee=True)]


def books(*transfers: Transfer) -> Books:
    kinds = [(row.kind, row.debit.partition(":")[0], row.credit.partition(":")[0], row.amount) for row in transfers]
    return sum((Books.of(kind, debit, credit, amount.amount_fen) for kind, debit, credit, amount in kinds), Books())


def test_the_books_agree_where_funders_pay_of_the_fee() -> None:
    captured = postings.capture("mer_1", "wechat_direct", Money(10_000), Money(38), FUNDING)
    found = books(*captured)
    assert (found.fee_off, found.merchant) == (38, 10_000)
    assert found.agree_with(Sums(payments=1, amount=10_000, payable=10_000))
    assert not found.agree_with(Sums(payments=1, amount=10_000, payable=9_999))
    assert books(*captured, *postings.capture_reversed(captured)) == Books()


def test_they_agree_after_a_refund_too() -> None:
    captured = postings.capture("mer_1", "wechat_direct", Money(10_000), Money(38), FUNDING)
    back = [Funder("bank", Money(12), of_fee=True), Funder("merchant", Money(7), of_fee=True)]
    refund = postings.refund("mer_1", "wechat_direct", 1, customer=Money(5_000), fee=Money(19), funding=back)
    found = books(*captured, *refund)
    assert (found.fee_off, found.merchant) == (19, 5_000)
    sums = Sums(payments=1, amount=10_000, payable=10_000, refunds=1, refunded=5_000, returned=5_000, fee_returned=19)
    assert found.agree_with(sums)
