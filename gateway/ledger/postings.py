"""Which transfers a payment's outcome makes; pure.  Each is one row with a debit and a credit, so the books balance.

A capture: Dr channel receivable, Cr merchant payable, over what the customer pays; the fee goes back from the merchant
to the channel.  A reversal mirrors both.  (ARCHITECTURE.md "The books")
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from gateway.kernel.money import Money, share_half_up


class Kind(IntEnum):
    """What a transfer is for; the value is its number within the payment, which makes booking it twice impossible."""

    CAPTURE = 1
    FEE = 2
    CAPTURE_REVERSED = 3
    FEE_REVERSED = 4
    LATE_CAPTURE = 100
    LATE_CAPTURE_RETURNED = 200


_NAMES: Final = {kind: kind.name.lower() for kind in Kind}
_ATTEMPTS_MAX: Final = 99


class Transfer(NamedTuple):
    """`amount` (> 0) is owed to the debit account's holder and by the credit account's."""

    seq: int
    kind: str
    debit: str
    credit: str
    amount: Money


def channel_receivable(account_id: str) -> str:
    """What the channel owes for captures."""
    return f"channel_receivable:{account_id}"


def merchant_payable(merchant_id: str) -> str:
    """What the merchant is owed."""
    return f"merchant_payable:{merchant_id}"


def late_captures_payable(account_id: str) -> str:
    """What is owed back to customers whose money arrived too late."""
    return f"late_captures_payable:{account_id}"


def capture(merchant_id: str, account_id: str, payable: Money, fee_rate_millionths: int) -> tuple[Transfer, ...]:
    """The postings of a capture; a payable or a fee of zero makes no row."""
    channel, merchant = channel_receivable(account_id), merchant_payable(merchant_id)
    fee = Money(share_half_up(payable.amount_fen, fee_rate_millionths), payable.currency)
    return _rows((Kind.CAPTURE, channel, merchant, payable), (Kind.FEE, merchant, channel, fee))


def capture_reversed(booked: Iterable[Transfer]) -> tuple[Transfer, ...]:
    """The mirror of what a capture booked (the account's fee rate may have changed since); other rows have none."""
    mirror = {Kind.CAPTURE: Kind.CAPTURE_REVERSED, Kind.FEE: Kind.FEE_REVERSED}
    return _rows(*[(mirror[Kind(row.seq)], row.credit, row.debit, row.amount) for row in booked if row.seq in mirror])


def late_capture(account_id: str, attempt_seq: int, amount: Money) -> Transfer:
    """Money that arrived for a payment that was over: owed back from the moment it is found."""
    debit, credit = channel_receivable(account_id), late_captures_payable(account_id)
    return Transfer(_numbered(Kind.LATE_CAPTURE, attempt_seq), "late_capture", debit, credit, amount)


def late_capture_returned(account_id: str, attempt_seq: int, amount: Money) -> Transfer:
    """The channel confirmed that the late money went back."""
    debit, credit = late_captures_payable(account_id), channel_receivable(account_id)
    return Transfer(_numbered(Kind.LATE_CAPTURE_RETURNED, attempt_seq), "late_capture_returned", debit, credit, amount)


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
