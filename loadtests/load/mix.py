"""What the customers want, and how often: the proportions of the load, in one place."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from itertools import accumulate
from typing import Final, Generic, TypeVar

from loadtests.traffic.orders import MIX

Choice = TypeVar("Choice")


class Wallet(StrEnum):
    """The wallets of the load."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    UNIONPAY = "unionpay"


class Journey(StrEnum):
    """What a till does for one customer; all but the look-ups begin with a new payment."""

    SALE = "sale"
    QUOTED = "quoted"
    """The price first, then the payment at that price."""
    COUPON = "coupon"
    """Claims a coupon and pays with it."""
    REPEATED = "repeated"
    """The same request again, as after a doubt."""
    TWICE = "twice"
    """The same request twice at the same moment, as of a till with two lines."""
    MISTAKEN = "mistaken"
    """Then another amount under the same number: 409."""
    REFUNDED = "refunded"
    """Then all of it, or a part, given back."""
    LOOK_UP = "look up"
    LIST = "list"
    SEARCH = "search"


class Ending(StrEnum):
    """What the customer makes of the payment: how it is to end."""

    PAID = "paid"
    PIN = "PIN, paid"
    PIN_REFUSED = "PIN, refused"
    PIN_LEFT = "PIN, left"
    """Never typed: the till cancels."""
    NO_BALANCE = "no balance"
    RISK = "risk of the wallet"
    CODE_LEFT = "code, left"
    """The code on display is not scanned: the till cancels."""


WALLETS: Final[Mapping[Wallet, float]] = {Wallet(name): percent for name, percent in MIX.items()}
DISPLAYED_PERCENT: Final = 15.0
JOURNEYS: Final[Mapping[Journey, float]] = {
    Journey.SALE: 76,
    Journey.QUOTED: 4,
    Journey.COUPON: 3,
    Journey.REPEATED: 3,
    Journey.TWICE: 2,
    Journey.MISTAKEN: 1,
    Journey.REFUNDED: 4,
    Journey.LOOK_UP: 4,
    Journey.LIST: 1,
    Journey.SEARCH: 2,
}
BARCODE_ENDINGS: Final[Mapping[Ending, float]] = {
    Ending.PAID: 92.5,
    Ending.PIN: 4,
    Ending.PIN_REFUSED: 0.5,
    Ending.PIN_LEFT: 0.5,
    Ending.NO_BALANCE: 2,
    Ending.RISK: 0.5,
}
CODE_ENDINGS: Final[Mapping[Ending, float]] = {Ending.PAID: 96, Ending.CODE_LEFT: 4}
"""Of WeChat: codes of the others that nobody scanned stay good until they expire, so all of theirs are paid."""
FULL_REFUND_PERCENT: Final = 40.0


class Drawer(Generic[Choice]):
    """Draws by weights."""

    def __init__(self, weights: Mapping[Choice, float]) -> None:
        self._choices = list(weights)
        self._weights = list(accumulate(weights.values()))

    def draw(self, chooser: random.Random) -> Choice:
        """One of them."""
        return chooser.choices(self._choices, cum_weights=self._weights)[0]
