"""A simulator's durable books: one SQLite file (WAL), written at once, committed in batches before any answer goes out.

The file survives SIGKILL of the simulator at any moment.  What happens with time (a PIN that is typed, an order that
arrives late) is written beside the trade and applied when the trade is next read, so a restart loses nothing of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from routing.simulators.acts import RefundOutcome
from routing.simulators.rows import add_missing_columns, values_of

_SCHEMA: Final = Path(__file__).with_name("schema.sql")
COMMIT_LINGER_S: Final = 0.003


class Status(StrEnum):
    """Where a trade stands in the books."""

    OPEN = "open"
    """A code on display or an order in a wallet's page that nobody has paid."""
    PENDING = "pending"
    """A bar code payment without an outcome: the customer types a PIN, or the issuer decides."""
    CAPTURED = "captured"
    """Paid; part of it may have been refunded."""
    REFUSED = "refused"
    CLOSED = "closed"
    REVERSED = "reversed"
    """Reversed or voided (撤销, 冲正); where it was paid, `captured_ms` says so and everything was given back."""
    REFUNDED = "refunded"
    """Paid, and given back in full by refunds."""


class Method(StrEnum):
    """How the customer pays an order."""

    BARCODE = "barcode"
    CODE = "code"
    PAGE = "page"


class GivenBack(StrEnum):
    """What made money go back."""

    REFUND = "refund"
    REVERSAL = "reversal"
    VOID = "void"


@dataclass(slots=True)
class Trade:
    """One order in the books.  Times in milliseconds since 1970; `seq` is the number behind the channel's trade number.

    Until `visible_ms` the order has not arrived; at `due_ms` it becomes `due_status`.  `handle` is what the customer's
    wallet brings to find an open order: the content of a code, or the number behind a page.  It is good until
    `handle_until_ms`, the order can be paid until `pay_until_ms`; `scanned_ms` is when a customer first opened it.
    `wallet` is whose customer pays, where a channel stands before several.
    """

    seq: int
    merchant: str
    order_no: str
    txn_time: str
    fingerprint: int
    amount_fen: int
    status: str
    created_ms: int
    code_key: int
    code_tail: str
    payer: str
    details: str
    reason: str | None = None
    captured_ms: int | None = None
    ended_ms: int | None = None
    visible_ms: int | None = None
    due_ms: int | None = None
    due_status: str | None = None
    due_reason: str | None = None
    refunded_fen: int = 0
    refund_count: int = 0
    last_refund_ms: int | None = None
    early_reversal: int = 0
    method: str = Method.BARCODE
    notify_url: str = ""
    handle: str | None = None
    handle_until_ms: int | None = None
    pay_until_ms: int | None = None
    scanned_ms: int | None = None
    wallet: str = ""

    @property
    def left_fen(self) -> int:
        """What can still be given back."""
        return self.amount_fen - self.refunded_fen

    def become(self, status: Status, at_ms: int, reason: str | None = None) -> None:
        """Enter a state; nothing is due any more."""
        self.status, self.reason = status, reason or self.reason
        self.due_ms = self.due_status = self.due_reason = None
        if status is Status.CAPTURED:
            self.captured_ms = at_ms
        else:
            self.ended_ms = at_ms


@dataclass(slots=True)
class Refund:
    """Money given back of a trade; it counts from the moment it is accepted and ends as `outcome` at `settles_ms`.

    `scope` is within what the refund number is unique: nothing at WeChat, the order at Alipay, txnTime at UnionPay.
    """

    seq: int
    merchant: str
    refund_no: str
    scope: str
    trade_seq: int
    order_no: str
    amount_fen: int
    kind: str
    created_ms: int
    settles_ms: int
    outcome: str = RefundOutcome.SUCCEEDED
    notify_url: str = ""
    details: str = "{}"


class Teller(Protocol):
    """Who is shown every change of what a merchant wants to be told of."""

    def trade_changed(self, trade: Trade) -> None:
        """A trade with an address for notifications was written."""

    def refund_changed(self, trade: Trade, refund: Refund) -> None:
        """A refund with an address for notifications was written."""


_TRADE_COLUMNS: Final = tuple(column.name for column in fields(Trade))
_REFUND_COLUMNS: Final = tuple(column.name for column in fields(Refund))


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_ADD_TRADE: Final = _insert("trades", _TRADE_COLUMNS)
_ADD_REFUND: Final = _insert("refunds", _REFUND_COLUMNS)
_CHANGES: Final = (
    "amount_fen", "status", "payer", "reason", "captured_ms", "ended_ms", "visible_ms", "due_ms", "due_status",
    "due_reason", "refunded_fen", "refund_count", "last_refund_ms", "early_reversal", "handle", "handle_until_ms",
    "pay_until_ms", "scanned_ms", "wallet",
)  # fmt: skip
"""What of a trade may change after it was added."""
_SAVE_TRADE: Final = f"UPDATE trades SET {', '.join([f'{name} = ?' for name in _CHANGES])} WHERE seq = ?"
_SAVE_REFUND: Final = "UPDATE refunds SET settles_ms = ?, outcome = ?, details = ? WHERE seq = ?"
_TRADE: Final = f"SELECT {', '.join(_TRADE_COLUMNS)} FROM trades"
_REFUND: Final = f"SELECT {', '.join(_REFUND_COLUMNS)} FROM refunds"


