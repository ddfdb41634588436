"""The notifications in the books: written in the same commit as the event they tell of, kept until acknowledged."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

import orjson

from routing.simulators.books import Books, Refund, Status, Trade
from routing.simulators.notifications import NOTIFICATION_COLUMNS, Herald, News, Notification, Plan
from routing.simulators.rows import values_of

_COLUMNS: Final = ", ".join(NOTIFICATION_COLUMNS)
_NOTIFICATION: Final = f"SELECT {_COLUMNS} FROM notifications"
_ADD: Final = (
    f"INSERT INTO notifications ({_COLUMNS}) VALUES ({', '.join('?' * len(NOTIFICATION_COLUMNS))}) "
    "ON CONFLICT (trade_seq, refund_seq, event) DO NOTHING"
)
_SAVE: Final = "UPDATE notifications SET next_ms = ?, plan = ?, tries = ?, status = ?, last_answer = ? WHERE seq = ?"
_EARLIER: Final = (
    "UPDATE notifications SET content = ?, next_ms = ? "
    "WHERE trade_seq = ? AND refund_seq = ? AND event = ? AND tries = 0 AND next_ms IS NOT NULL"
)
_KNOWN: Final = "SELECT 1 FROM notifications WHERE trade_seq = ? AND refund_seq = ? AND event = ?"
_DUE_AT_ONCE_MAX: Final = 1_000


class Outbox:
    """Fills itself as the books change (`Books.teller`); the postman empties it."""

    def __init__(self, books: Books, herald: Herald, stirred: Callable[[], None] = lambda: None) -> None:
        self._books = books
        self._herald = herald
        self.stirred = stirred
        [(highest,)] = books.rows("SELECT coalesce(max(seq), 0) FROM notifications")
        self._seq = int(highest)
        books.teller = self

    def trade_changed(self, trade: Trade) -> None:
        """A capture is told; the books' later changes of a captured order are not."""
        if trade.status == Status.CAPTURED and not trade.refund_count and trade.captured_ms is not None:
            news = self._herald.of_trade(trade)
            if news is not None:
                self._add(trade, None, news, trade.captured_ms)
        self.stirred()

    def refund_changed(self, trade: Trade, refund: Refund) -> None:
        """A refund is told when it settles, which may have become earlier since."""
        news = self._herald.of_refund(trade, refund)
        if news is None:
            return
        content, first_ms = orjson.dumps(news.content).decode(), self._first_ms(refund.settles_ms)
        event = (trade.seq, refund.seq, news.event)
        if self._books.rows(_KNOWN, event):
            self._books.write(_EARLIER, (content, first_ms, *event))
        else:
            self._add(trade, refund, news, refund.settles_ms)
        self.stirred()

    def _first_ms(self, happened_ms: int) -> int:
        return happened_ms + round(self._herald.schedule.first_s * 1_000)

    def _add(self, trade: Trade, refund: Refund | None, news: News, happened_ms: int) -> None:
        self._seq += 1
        notification = Notification(
            seq=self._seq,
            id=uuid.uuid4().hex,
            merchant=trade.merchant,
            order_no=trade.order_no,
            refund_no=None if refund is None else refund.refund_no,
            trade_seq=trade.seq,
            refund_seq=0 if refund is None else refund.seq,
            event=news.event,
            url=trade.notify_url if refund is None else refund.notify_url,
            content=orjson.dumps(news.content).decode(),
            created_ms=happened_ms,
            next_ms=self._first_ms(happened_ms),
        )
        self._books.write(_ADD, values_of(notification))

    def save(self, notification: Notification) -> None:
        """Write where a notification stands."""
        self._books.write(
            _SAVE,
            (
                notification.next_ms,
                notification.plan,
                notification.tries,
                notification.status,
                notification.last_answer,
                notification.seq,
            ),
        )

    def find(self, notification_id: str) -> Notification | None:
        """The notification with that id."""
        return next(iter(self._where(" WHERE id = ?", notification_id)), None)

    def due(self, now_ms: int) -> list[Notification]:
        """What is to be sent at that moment, the oldest first."""
        return self._where(" WHERE next_ms <= ? ORDER BY next_ms LIMIT ?", now_ms, _DUE_AT_ONCE_MAX)

    def waiting(self, order_no: str) -> list[Notification]:
        """What an order's merchant has still to be told of it."""
        return self._where(" WHERE order_no = ? AND next_ms IS NOT NULL ORDER BY seq", order_no)

    def listed(self, after: int, limit: int, order_no: str | None) -> list[Notification]:
        """Notifications by `seq`, after a given one."""
        if order_no is None:
            return self._where(" WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
        return self._where(" WHERE seq > ? AND order_no = ? ORDER BY seq LIMIT ?", after, order_no, limit)

    def waiting_count(self) -> int:
        """How many are not through."""
        [(count,)] = self._books.rows("SELECT count(*) FROM notifications WHERE next_ms IS NOT NULL")
        return int(count)

    def due_count(self, now_ms: int) -> int:
        """How many of these are due, or under way, at that moment; the others wait for their next try."""
        [(count,)] = self._books.rows("SELECT count(*) FROM notifications WHERE next_ms <= ?", (now_ms,))
        return int(count)

    def settle(self, now_ms: int) -> None:
        """Let captures that are due happen where somebody waits to be told of them."""
        self._books.let_due_happen(" WHERE due_ms <= ? AND notify_url <> ''", now_ms)

    def next_ms(self, now_ms: int) -> int | None:
        """The next moment after that one at which something is to be sent, or happens of which somebody is told."""
        [(sending,)] = self._books.rows("SELECT min(next_ms) FROM notifications WHERE next_ms > ?", (now_ms,))
        [(happening,)] = self._books.rows(
            "SELECT min(due_ms) FROM trades WHERE due_ms IS NOT NULL AND notify_url <> '' AND due_ms > ?", (now_ms,)
        )
        return min((moment for moment in (sending, happening) if moment is not None), default=None)

    def hurry(self, order_no: str) -> None:
        """Let the order's capture and its refunds happen now, and be told now."""
        now_ms, books = self._books.now_ms(), self._books
        due = " WHERE order_no = ? AND notify_url <> '' AND visible_ms IS NULL AND due_status = 'captured'"
        for trade in books.trades_where(due, order_no):
            trade.due_ms = now_ms
            books.save(trade)
        books.let_due_happen(due + " AND due_ms <= ?", order_no, now_ms)
        for refund in books.refunds_where(" WHERE order_no = ? AND settles_ms > ?", order_no, now_ms):
            refund.settles_ms = now_ms
            books.save_refund(books.by_seq(refund.trade_seq), refund)

    def release(self, order_no: str, seq: int) -> None:
        """Another notification of the order has gone: what was held back for it may go."""
        self._books.write(
            "UPDATE notifications SET next_ms = ?, plan = ? WHERE order_no = ? AND seq <> ? AND plan = ?",
            (self._books.now_ms(), Plan.ASKED, order_no, seq, Plan.HELD),
        )

    def _where(self, where: str, *values: object) -> list[Notification]:
        return [Notification(*row) for row in self._books.rows(_NOTIFICATION + where, values)]
