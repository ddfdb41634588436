"""Which transfers a payment's outcome makes; pure.  Each is one row with a debit and a credit, so the books balance.

A capture: Dr channel receivable, Cr merchant payable, over what the customer pays; Dr each funder, Cr merchant payable,
over its part of the discount; the fee goes back from the merchant to the channel.  A funder of the fee (手续费折扣)
owes its part to the merchant, who pays the whole fee.  A reversal mirrors all of them, a refund as much of each as goes
back.  (ARCHITECTURE.md "The books")
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from gateway.kernel.money import Money


class Kind(IntEnum):
    """What a transfer is for; the value is its number within the payment, which makes booking it twice impossible."""

    CAPTURE = 1
    FEE = 2
    CAPTURE_REVERSED = 3
    FEE_REVERSED = 4
    DISCOUNT = 10
    """And the next ones, one for each funder, whether it pays for a discount or for the fee."""
    DISCOUNT_REVERSED = 40
    LATE_CAPTURE = 100
    LATE_CAPTURE_RETURNED = 200
    REFUND = 1_000
    """And thirty numbers for each refund: the customer's part, the fee, and the funders."""


_NAMES: Final = {kind: kind.name.lower() for kind in Kind}
_ATTEMPTS_MAX: Final = 99
FUNDERS_MAX: Final = 28
REFUND_NUMBERS: Final = 30
"""Each refund has so many numbers among its payment's transfers."""
_REFUNDS_MAX: Final = 1_023
MERCHANT: Final = "merchant"
"""The funder that stands for the merchant's own share of a discount."""
_FEE_OFF: Final = "fee_off"


class Transfer(NamedTuple):
    """`amount` (> 0) is owed to the debit account's holder and by the credit account's."""

    seq: int
    kind: str
    debit: str
    credit: str
    amount: Money


class Funder(NamedTuple):
    """Who pays for (a part of) a discount, and how much.  `of_fee`: not for the customer's price, for the fee."""

    sponsor: str
    amount: Money
    of_fee: bool = False


def channel_receivable(account_id: str) -> str:
    """What the channel owes for captures."""
    return f"channel_receivable:{account_id}"


def merchant_payable(merchant_id: str) -> str:
    """What the merchant is owed."""
    return f"merchant_payable:{merchant_id}"


def funder_account(sponsor: str, merchant_id: str) -> str:
    """What a funder owes for discounts; the merchant's own share is an expense of its own."""
    return f"merchant_promotion:{merchant_id}" if sponsor == MERCHANT else f"sponsor_receivable:{sponsor}"


def late_captures_payable(account_id: str) -> str:
    """What is owed back to customers whose money arrived too late."""
    return f"late_captures_payable:{account_id}"


def capture(
    merchant_id: str, account_id: str, payable: Money, fee: Money, funding: Sequence[Funder] = ()
) -> tuple[Transfer, ...]:
    """The postings of a capture; a payable, a fee or a funder's part of zero makes no row.

    Raises ValueError for a fee above what the customer paid.
    """
    if payable < fee:
        raise ValueError("a fee is at most what the customer paid")
    channel, merchant = channel_receivable(account_id), merchant_payable(merchant_id)
    taken = _rows((Kind.CAPTURE, channel, merchant, payable), (Kind.FEE, merchant, channel, fee))
    return taken + _funded(Kind.DISCOUNT, merchant_id, funding) if funding else taken


def capture_reversed(booked: Iterable[Transfer]) -> tuple[Transfer, ...]:
    """The mirror of what a capture booked (the account's terms may have changed since); other rows have none."""
    mirrored = [(row, _MIRROR[row.seq]) for row in booked if row.seq in _MIRROR]
    return tuple([Transfer(seq, f"{row.kind}_reversed", row.credit, row.debit, row.amount) for row, seq in mirrored])


def fee_of(booked: Iterable[Transfer]) -> int:
    """The fee that a capture booked, in fen."""
    return sum([row.amount.amount_fen for row in booked if row.seq == Kind.FEE])


def funders_of(booked: Iterable[Transfer]) -> tuple[Funder, ...]:
    """Everybody who paid for the discount or the fee that a capture booked, in the order of the postings."""
    rows = sorted([row for row in booked if row.seq in _DISCOUNTS])
    return tuple([Funder(_sponsor_of(row.debit), row.amount, row.kind == _FEE_OFF) for row in rows])


