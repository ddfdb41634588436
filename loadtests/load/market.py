"""Who buys where, and for how much: sales drawn from a seed; a few shops and customers are large, many small."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, count
from typing import Any, Final

from loadtests.load.mix import BARCODE_ENDINGS, CODE_ENDINGS, WALLETS, Drawer, Ending, Wallet
from loadtests.load.plan import Plan, Shop

CUSTOMERS_MAX: Final = 100_000
_TYPICAL_FEN, _SPREAD = 3_200, 0.9
_AMOUNTS_FEN: Final = (100, 500_000)
_CODE_HEADS: Final[Mapping[Wallet, str]] = {Wallet.WECHAT: "13", Wallet.ALIPAY: "28", Wallet.UNIONPAY: "620"}
_MAGIC: Final[Mapping[Ending, str]] = {
    Ending.PIN: "9003",
    Ending.PIN_LEFT: "9004",
    Ending.PIN_REFUSED: "9014",
    Ending.NO_BALANCE: "9001",
    Ending.RISK: "9011",
}
"""Of the simulators: the last four digits of a payment code (docs/simulators.md)."""
_NOT_MAGIC: Final = 9_000
_CODE_NUMBERS: Final = 10_000_000
_EXPIRES_IN_S: Final = {"barcode": 60, "qrcode": 120}


class Zipf:
    """Ranks from 0 on; rank k is drawn in proportion to 1 / (k + 1) (G. K. Zipf's law, exponent 1)."""

    def __init__(self, ranks: int) -> None:
        self._weights = list(accumulate(1 / (rank + 1) for rank in range(ranks)))

    def draw(self, chooser: random.Random) -> int:
        """A rank."""
        return bisect(self._weights, chooser.random() * self._weights[-1])


@dataclass(frozen=True, slots=True)
class Sale:
    """One customer at one till; `auth_code` is None where a code is on display."""

    order_no: str
    shop: Shop
    customer: int
    wallet: Wallet
    ending: Ending
    amount_fen: int
    auth_code: str | None

    def body(self, **more: Any) -> dict[str, Any]:
        """The request of POST /v1/payments."""
        return {
            "merchant_order_no": self.order_no,
            **self.priced(),
            "description": "latte",
            "metadata": {"table": "12"},
            **more,
        }

    def priced(self) -> dict[str, Any]:
        """What the price depends on: the request of POST /v1/quotes."""
        method = "qrcode" if self.auth_code is None else "barcode"
        paying = {"wallet": self.wallet} if self.auth_code is None else {"auth_code": self.auth_code}
        return {
            "amount": self.amount_fen,
            "currency": "CNY",
            "method": method,
            **paying,
            "store_id": f"s-{self.customer % 3}",
            "terminal_id": f"t-{self.customer % 11}",
            "customer": {
                "id": f"c-{self.customer}",
                "ip": f"203.0.113.{self.customer % 250}",
                "device_id": f"d-{self.customer}",
            },
            "expires_in": _EXPIRES_IN_S[method],
        }


class Market:
    """An endless supply of sales; two of them, whatever process they are in, never give the same number or code."""

    def __init__(self, plan: Plan, chooser: random.Random) -> None:
        self._plan, self._chooser = plan, chooser
        self._shops, self._customers = Zipf(len(plan.shops)), Zipf(min(plan.customers, CUSTOMERS_MAX))
        self._wallets: Drawer[Wallet] = Drawer(WALLETS)
        self._endings: dict[bool, Drawer[Ending]] = {True: Drawer(CODE_ENDINGS), False: Drawer(BARCODE_ENDINGS)}
        # By the system's randomness: processes that are forked from one seed must not number alike
        fresh = random.SystemRandom()
        self._prefix = f"L{plan.run_number:07d}-{fresh.randrange(36**4):07d}-"
        self._numbers = count()
        self._first_code = fresh.randrange(_CODE_NUMBERS)

    def sale(self) -> Sale:
        """The next one."""
        chooser, number = self._chooser, next(self._numbers)
        wallet, customer = self._wallets.draw(chooser), self._customers.draw(chooser)
        displayed = chooser.random() * 100 < self._plan.displayed_percent
        ending = self._endings[displayed].draw(chooser)
        if ending is Ending.CODE_LEFT and wallet is not Wallet.WECHAT:
            ending = Ending.PAID
        amount_fen = int(_TYPICAL_FEN * chooser.lognormvariate(0, _SPREAD))
        return Sale(
            order_no=f"{self._prefix}{number}",
            shop=self._plan.shops[self._shops.draw(chooser)],
            customer=customer,
            wallet=wallet,
            ending=ending,
            amount_fen=min(max(amount_fen, _AMOUNTS_FEN[0]), _AMOUNTS_FEN[1]),
            auth_code=None if displayed else self._auth_code(wallet, customer, number, ending),
        )

    def _auth_code(self, wallet: Wallet, customer: int, number: int, ending: Ending) -> str:
        """A code that is new: the customer where the simulators read the payer, a number of its own, and the ending."""
        own = (self._first_code + number) % _CODE_NUMBERS
        tail = _MAGIC.get(ending) or f"{number % _NOT_MAGIC:04d}"
        return f"{_CODE_HEADS[wallet]}{customer:05d}{own:07d}{tail}"
