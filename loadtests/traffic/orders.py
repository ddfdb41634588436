"""Makes the orders of the load: unique order numbers, single-use payment codes, bodies as a till sends them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import count, cycle, islice
from typing import Final

WALLETS: Final = ("wechat", "alipay", "unionpay")
MIX: Final[Mapping[str, int]] = {"wechat": 60, "alipay": 30, "unionpay": 10}
"""Payments of each wallet among a hundred, as the traffic has them."""
STORES: Final = 50
"""Of a large merchant."""
_CUSTOMERS: Final = 20_000
_CODE_HEADS: Final[Mapping[str, bytes]] = {"wechat": b"13", "alipay": b"28", "unionpay": b"620"}
_BODY: Final = (
    b'{"merchant_order_no":"%b","amount":%d,"currency":"CNY","method":"barcode","auth_code":"%b",'
    b'"description":"latte","store_id":"s-%d","terminal_id":"t-%d",'
    b'"customer":{"id":"c-%d","ip":"203.0.113.%d","device_id":"d-%d"},"metadata":{"table":"12"}}'
)


def new_run_number() -> int:
    """Seven digits that differ between runs of the last hundred days."""
    return int(time.time()) % 10_000_000


def spread(shares: Mapping[str, int]) -> list[str]:
    """The wallets of a hundred payments, each spread evenly over them: the same mix in every stretch of a run."""
    total = sum(shares.values())
    places = [((number + 0.5) * total / share, wallet) for wallet, share in shares.items() for number in range(share)]
    return [wallet for _, wallet in sorted(places)]


class Orders:
    """An endless supply of orders of one run; two runs, or two sources of one run, never give the same number twice."""

    def __init__(self, run_number: int, wallets: list[str], source: int = 0, stores: int = STORES) -> None:
        self._run_number = run_number
        self._prefix = b"B%07d-%d-" % (run_number, source)
        # The counter stands where the simulators read the payer (digits three to ten): every order another payer.
        # The code ends in 00, which no magic code does.
        self._counter = count(source * 1_000_000)
        self._wallets = cycle(wallets)
        self._stores = stores

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Order number and body, both as they are sent."""
        tail = b"%07d00" % self._run_number
        for number, wallet in zip(self._counter, self._wallets, strict=False):
            order_no = b"%b%07d" % (self._prefix, number)
            code = b"%b%07d%b" % (_CODE_HEADS[wallet], number % 10_000_000, tail)
            customer = number * 7919 % _CUSTOMERS
            amount_fen = 100 + number * 37 % 20_000
            yield order_no, _BODY % (
                order_no, amount_fen, code, customer % self._stores, customer % 200, customer, customer % 250, customer,
            )  # fmt: skip

    def first(self, how_many: int) -> list[tuple[bytes, bytes]]:
        """The next orders as a list."""
        return list(islice(self, how_many))
