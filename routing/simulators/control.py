"""The simulators' control API under /_simulator/: the books for the auditor, the faults for the tester."""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

import orjson

from routing.simulators.books import Books
from routing.simulators.channel import Channel, HttpAnswer, HttpRequest, Visit
from routing.simulators.control_json import (
    OrderError,
    notification_json,
    read_resend,
    read_scan,
    refund_json,
    trade_json,
)
from routing.simulators.faults import FaultError, FaultPlan, read_plan
from routing.simulators.pages import payer_of_visit, query_of
from routing.simulators.postman import Postman
from routing.simulators.wallet import Wallet, WalletRefused

PAGE_MAX: Final = 1_000_000
_RESEND: Final = re.compile(r"notifications/([0-9a-f]{32})/resend")
_JSON: Final = [(b"content-type", b"application/json")]


class HoldsFaults(Protocol):
    """Where the faults in force stand."""

    faults: FaultPlan

    def refuse_connections(self, for_s: float) -> None:
        """Listen to nobody for so long, from the moment that the answer to this is out."""


class Control:
    """Answers /_simulator/… of one simulator."""

    def __init__(self, channel: Channel, books: Books, holder: HoldsFaults, postman: Postman, wallet: Wallet) -> None:
        self._channel = channel
        self._books = books
        self._holder = holder
        self._postman = postman
        self._wallet = wallet

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        """Serve one request; what the books say is committed before it is told."""
        place = request.path.removeprefix("/_simulator/")
        match request.method, place:
            case "GET", "health":
                found = _json(200, self._health())
            case "GET", "trades" | "refunds" | "notifications":
                found = self._list(request, place)
            case "GET", "faults":
                found = _json(200, self._holder.faults.as_json())
            case "PUT", "faults":
                found = self._set_faults(request.body)
            case "DELETE", "faults":
                self._holder.faults = FaultPlan()
                found = _json(200, self._holder.faults.as_json())
            case "GET", "payer":
                payer, headers = payer_of_visit(request, query_of(request))
                found = HttpAnswer(200, [*_JSON, *headers], orjson.dumps({"payer": payer}))
            case "POST", "scan":
                found = await self._scan(request.body)
            case "POST", _ if resent := _RESEND.fullmatch(place):
                found = await self._resend(resent[1], request.body)
            case _:
                visit = self._channel.visit(request)
                found = (
                    _json(404, {"error": "there is no such control"}) if visit is None else await self.receive(visit)
                )
        await self._books.durable()
        return found

    async def receive(self, visit: Visit) -> HttpAnswer:
        """Serve a customer's browser."""
        answer = visit.answer(self._wallet)
        await self._books.durable()
        if visit.order_no and self._holder.faults.tells_before_answers:
            await self._postman.tell_before_answer(visit.order_no, "payment")
        return answer

    def _health(self) -> dict[str, Any]:
        outbox = self._postman.outbox
        return {
            "status": "ok",
            "channel": self._channel.name,
            "trades": self._books.counts(),
            "notifications": {"waiting": outbox.waiting_count(), "due": outbox.due_count(self._books.now_ms())},
        }

    def _set_faults(self, body: bytes) -> HttpAnswer:
        try:
            plan = read_plan(orjson.loads(body))
        except (orjson.JSONDecodeError, FaultError) as error:
            return _json(400, {"error": str(error)})
        self._holder.faults = plan
        if plan.refuses_for_s:
            self._holder.refuse_connections(plan.refuses_for_s)
        return _json(200, plan.as_json())

    async def _scan(self, body: bytes) -> HttpAnswer:
        try:
            display = self._channel.display
            wanted = read_scan(body, display.wallets)
            handle, app = display.handle_of(wanted.content), wanted.wallet or display.wallets[0]
            trade = self._wallet.scan(handle, wanted.action, wanted.payer, wanted.after_s, app=app)
        except OrderError as error:
            return _json(400, {"error": str(error)})
        except WalletRefused as error:
            await self._books.durable()
            return _json(404 if error.reason == "unknown" else 409, {"error": error.reason, "detail": str(error)})
        await self._books.durable()
        if self._holder.faults.tells_before_answers:
            await self._postman.tell_before_answer(trade.order_no, "payment")
        return _json(200, {"order_no": trade.order_no, "status": trade.status, "amount": trade.amount_fen})

    async def _resend(self, notification_id: str, body: bytes) -> HttpAnswer:
        notification = self._postman.outbox.find(notification_id)
        if notification is None:
            return _json(404, {"error": "there is no such notification"})
        try:
            wanted = read_resend(body)
        except OrderError as error:
            return _json(400, {"error": str(error)})
        answers = await self._postman.resend(
            notification, times=wanted.times, at_once=wanted.at_once, forging=wanted.forging
        )
        shown = [{"status": a.status or None, "answer": a.text, "acknowledged": a.acknowledged} for a in answers]
        return _json(200, {"id": notification_id, "answers": shown})

    def _list(self, request: HttpRequest, what: str) -> HttpAnswer:
        query = query_of(request)
        try:
            after, limit = int(query.get("after", "0")), int(query.get("limit", str(PAGE_MAX)))
        except ValueError:
            return _json(400, {"error": "after and limit are whole numbers"})
        if not 1 <= limit <= PAGE_MAX or after < 0:
            return _json(400, {"error": f"limit is 1 to {PAGE_MAX}, after at least 0"})
        rows = self._rows(what, after, limit + 1, query.get("order_no"))
        has_more = len(rows) > limit
        page = rows[:limit]
        return _json(200, {what: page, "has_more": has_more, "next": page[-1]["seq"] if has_more else None})

    def _rows(self, what: str, after: int, limit: int, order_no: str | None) -> list[dict[str, Any]]:
        match what:
            case "trades":
                name, wallet = self._channel.name, self._channel.display.only_wallet
                return [trade_json(name, row, wallet) for row in self._books.trades(after, limit, order_no)]
            case "refunds":
                now_ms = self._books.now_ms()
                return [refund_json(row, now_ms) for row in self._books.refunds(after, limit, order_no)]
            case _:
                return [notification_json(row) for row in self._postman.outbox.listed(after, limit, order_no)]


def _json(status: int, document: object) -> HttpAnswer:
    return HttpAnswer(status, _JSON, orjson.dumps(document))
