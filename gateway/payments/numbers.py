"""The numbers under which channels know our orders and refunds: ours, never reused, and telling their payment.

order       the payment's ULID, `A`, one digit for the attempt                     28 letters and digits
give-back   the order's number and `R`: the whole of an attempt goes back          29
refund      the order's number, `F`, two digits for the refund of the payment      31

All lie within the rules of every channel (8–32 letters and digits).  Digits are Crockford's base 32.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ORDER: Final = re.compile(rf"([0-7][{_DIGITS}]{{25}})A([{_DIGITS[1:]}])")
_REFUND: Final = re.compile(rf"{_ORDER.pattern}(?:R|F([{_DIGITS}]{{2}}))")
ATTEMPTS_MAX: Final = 31
REFUNDS_MAX: Final = 1_023


class AttemptNumber(NamedTuple):
    """The attempt behind an order number."""

    payment_id: str
    attempt_seq: int


class RefundNumber(NamedTuple):
    """The refund behind a refund number; `refund_seq` is None where the whole attempt is given back."""

    payment_id: str
    attempt_seq: int
    refund_seq: int | None


def attempt_order_no(payment_id: str, attempt_seq: int) -> str:
    """The number under which a channel knows an attempt (1–31).  Raises ValueError for any other."""
    if not 0 < attempt_seq <= ATTEMPTS_MAX:
        raise ValueError("a payment has at most 31 attempts")
    return f"{payment_id[4:]}A{_DIGITS[attempt_seq]}"


def give_back_no(payment_id: str, attempt_seq: int) -> str:
    """The refund number under which the whole of an attempt is given back (void of a paid order, late capture)."""
    return f"{attempt_order_no(payment_id, attempt_seq)}R"


def refund_order_no(payment_id: str, attempt_seq: int, refund_seq: int) -> str:
    """The number under which a channel knows a refund (1–1,023).  Raises ValueError for any other."""
    if not 0 < refund_seq <= REFUNDS_MAX:
        raise ValueError("a payment has at most 1,023 refunds")
    return f"{attempt_order_no(payment_id, attempt_seq)}F{_DIGITS[refund_seq >> 5]}{_DIGITS[refund_seq & 31]}"


def attempt_of(order_no: str) -> AttemptNumber | None:
    """The attempt that has this number; None for a number that is not of our making."""
    found = _ORDER.fullmatch(order_no)
    return None if found is None else AttemptNumber(f"pay_{found[1]}", _DIGITS.index(found[2]))


def refund_of(refund_no: str) -> RefundNumber | None:
    """The refund that has this number; None for a number that is not of our making."""
    found = _REFUND.fullmatch(refund_no)
    if found is None:
        return None
    refund_seq = None if found[3] is None else _DIGITS.index(found[3][0]) << 5 | _DIGITS.index(found[3][1])
    return RefundNumber(f"pay_{found[1]}", _DIGITS.index(found[2]), refund_seq)