def digest_of(*parts: object) -> int:
    """63 bits that identify a request's parameters, or a payment code without keeping it."""
    text = "\0".join([str(part) for part in parts])
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Books:
    """The books of one simulator, for one process and one event loop."""

    def __init__(self, path: Path, now_ms: Callable[[], int] = wall_clock_ms) -> None:
        self.now_ms = now_ms
        self._db = sqlite3.connect(path, isolation_level=None, cached_statements=64)
        self._db.execute("PRAGMA journal_mode = WAL")
        # NORMAL survives the death of the process, which is the fault to be witnessed; an fsync for each batch
        # would compete with the database of the stack under test.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint = 4000")
        schema = _SCHEMA.read_text("utf-8")
        add_missing_columns(self._db, schema)
        self._db.executescript(schema)
        self.teller: Teller | None = None
        self._trade_seq = self._highest("trades")
        self._refund_seq = self._highest("refunds")
        self._batch: asyncio.Future[None] | None = None

    def _highest(self, table: str) -> int:
        return int(self._db.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0])

    def close(self) -> None:
        """Commit what is open and close the file."""
        self._commit()
        self._db.close()

    async def durable(self) -> None:
        """Return once everything written so far is committed."""
        if self._batch is not None:
            await asyncio.shield(self._batch)

    def write(self, statement: str, values: tuple[Any, ...]) -> None:
        """Change something; `durable` says when it is committed.  Needs a running loop."""
        if self._batch is None:
            loop = asyncio.get_running_loop()
            self._db.execute("BEGIN IMMEDIATE")
            self._batch = loop.create_future()
            loop.call_later(COMMIT_LINGER_S, self._commit)
        self._db.execute(statement, values)

    def _commit(self) -> None:
        batch, self._batch = self._batch, None
        if batch is None:
            return
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._db.execute("ROLLBACK")
            batch.set_exception(error)
        else:
            batch.set_result(None)

    def next_trade_seq(self) -> int:
        """The number of the next trade."""
        self._trade_seq += 1
        return self._trade_seq

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query finds, with what is written and not yet committed."""
        return self._db.execute(query, values).fetchall()

    def add(self, trade: Trade) -> None:
        """Write a new trade."""
        self.write(_ADD_TRADE, values_of(trade))
        if trade.notify_url and self.teller is not None:
            self.teller.trade_changed(trade)

    def save(self, trade: Trade) -> None:
        """Write a trade's changed state."""
        self.write(_SAVE_TRADE, (*[getattr(trade, name) for name in _CHANGES], trade.seq))
        if trade.notify_url and self.teller is not None:
            self.teller.trade_changed(trade)

    def find(self, merchant: str, order_no: str, txn_time: str = "") -> Trade | None:
        """The order with that number as it stands now; None while it has not arrived."""
        trade = self.find_underway(merchant, order_no, txn_time)
        return None if trade is None or trade.visible_ms is not None else trade

    def find_underway(self, merchant: str, order_no: str, txn_time: str = "") -> Trade | None:
        """Like `find`, with orders that are still on their way."""
        where = " WHERE merchant = ? AND order_no = ? AND txn_time = ?"
        return self._one(self._db.execute(_TRADE + where, (merchant, order_no, txn_time)).fetchone())

    def find_by_seq(self, merchant: str, seq: int) -> Trade | None:
        """The order behind a trade number of the channel's own."""
        trade = self._one(self._db.execute(_TRADE + " WHERE merchant = ? AND seq = ?", (merchant, seq)).fetchone())
        return None if trade is None or trade.visible_ms is not None else trade

    def find_by_handle(self, handle: str) -> Trade | None:
        """The order that a customer finds with a code or in a page."""
        return self._one(self._db.execute(_TRADE + " WHERE handle = ?", (handle,)).fetchone())

    def _one(self, row: tuple[Any, ...] | None) -> Trade | None:
        if row is None:
            return None
        trade = Trade(*row)
        if trade.due_ms is not None and trade.due_ms <= self.now_ms():
            self._let_happen(trade)
        return trade

    def _let_happen(self, trade: Trade) -> None:
        """Apply what was due: the order arrives, the customer answers, the time to pay runs out."""
        assert trade.due_ms is not None
        assert trade.due_status is not None
        trade.visible_ms = None
        trade.become(Status(trade.due_status), trade.due_ms, trade.due_reason)
        self.save(trade)

    def code_used(self, code_key: int) -> bool:
        """Whether a payment code came with an earlier order."""
        return self._db.execute("SELECT 1 FROM trades WHERE code_key = ? LIMIT 1", (code_key,)).fetchone() is not None

    def add_refund(
        self,
        trade: Trade,
        refund_no: str,
        amount_fen: int,
        *,
        kind: GivenBack,
        scope: str,
        settles_ms: int,
        outcome: RefundOutcome = RefundOutcome.SUCCEEDED,
        notify_url: str = "",
        details: str = "{}",
    ) -> Refund:
        """Write a refund and count it on its trade, which becomes refunded (or reversed) when nothing is left.

        One that will be closed moves nothing, so it is not counted.
        """
        now_ms = self.now_ms()
        self._refund_seq += 1
        refund = Refund(
            self._refund_seq,
            trade.merchant,
            refund_no,
            scope,
            trade.seq,
            trade.order_no,
            amount_fen,
            kind,
            now_ms,
            settles_ms,
            outcome,
            notify_url,
            details,
        )
        trade.last_refund_ms = now_ms
        if outcome is not RefundOutcome.CLOSED:
            trade.refunded_fen += amount_fen
            trade.refund_count += 1
            if kind is not GivenBack.REFUND:
                trade.become(Status.REVERSED, now_ms, kind)
            elif not trade.left_fen:
                trade.become(Status.REFUNDED, now_ms)
        self.write(_ADD_REFUND, values_of(refund))
        self.save(trade)
        if notify_url and self.teller is not None:
            self.teller.refund_changed(trade, refund)
        return refund

    def save_refund(self, trade: Trade, refund: Refund) -> None:
        """Write when and how a refund ends."""
        self.write(_SAVE_REFUND, (refund.settles_ms, refund.outcome, refund.details, refund.seq))
        if refund.notify_url and self.teller is not None:
            self.teller.refund_changed(trade, refund)

    def find_refund(self, merchant: str, refund_no: str, scope: str = "") -> Refund | None:
        """The refund with that number."""
        where = " WHERE merchant = ? AND refund_no = ? AND scope = ?"
        return next(iter(self.refunds_where(where, merchant, refund_no, scope)), None)

    def trades(self, after: int, limit: int, order_no: str | None = None) -> Iterator[Trade]:
        """The trades that have arrived, by `seq`, after a given one."""
        self._settle_all()
        only = " AND order_no = ?" if order_no is not None else ""
        values = (after, order_no, limit) if order_no is not None else (after, limit)
        where = f" WHERE seq > ? AND visible_ms IS NULL{only} ORDER BY seq LIMIT ?"
        return iter(self.trades_where(where, *values))

    def refunds(self, after: int, limit: int, order_no: str | None = None) -> Iterator[Refund]:
        """What was given back, by `seq`, after a given one."""
        only = " AND order_no = ?" if order_no is not None else ""
        values = (after, order_no, limit) if order_no is not None else (after, limit)
        where = f" WHERE seq > ?{only} ORDER BY seq LIMIT ?"
        return iter(self.refunds_where(where, *values))

    def _settle_all(self) -> None:
        self.let_due_happen(" WHERE due_ms <= ?", self.now_ms())

    def let_due_happen(self, where: str, *values: Any) -> None:
        """Apply what is due of the trades that a condition (SQL) picks."""
        for row in self.rows(_TRADE + where, values):
            self._let_happen(Trade(*row))

    def by_seq(self, seq: int) -> Trade:
        """The trade in that row."""
        [row] = self.rows(_TRADE + " WHERE seq = ?", (seq,))
        return Trade(*row)

    def refunds_where(self, where: str, *values: Any) -> list[Refund]:
        """The refunds that a condition (SQL) picks."""
        return [Refund(*row) for row in self.rows(_REFUND + where, values)]

    def trades_where(self, where: str, *values: Any) -> list[Trade]:
        """The trades that a condition (SQL) picks, as they were written last."""
        return [Trade(*row) for row in self.rows(_TRADE + where, values)]

    def counts(self) -> dict[str, int]:
        """How many trades stand in each state."""
        self._settle_all()
        rows = self._db.execute("SELECT status, count(*) FROM trades WHERE visible_ms IS NULL GROUP BY status")
        return dict(rows.fetchall())


def due_ms_after(now_ms: int, seconds: float) -> int | None:
    """The moment that many seconds from now; None for never."""
    return None if math.isinf(seconds) else now_ms + round(seconds * 1_000)
