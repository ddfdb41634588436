"""What routing knows of a payment: the facts that filters, policy and prices look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.kernel.values import value
from routing.channels.base import Wallet


class Method(StrEnum):
    """How the customer pays: what an account can or cannot do for a wallet."""

    BARCODE = "barcode"
    """被扫: the till scanned the customer."""
    QRCODE = "qrcode"
    """主扫: a code of the channel on the till's display."""
    PAGE = "page"
    """The cashier page inside the wallet."""


class Cell(NamedTuple):
    """What health is kept of: an account, for one wallet and method."""

    account_id: str
    wallet: Wallet
    method: Method


@value
class Sale:
    """One payment to be routed.  `at` is in the merchant's time zone; `amount_fen` is the goods' value.

    `seed` (the payment's id) makes every draw for this sale repeatable.
    """

    seed: str
    merchant_id: str
    amount_fen: int
    wallet: Wallet
    method: Method
    at: datetime
    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None
    card_bin: str | None = None
    is_static_code: bool = False


@value
class Price:
    """What a sale costs on one account: what the customer pays, and what we or the merchant add to it (subsidy)."""

    payable_fen: int
    subsidy_fen: int = 0


@value
class Prices:
    """The price everywhere, and where it is another one (a campaign may hold on one account only)."""

    everywhere: Price
    on_account: Mapping[str, Price] = field(default_factory=dict)

    @classmethod
    def full(cls, amount_fen: int) -> Prices:
        """No discount anywhere."""
        return cls(Price(amount_fen))

    def on(self, account_id: str) -> Price:
        """The price on that account."""
        return self.on_account.get(account_id, self.everywhere)


NO_ACCOUNTS: Final[frozenset[str]] = frozenset()
