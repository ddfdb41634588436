"""The simulators' control API under /_simulator/: the books for the auditor, the faults for the tester."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import orjson

from gateway.kernel.clock import rfc3339
from routing.simulators.books import Books, Refund, Trade
from routing.simulators.channel import HttpAnswer, HttpRequest
from routing.simulators.faults import FaultError, FaultPlan, read_plan
from routing.simulators.numbers import trade_no

PAGE_MAX: Final = 1_000_000
_JSON: Final = [(b"content-type", b"application/json")]


class HoldsFaults(Protocol):
    """Where the faults in force stand."""

    faults: FaultPlan


class Control:
    """Answers /_simulator/… of one simulator."""

    def __init__(self, name: str, books: Books, holder: HoldsFaults) -> None:
        self._name = name
        self._books = books
        self._holder = holder

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        """Serve one request; what the books say is committed before it is told."""
        match request.method, request.path.removeprefix("/_simulator/"):
            case "GET", "health":
                found = _json(200, {"status": "ok", "channel": self._name, "trades": self._books.counts()})
            case "GET", "trades":
                found = self._list(request, "trades")
            case "GET", "refunds":
                found = self._list(request, "refunds")
            case "GET", "faults":
                found = _json(200, self._holder.faults.as_json())
            case "PUT", "faults":
                found = self._set_faults(request.body)
            case "DELETE", "faults":
                self._holder.faults = FaultPlan()
                found = _json(200, self._holder.faults.as_json())
            case _:
                found = _json(404, {"error": "there is no such control"})
        await self._books.durable()
        return found

    def _set_faults(self, body: bytes) -> HttpAnswer:
        try:
            plan = read_plan(orjson.loads(body))
        except (orjson.JSONDecodeError, FaultError) as error:
            return _json(400, {"error": str(error)})
        self._holder.faults = plan
        return _json(200, plan.as_json())

    def _list(self, request: HttpRequest, what: str) -> HttpAnswer:
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        try:
            after, limit = int(query.get("after", "0")), int(query.get("limit", str(PAGE_MAX)))
        except ValueError:
            return _json(400, {"error": "after and limit are whole numbers"})
        if not 1 <= limit <= PAGE_MAX or after < 0:
            return _json(400, {"error": f"limit is 1 to {PAGE_MAX}, after at least 0"})
        order_no = query.get("order_no")
        rows: list[dict[str, Any]]
        if what == "trades":
            rows = [_trade_json(self._name, trade) for trade in self._books.trades(after, limit + 1, order_no)]
        else:
            rows = [
                _refund_json(refund, self._books.now_ms()) for refund in self._books.refunds(after, limit + 1, order_no)
            ]
        has_more = len(rows) > limit
        page = rows[:limit]
        return _json(200, {what: page, "has_more": has_more, "next": page[-1]["seq"] if has_more else None})


def _json(status: int, document: object) -> HttpAnswer:
    return HttpAnswer(status, _JSON, orjson.dumps(document))


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(datetime.fromtimestamp(at_ms / 1_000, UTC))


def _trade_json(channel: str, trade: Trade) -> dict[str, Any]:
    return {
        "seq": trade.seq,
        "channel": channel,
        "merchant": trade.merchant,
        "order_no": trade.order_no,
        "txn_time": trade.txn_time or None,
        "amount": trade.amount_fen,
        "refunded": trade.refunded_fen,
        "status": trade.status,
        "reason": trade.reason,
        "trade_no": trade_no(channel, trade),
        "created_at": _time(trade.created_ms),
        "captured_at": _time(trade.captured_ms),
        "ended_at": _time(trade.ended_ms),
        "auth_code_tail": trade.code_tail,
        "early_reversal": bool(trade.early_reversal),
    }


def _refund_json(refund: Refund, now_ms: int) -> dict[str, Any]:
    return {
        "seq": refund.seq,
        "merchant": refund.merchant,
        "refund_no": refund.refund_no,
        "order_no": refund.order_no,
        "amount": refund.amount_fen,
        "kind": refund.kind,
        "status": "succeeded" if refund.settles_ms <= now_ms else "pending",
        "created_at": _time(refund.created_ms),
    }
