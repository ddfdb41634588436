"""The audit's scratch file: what came over HTTP and from logs, put in order on disk, so that memory stays small.

Order numbers begin with the payment's ULID, so a page of payments and its orders are ranges of the same order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from gateway.audit.rows import LAST, ClientAnswer, Refund, RefundAnswer, Took, Trade, Used
from gateway.database.pool import named_statements

_SQL: Final = named_statements("gateway.audit", "scratch.sql")
_BEHIND: Final = "~"
"""Sorts behind every letter and digit, so behind every order number that begins with a ULID."""


class Scratch:
    """Filled first, then sorted, then read range by range."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")  # nobody needs the file after a crash
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_SQL["schema"])

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def add_trades(self, rows: Iterable[Trade]) -> None:
        """Write a page of a simulator's orders."""
        self._add("add_trade", rows)

    def add_refunds(self, rows: Iterable[Refund]) -> None:
        """Write a page of a simulator's refunds."""
        self._add("add_refund", rows)

    def add_answers(self, rows: Iterable[ClientAnswer]) -> None:
        """Write some answers of a client log."""
        self._add("add_answer", rows)

    def add_refund_answers(self, rows: Iterable[RefundAnswer]) -> None:
        """Write some answers of a client log that told of refunds."""
        self._add("add_refund_answer", rows)

    def add_took(self, rows: Iterable[Took]) -> None:
        """Write what some redemptions count for in their slices."""
        self._add("add_took", rows)

    def add_used(self, rows: Iterable[Used]) -> None:
        """Write what some redemptions count for in their counters."""
        self._add("add_used", rows)

    def add_paid(self, rows: Iterable[tuple[bytes, int]]) -> None:
        """Write what known customers paid: fen, a row for each payment."""
        self._add("add_paid", rows)

    def took(self) -> Iterator[Took]:
        """The sums by slice, in its order."""
        return map(Took._make, self._db.execute(_SQL["took"]))

    def used(self) -> Iterator[Used]:
        """The sums by counter, in its order."""
        return map(Used._make, self._db.execute(_SQL["used"]))

    def paid(self) -> Iterator[tuple[bytes, int, int]]:
        """By customer, in the order of their hashes: fen, and payments."""
        return self._db.execute(_SQL["paid"])

    def forget_sums(self) -> None:
        """Empty what add_took, add_used and add_paid wrote."""
        self._db.executescript(_SQL["forget_sums"])

    def sort(self) -> None:
        """Make it ready to be read."""
        self._db.executescript(_SQL["indexes"])

    def trades(self, after: str, to: str) -> Iterator[Trade]:
        """The orders of the payments in a range of ids."""
        return map(Trade._make, self._db.execute(_SQL["trades"], _order_range(after, to)))

    def refunds(self, after: str, to: str) -> Iterator[Refund]:
        """The refunds of the payments in a range of ids."""
        return map(Refund._make, self._db.execute(_SQL["refunds"], _order_range(after, to)))

    def answers(self, after: str, to: str) -> Iterator[ClientAnswer]:
        """What clients were told of the payments in a range of ids."""
        return map(ClientAnswer._make, self._db.execute(_SQL["answers"], (after, to)))

    def refund_answers(self, after: str, to: str) -> Iterator[RefundAnswer]:
        """What clients were told of the refunds of the payments in a range of ids."""
        return map(RefundAnswer._make, self._db.execute(_SQL["refund_answers"], (after, to)))

    def orders_with_two_payments(self) -> Iterator[tuple[str, str]]:
        """Order keys that were answered with different payments, and these."""
        return iter(self._db.execute(_SQL["orders_with_two_payments"]))

    def orders_with_two_requests(self) -> Iterator[tuple[str, str, int]]:
        """Order keys under which different requests were accepted: a payment, and how many requests."""
        return iter(self._db.execute(_SQL["orders_with_two_requests"]))

    def orders(self) -> int:
        """How many order keys were answered with a payment."""
        return int(self._db.execute(_SQL["orders"]).fetchone()[0])

    def _add(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(_SQL[statement], rows)
        self._db.execute("COMMIT")


def _order_range(after: str, to: str) -> tuple[str, str]:
    """The order numbers of a range of payment ids: `pay_` is not part of them."""
    return (f"{after[4:]}{_BEHIND}" if after else "", LAST if to == LAST else f"{to[4:]}{_BEHIND}")
