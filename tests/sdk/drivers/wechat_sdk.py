"""Driver of wechatpayv3: the SDK unchanged but for its gateway's address, in public-key or certificate mode."""

from __future__ import annotations

import base64
import json
from typing import Any

from exchange import Calls, converse
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core

Answer = dict[str, Any]


def _client(settings: dict[str, Any]) -> WeChatPay:
    key_arguments = {}
    if settings["mode"] == "public_key":
        key_arguments = {
            "public_key": settings["platform_public_key_pem"],
            "public_key_id": settings["platform_public_key_id"],
        }
    client = WeChatPay(
        wechatpay_type=WeChatPayType.CODEPAY,
        mchid=settings["mchid"],
        private_key=settings["merchant_private_key_pem"],
        cert_serial_no=settings["merchant_serial"],
        appid=settings["appid"],
        apiv3_key=settings["api_v3_key"],
        timeout=10,
        **key_arguments,
    )
    client._core._gate_way = settings["base_url"]
    return client


def _download_from(base_url: str) -> None:
    """In certificate mode the constructor downloads already, so the address must stand before."""
    download = Core._init_certificates

    def from_there(self: Core) -> None:
        self._gate_way = base_url
        download(self)

    Core._init_certificates = from_there


def _read(answered: tuple[int, str | bytes]) -> Answer:
    status, body = answered
    return {"status": status, "body": json.loads(body) if body else None}


def _read_file(answered: tuple[int, str | bytes]) -> Answer:
    status, content = answered
    raw = content.encode() if isinstance(content, str) else content
    return {"status": status, "content_base64": base64.b64encode(raw).decode()}


def _paying(client: WeChatPay) -> Calls:
    def pay(order_no: str, amount: int, auth_code: str, description: str = "热拿铁 latte") -> Answer:
        return _read(
            client.pay(
                description=description,
                out_trade_no=order_no,
                amount={"total": amount, "currency": "CNY"},
                payer={"auth_code": auth_code},
                scene_info={"device_id": "POS-1", "store_info": {"id": "s-1"}},
                pay_type=WeChatPayType.CODEPAY,
            )
        )

    def ordered(kind: str, order_no: str, amount: int, notify_url: str, **more: Any) -> Answer:
        return _read(
            client.pay(
                description="热拿铁 latte",
                out_trade_no=order_no,
                amount={"total": amount, "currency": "CNY"},
                notify_url=notify_url,
                scene_info={"payer_client_ip": "203.0.113.7", "device_id": "POS-1"},
                pay_type=WeChatPayType[kind],
                **more,
            )
        )

    return {
        "pay": pay,
        "native": lambda **order: ordered("NATIVE", **order),
        "jsapi": lambda openid, **order: ordered("JSAPI", payer={"openid": openid}, **order),
        "call_up": lambda *, signed: client.sign(signed),
        "query": lambda order_no: _read(client.query(out_trade_no=order_no)),
        "query_by_id": lambda transaction_id: _read(client.query(transaction_id=transaction_id)),
        "reverse": lambda order_no: _read(client.codepay_reverse(order_no)),
        "close": lambda order_no: _read(client.close(order_no)),
    }


def _refunding(client: WeChatPay) -> Calls:
    def refund(order_no: str, refund_no: str, amount: int, total: int, notify_url: str | None = None) -> Answer:
        amounts = {"refund": amount, "total": total, "currency": "CNY"}
        asked = {"out_refund_no": refund_no, "amount": amounts, "out_trade_no": order_no, "reason": "凉了"}
        return _read(client.refund(**asked, notify_url=notify_url))

    return {
        "refund": refund,
        "query_refund": lambda refund_no: _read(client.query_refund(refund_no)),
        "send_abnormal_refund": lambda **card: _read(client.abnormal_refund(**card)),
    }


def _reading(client: WeChatPay) -> Calls:
    """What comes in files, in certificates, and by itself."""
    return {
        "trade_bill": lambda day, kind: _read(client.trade_bill(day, bill_type=kind)),
        "fund_bill": lambda day: _read(client.fundflow_bill(day)),
        "download_bill": lambda url: _read_file(client.download_bill(url)),
        "download": lambda: _read(client._core.request("/v3/certificates")),
        "certificates": lambda: [f"{found.serial_number:X}" for found in client._core._certificates],
        "callback": client.callback,
    }


def open_client(settings: dict[str, Any]) -> Calls:
    """The calls of one client."""
    if settings["mode"] == "certificate":
        _download_from(settings["base_url"])
    client = _client(settings)
    return {**_paying(client), **_refunding(client), **_reading(client)}


if __name__ == "__main__":
    converse(open_client)