def funding_of(booked: Iterable[Transfer]) -> tuple[Funder, ...]:
    """Who paid for the discount that a capture booked, in the order of the funders."""
    return tuple([funder for funder in funders_of(booked) if not funder.of_fee])


def fee_funding_of(booked: Iterable[Transfer]) -> tuple[Funder, ...]:
    """Who paid for (a part of) the fee that a capture booked, in the order of the funders."""
    return tuple([funder for funder in funders_of(booked) if funder.of_fee])


def refund(
    merchant_id: str, account_id: str, refund_seq: int, *, customer: Money, fee: Money, funding: Sequence[Funder]
) -> tuple[Transfer, ...]:
    """The postings of a refund (1–1,023): the capture's, the other way round, over what goes back.

    Raises ValueError for a number outside these.
    """
    if not 0 < refund_seq <= _REFUNDS_MAX:
        raise ValueError("refunds are numbered from 1 to 1,023")
    first = Kind.REFUND + refund_seq * REFUND_NUMBERS
    channel, merchant = channel_receivable(account_id), merchant_payable(merchant_id)
    rows = [
        Transfer(first, "refund", merchant, channel, customer),
        Transfer(first + 1, "refund_fee", channel, merchant, fee),
    ]
    for seq, kind, debit, credit, amount in _funded(first + 2, merchant_id, funding):
        rows.append(Transfer(seq, f"refund_{kind}", credit, debit, amount))
    return tuple([row for row in rows if row.amount.amount_fen])


def late_capture(account_id: str, attempt_seq: int, amount: Money) -> Transfer:
    """Money that arrived for a payment that was over: owed back from the moment it is found."""
    debit, credit = channel_receivable(account_id), late_captures_payable(account_id)
    return Transfer(_numbered(Kind.LATE_CAPTURE, attempt_seq), "late_capture", debit, credit, amount)


def late_capture_returned(account_id: str, attempt_seq: int, amount: Money) -> Transfer:
    """The channel confirmed that the late money went back."""
    debit, credit = late_captures_payable(account_id), channel_receivable(account_id)
    return Transfer(_numbered(Kind.LATE_CAPTURE_RETURNED, attempt_seq), "late_capture_returned", debit, credit, amount)


_DISCOUNTS: Final = range(Kind.DISCOUNT, Kind.DISCOUNT + FUNDERS_MAX)
_MIRROR: Final[dict[int, int]] = {
    Kind.CAPTURE: Kind.CAPTURE_REVERSED,
    Kind.FEE: Kind.FEE_REVERSED,
    **dict(zip(_DISCOUNTS, range(Kind.DISCOUNT_REVERSED, Kind.DISCOUNT_REVERSED + FUNDERS_MAX), strict=True)),
}


def _funded(first: int, merchant_id: str, funding: Sequence[Funder]) -> tuple[Transfer, ...]:
    if len(funding) > FUNDERS_MAX:
        raise ValueError(f"a discount has at most {FUNDERS_MAX} funders")
    merchant = merchant_payable(merchant_id)
    rows: list[Transfer] = []
    for sponsor, amount, of_fee in funding:
        if amount.amount_fen:
            kind, debit = _FEE_OFF if of_fee else "discount", funder_account(sponsor, merchant_id)
            rows.append(Transfer(first + len(rows), kind, debit, merchant, amount))
    return tuple(rows)


def _sponsor_of(account: str) -> str:
    kind, _, holder = account.partition(":")
    return MERCHANT if kind == "merchant_promotion" else holder


def _numbered(kind: Kind, attempt_seq: int) -> int:
    if not 0 < attempt_seq <= _ATTEMPTS_MAX:
        raise ValueError("attempts are numbered from 1 to 99")
    return kind + attempt_seq


def _rows(*entries: tuple[Kind, str, str, Money]) -> tuple[Transfer, ...]:
    return tuple(
        [
            Transfer(int(kind), _NAMES[kind], debit, credit, amount)
            for kind, debit, credit, amount in entries
            if amount.amount_fen
        ]
    )
