"""Money: integer minor units (fen) with a currency; never a float, a bool or a string."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from gateway.kernel.values import value

AMOUNT_FEN_MAX: Final = 10_000_000_000
"""¥100,000,000, the highest total that any of the channels takes (Alipay `total_amount`)."""


class Currency(StrEnum):
    """ISO 4217 codes that the channels settle in."""

    CNY = "CNY"


@value
class Money:
    """An amount of minor units in one currency.

    Raises TypeError where the amount is not an int (a bool is not one here) and ValueError for arithmetic
    across currencies.
    """

    amount_fen: int
    currency: Currency = Currency.CNY

    def __post_init__(self) -> None:
        if type(self.amount_fen) is not int:
            raise TypeError(f"money is a whole number of fen, not {type(self.amount_fen).__name__}")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_fen + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_fen - self._same(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount_fen < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount_fen <= self._same(other)

    def _same(self, other: Money) -> int:
        if other.currency is not self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.amount_fen

    @property
    def yuan(self) -> str:
        """The amount as a decimal string with two places, as Alipay and the bills write it: 2599 → "25.99"."""
        sign = "-" if self.amount_fen < 0 else ""
        whole, rest = divmod(abs(self.amount_fen), 100)
        return f"{sign}{whole}.{rest:02d}"


def fen_of_yuan(text: str) -> int:
    """Read a decimal yuan string ("25.99", "25.9", "25") as fen, exactly.

    Raises ValueError where it is not a plain decimal of at most two places.
    """
    whole, _, rest = text.partition(".")
    digits = whole.removeprefix("-")
    if (
        not digits.isascii()
        or not digits.isdigit()
        or len(rest) > 2
        or (rest and not (rest.isascii() and rest.isdigit()))
    ):
        raise ValueError("not an amount in yuan")
    fen = int(digits) * 100 + int(rest.ljust(2, "0") or "0")
    return -fen if whole.startswith("-") else fen


def share_half_up(amount_fen: int, rate_millionths: int) -> int:
    """A rate of an amount, rounded half up to the fen: the market's rule for fees (DOMAIN: money facts).

    `rate_millionths` 3_800 is 0.38 %. The amount must not be negative.
    """
    if amount_fen < 0 or rate_millionths < 0:
        raise ValueError("fees are computed on amounts and rates of at least zero")
    return (amount_fen * rate_millionths + 500_000) // 1_000_000
