"""The control API's documents: the books as JSON, and what a tester orders read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from gateway.kernel.clock import rfc3339
from routing.simulators.books import Refund, Trade
from routing.simulators.notifications import Forging, Notification, Tamper
from routing.simulators.numbers import trade_no
from routing.simulators.wallet import AFTER_S_MAX, Action, payer_named

TIMES_MAX: Final = 1_000
AGE_S_MAX: Final = 30 * 86_400.0


class OrderError(ValueError):
    """What the tester orders cannot be read; the text says which part."""


@dataclass(frozen=True, slots=True)
class ScanOrder:
    """What the customer is to do; `payer` is as the books name them."""

    content: str
    action: Action
    payer: str | None
    after_s: float
    wallet: str | None


@dataclass(frozen=True, slots=True)
class ResendOrder:
    """How a notification is to be sent by hand."""

    times: int
    at_once: bool
    forging: Forging


def _document(body: bytes, known: set[str]) -> dict[str, Any]:
    try:
        document = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise OrderError(str(error)) from None
    if not isinstance(document, dict) or not document.keys() <= known:
        raise OrderError(f"expected an object with {', '.join(sorted(known))}")
    return document


def _seconds(document: dict[str, Any], name: str, most: float) -> float:
    value = document.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise OrderError(f"{name} must be a number from 0 to {most:g}")
    return float(value)


def _flag(document: dict[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise OrderError(f"{name} must be true or false")
    return value


def read_scan(body: bytes, wallets: tuple[str, ...]) -> ScanOrder:
    """The scan that a body describes, by one of the wallets that can scan here.  Raises OrderError."""
    document = _document(body, {"qr_code", "payer", "action", "after_s", "wallet"})
    content, payer, wallet = document.get("qr_code"), document.get("payer"), document.get("wallet")
    if not isinstance(content, str) or not content:
        raise OrderError("qr_code must be a text")
    if payer is not None and (not isinstance(payer, str) or not payer):
        raise OrderError("payer must be a text")
    if wallet is not None and wallet not in wallets:
        raise OrderError(f"wallet must be one of {', '.join(wallets)}")
    try:
        action = Action(document.get("action", Action.PAY))
    except ValueError:
        raise OrderError(f"action must be one of {', '.join(Action)}") from None
    after_s = _seconds(document, "after_s", AFTER_S_MAX)
    return ScanOrder(content, action, None if payer is None else payer_named(payer), after_s, wallet)


def read_resend(body: bytes) -> ResendOrder:
    """The sending that a body describes.  Raises OrderError."""
    document = _document(body, {"times", "at_once", "tamper", "signtest", "age_s", "next_keys"})
    times, tamper = document.get("times", 1), document.get("tamper")
    if type(times) is not int or not 1 <= times <= TIMES_MAX:
        raise OrderError(f"times must be a whole number from 1 to {TIMES_MAX}")
    try:
        forging = Forging(
            tamper=None if tamper is None else Tamper(tamper),
            signtest=_flag(document, "signtest"),
            age_s=_seconds(document, "age_s", AGE_S_MAX),
            next_keys=_flag(document, "next_keys"),
        )
    except ValueError as error:
        raise OrderError(str(error)) from None
    return ResendOrder(times, _flag(document, "at_once"), forging)


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(datetime.fromtimestamp(at_ms / 1_000, UTC))


def trade_json(channel: str, trade: Trade, only_wallet: str | None) -> dict[str, Any]:
    """An order as the control API shows it.  Where a channel has several wallets, an unscanned code has none yet."""
    return {
        "seq": trade.seq,
        "channel": channel,
        "merchant": trade.merchant,
        "order_no": trade.order_no,
        "txn_time": trade.txn_time or None,
        "method": trade.method,
        "wallet": only_wallet or trade.wallet or None,
        "amount": trade.amount_fen,
        "refunded": trade.refunded_fen,
        "status": trade.status,
        "reason": trade.reason,
        "trade_no": trade_no(channel, trade),
        "created_at": _time(trade.created_ms),
        "pay_until": _time(trade.pay_until_ms),
        "captured_at": _time(trade.captured_ms),
        "ended_at": _time(trade.ended_ms),
        "auth_code_tail": trade.code_tail,
        "early_reversal": bool(trade.early_reversal),
        "notify_url": trade.notify_url or None,
    }


def refund_json(refund: Refund, now_ms: int) -> dict[str, Any]:
    """A refund as the control API shows it."""
    return {
        "seq": refund.seq,
        "merchant": refund.merchant,
        "refund_no": refund.refund_no,
        "order_no": refund.order_no,
        "amount": refund.amount_fen,
        "kind": refund.kind,
        "status": refund.outcome if refund.settles_ms <= now_ms else "pending",
        "created_at": _time(refund.created_ms),
        "notify_url": refund.notify_url or None,
    }


def notification_json(notification: Notification) -> dict[str, Any]:
    """A notification as the control API shows it."""
    return {
        "seq": notification.seq,
        "id": notification.id,
        "order_no": notification.order_no,
        "refund_no": notification.refund_no,
        "kind": notification.kind,
        "event": notification.event,
        "url": notification.url,
        "tries": notification.tries,
        "status": notification.status,
        "last_answer": notification.last_answer,
        "created_at": _time(notification.created_ms),
        "next_at": _time(notification.next_ms),
    }
