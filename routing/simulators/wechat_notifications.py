"""What the WeChat simulator tells by itself: encrypted, signed, until it hears 200 or 204 (CHANNEL-PROTOCOLS 1.4)."""

from __future__ import annotations

import base64
import os
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from routing.simulators.acts import RefundOutcome
from routing.simulators.books import Refund, Trade
from routing.simulators.notifications import Forging, News, Notification, Post, Schedule, Tamper, moved
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import REFUND_STATES, beijing_time, order_object, received_by, refund_object
from routing.simulators.wechat_signing import SIGNTEST, encrypt, signature_headers

_SUMMARIES: Final = {
    "TRANSACTION.SUCCESS": "支付成功",
    "REFUND.SUCCESS": "退款成功",
    "REFUND.ABNORMAL": "退款异常",
    "REFUND.CLOSED": "退款关闭",
}


@dataclass(frozen=True, slots=True)
class Event:
    """The outside of a notification: what can be read without the merchant's key."""

    id: str
    created: str
    event_type: str
    original_type: str


def envelope(event: Event, sealed: Mapping[str, str]) -> bytes:
    """The body of a notification around its encrypted resource, in the order that WeChat writes it."""
    resource = {
        "original_type": event.original_type,
        "algorithm": sealed["algorithm"],
        "ciphertext": sealed["ciphertext"],
        "associated_data": sealed["associated_data"],
        "nonce": sealed["nonce"],
    }
    document = {
        "id": event.id,
        "create_time": event.created,
        "resource_type": "encrypt-resource",
        "event_type": event.event_type,
        "summary": _SUMMARIES[event.event_type],
        "resource": resource,
    }
    return orjson.dumps(document)


class WechatHerald:
    """WeChat's part in its notifications."""

    def __init__(self, account: WechatAccount) -> None:
        self._account = account
        settings = account.settings
        self.schedule: Final = Schedule(settings.notify_retry_s, settings.notify_first_s, settings.notify_timeout_s)

    def of_trade(self, trade: Trade) -> News | None:
        """TRANSACTION.SUCCESS with the order as the query answers it."""
        return News("TRANSACTION.SUCCESS", order_object(self._account, trade, trade.order_no, trade.amount_fen))

    def of_refund(self, trade: Trade, refund: Refund) -> News | None:
        """REFUND.SUCCESS, .ABNORMAL or .CLOSED with some of the refund."""
        state = REFUND_STATES[RefundOutcome(refund.outcome)]
        shown = refund_object(trade, refund, refund.settles_ms, trade.order_no)
        content = {
            "mchid": self._account.mchid,
            "out_trade_no": trade.order_no,
            "transaction_id": shown["transaction_id"],
            "out_refund_no": refund.refund_no,
            "refund_id": shown["refund_id"],
            "refund_status": state,
        }
        if state == "SUCCESS":
            content["success_time"] = beijing_time(refund.settles_ms)
        content["user_received_account"] = received_by(refund)
        amount = shown["amount"]
        content["amount"] = {name: amount[name] for name in ("total", "refund", "payer_total", "payer_refund")}
        return News(f"REFUND.{state}", content)

    def post(self, notification: Notification, sent_ms: int, forging: Forging) -> Post:
        """A fresh nonce, encryption and signature for each try of the same event."""
        account, original_type = self._account, "refund" if notification.refund_seq else "transaction"
        content = _tampered(notification.told(), forging.tamper)
        api_v3_key = account.next_api_v3_key if forging.next_keys else account.api_v3_key
        sealed = encrypt(api_v3_key, secrets.token_hex(6).upper(), orjson.dumps(content).decode(), original_type)
        created = beijing_time(notification.created_ms)
        body = envelope(Event(str(uuid.UUID(notification.id)), created, notification.event, original_type), sealed)
        serial = self._serial(forging)
        signed = body + b" " if forging.tamper is Tamper.SIGNATURE else body
        nonce, stamp = os.urandom(16).hex().upper(), str(sent_ms // 1_000)
        raw = signature_headers(account.platform_keys[serial], serial, signed, stamp, nonce)
        headers = {name.decode(): value.decode() for name, value in raw}
        if forging.signtest:
            headers["Wechatpay-Signature"] = SIGNTEST + base64.b64encode(os.urandom(256)).decode()
        plain = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Mozilla/4.0"}
        return Post(plain | headers, body)

    def _serial(self, forging: Forging) -> str:
        if forging.next_keys:
            return self._account.next_public_key_id
        by_certificate = self._account.settings.notify_key == "certificate"
        return self._account.certificate_serial if by_certificate else self._account.public_key_id

    def acknowledges(self, status: int, body: bytes) -> bool:  # noqa: ARG002  # WeChat looks at the status alone
        """200 or 204."""
        return status in (200, 204)


def _tampered(content: dict[str, Any], tamper: Tamper | None) -> dict[str, Any]:
    """The content as it is told: of another amount, merchant or order where the forging says so."""
    match tamper:
        case Tamper.AMOUNT:
            names = ("refund", "payer_refund") if "out_refund_no" in content else ("total", "payer_total")
            content["amount"] |= {name: content["amount"][name] + 1 for name in names}
        case Tamper.MERCHANT:
            content["mchid"] = moved(content["mchid"])
        case Tamper.ORDER:
            content["out_trade_no"] = moved(content["out_trade_no"])
        case _:
            pass
    return content
