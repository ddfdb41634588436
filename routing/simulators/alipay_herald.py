"""What Alipay tells the merchant by itself: signed forms, until the answer is `success`.  CHANNEL-PROTOCOLS 2.5."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import orjson

from routing.simulators.alipay_account import AlipayAccount
from routing.simulators.alipay_answers import alipay_time, buyer, fen, yuan
from routing.simulators.alipay_signing import notification_text
from routing.simulators.books import GivenBack, Refund, Trade
from routing.simulators.notifications import Forging, News, Notification, Post, Schedule, Tamper, moved
from routing.simulators.numbers import trade_no
from routing.simulators.signatures import sign

_ACKNOWLEDGED: Final = b"success"
_ECHOED: Final = ("subject", "body", "passback_params")
_AMOUNTS: Final = ("total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount")


class AlipayHerald:
    """Tells that orders were paid, and of refunds that leave something; whatever closes a trade is silent."""

    def __init__(self, account: AlipayAccount) -> None:
        self._account = account
        settings = account.settings
        self.schedule: Final = Schedule(settings.notify_retry_s, settings.notify_first_s, settings.notify_timeout_s)

    def of_trade(self, trade: Trade) -> News | None:
        """TRADE_SUCCESS."""
        return News("TRADE_SUCCESS", self._told_of(trade, "TRADE_SUCCESS"))

    def of_refund(self, trade: Trade, refund: Refund) -> News | None:
        """The trade again, with the sum of its refunds; a full one closes it, which is told on demand only."""
        full = refund.kind != GivenBack.REFUND or not trade.left_fen
        if full and not self._account.settings.notify_full_refunds:
            return None
        content = self._told_of(trade, "TRADE_CLOSED" if full else "TRADE_SUCCESS")
        at = alipay_time(refund.created_ms)
        content |= {"out_biz_no": refund.refund_no, "refund_fee": yuan(trade.refunded_fen), "gmt_refund": f"{at}.000"}
        return News("REFUND", content | ({"gmt_close": at} if full else {}))

    def _told_of(self, trade: Trade, status: str) -> dict[str, Any]:
        kept, named, amount = orjson.loads(trade.details), buyer(trade), yuan(trade.amount_fen)
        fields = {
            "notify_type": "trade_status_sync",
            "app_id": self._account.app_id,
            "auth_app_id": self._account.app_id,
            "charset": kept.get("charset", "utf-8"),
            "version": "1.0",
            "trade_no": trade_no("alipay", trade),
            "out_trade_no": trade.order_no,
            "buyer_id": named["buyer_user_id"],
            "buyer_open_id": named["buyer_open_id"],
            "buyer_logon_id": named["buyer_logon_id"],
            "seller_id": self._account.seller_id,
            "trade_status": status,
            **dict.fromkeys(_AMOUNTS, amount),
            "point_amount": "0.00",
            "gmt_create": alipay_time(trade.created_ms),
            "gmt_payment": alipay_time(trade.captured_ms or 0),
            "fund_bill_list": orjson.dumps([{"amount": amount, "fundChannel": "ALIPAYACCOUNT"}]).decode(),
        }
        return fields | {name: kept[name] for name in _ECHOED if name in kept}

    def post(self, notification: Notification, sent_ms: int, forging: Forging) -> Post:
        """The signed form; notify_id stays from try to try, notify_time does not."""
        fields = {"notify_time": alipay_time(sent_ms), **notification.told(), "notify_id": notification.id}
        charset = fields["charset"]
        _tamper(fields, forging.tamper)
        key = self._account.signing_key(after_rotation=forging.next_keys)
        signed = notification_text(fields).encode(charset, "replace")
        broken = forging.signtest or forging.tamper is Tamper.SIGNATURE
        signature = sign(key, signed + b"&" if broken else signed).decode()
        form = urlencode(fields | {"sign_type": "RSA2", "sign": signature}, encoding=charset, errors="replace")
        headers = {
            "Content-Type": f"application/x-www-form-urlencoded; charset={charset}",
            "User-Agent": "Mozilla/4.0",
        }
        return Post(headers, form.encode("ascii"))

    def acknowledges(self, status: int, body: bytes) -> bool:
        """The seven characters and nothing else."""
        return status == 200 and body == _ACKNOWLEDGED


def _tamper(fields: dict[str, Any], tamper: Tamper | None) -> None:
    match tamper:
        case Tamper.AMOUNT:
            fields |= {name: yuan((fen(fields[name]) or 0) + 1) for name in _AMOUNTS}
        case Tamper.MERCHANT:
            fields |= {name: moved(fields[name]) for name in ("app_id", "auth_app_id", "seller_id")}
        case Tamper.ORDER:
            fields["out_trade_no"] = moved(fields["out_trade_no"])
