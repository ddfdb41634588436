"""Driver of python-alipay-sdk: the SDK unchanged but for its gateway's address."""

from __future__ import annotations

from typing import Any

from alipay import AliPay
from exchange import Calls, converse

Answer = dict[str, Any]


def open_client(settings: dict[str, Any]) -> Calls:
    """The calls of one client."""
    client = AliPay(
        appid=settings["app_id"],
        app_private_key_string=settings["app_private_key_pem"],
        alipay_public_key_string=settings["alipay_public_key_pem"],
    )
    client._gateway = settings["gateway_url"]

    def pay(order_no: str, amount: str, auth_code: str, subject: str = "热拿铁 latte") -> Answer:
        return client.api_alipay_trade_pay(order_no, "bar_code", auth_code, subject, total_amount=amount)

    def refund(order_no: str, refund_no: str, amount: str) -> Answer:
        return client.api_alipay_trade_refund(amount, out_trade_no=order_no, out_request_no=refund_no)

    def query_refund(order_no: str, refund_no: str) -> Answer:
        return client.api_alipay_trade_fastpay_refund_query(refund_no, out_trade_no=order_no)

    return {
        "pay": pay,
        "refund": refund,
        "query_refund": query_refund,
        "query": lambda order_no: client.api_alipay_trade_query(out_trade_no=order_no),
        "query_by_id": lambda trade_no: client.api_alipay_trade_query(trade_no=trade_no),
        "cancel": lambda order_no: client.api_alipay_trade_cancel(out_trade_no=order_no),
        "close": lambda order_no: client.api_alipay_trade_close(out_trade_no=order_no),
        "other": lambda method: client.server_api(method, {"bill_type": "trade"}),
    }


if __name__ == "__main__":
    converse(open_client)
