"""Driver of python-alipay-sdk: the SDK unchanged but for its gateway's address."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from alipay import AliPay
from exchange import Calls, converse

Answer = dict[str, Any]


def _verified(client: AliPay, body: str) -> Answer | None:
    """The fields of a notification, read as web frameworks read forms; None where the SDK does not vouch for them."""
    fields = dict(parse_qsl(body, keep_blank_values=True))
    told = dict(fields)
    return fields if client.verify(told, told.pop("sign")) else None


def _paying(client: AliPay) -> Calls:
    def pay(scene: str = "bar_code", subject: str = "热拿铁 latte", **fields: Any) -> Answer:
        return client.api_alipay_trade_pay(scene=scene, subject=subject, **fields)

    return {
        "pay": pay,
        "precreate": client.api_alipay_trade_precreate,
        "create": client.api_alipay_trade_create,
        "query": client.api_alipay_trade_query,
        "cancel": client.api_alipay_trade_cancel,
        "close": client.api_alipay_trade_close,
        "refund": client.api_alipay_trade_refund,
        "query_refund": client.api_alipay_trade_fastpay_refund_query,
    }


def open_client(settings: dict[str, Any]) -> Calls:
    """The calls of one client; each takes Alipay's own fields, and the address to be told at."""
    client = AliPay(
        appid=settings["app_id"],
        app_private_key_string=settings["app_private_key_pem"],
        alipay_public_key_string=settings["alipay_public_key_pem"],
    )
    client._gateway = settings["gateway_url"]

    def bill(**asked: Any) -> Answer:
        return client.server_api("alipay.data.dataservice.bill.downloadurl.query", asked)

    def token(code: str) -> Answer:
        return client.server_api("alipay.system.oauth.token", grant_type="authorization_code", code=code)

    return {
        **_paying(client),
        "bill": bill,
        "token": token,
        "other": lambda method: client.server_api(method, {"bill_type": "trade"}),
        "notification": lambda body: _verified(client, body),
    }


if __name__ == "__main__":
    converse(open_client)
