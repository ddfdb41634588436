"""Driver of alipay-sdk-python, Alipay's own: the SDK unchanged but for how it opens its connection."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayTradeCancelModel import AlipayTradeCancelModel
from alipay.aop.api.domain.AlipayTradeFastpayRefundQueryModel import AlipayTradeFastpayRefundQueryModel
from alipay.aop.api.domain.AlipayTradePayModel import AlipayTradePayModel
from alipay.aop.api.domain.AlipayTradeQueryModel import AlipayTradeQueryModel
from alipay.aop.api.domain.AlipayTradeRefundModel import AlipayTradeRefundModel
from alipay.aop.api.request.AlipayTradeCancelRequest import AlipayTradeCancelRequest
from alipay.aop.api.request.AlipayTradeFastpayRefundQueryRequest import AlipayTradeFastpayRefundQueryRequest
from alipay.aop.api.request.AlipayTradePayRequest import AlipayTradePayRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.request.AlipayTradeRefundRequest import AlipayTradeRefundRequest
from alipay.aop.api.response.AlipayTradeCancelResponse import AlipayTradeCancelResponse
from alipay.aop.api.response.AlipayTradeFastpayRefundQueryResponse import AlipayTradeFastpayRefundQueryResponse
from alipay.aop.api.response.AlipayTradePayResponse import AlipayTradePayResponse
from alipay.aop.api.response.AlipayTradeQueryResponse import AlipayTradeQueryResponse
from alipay.aop.api.response.AlipayTradeRefundResponse import AlipayTradeRefundResponse
from alipay.aop.api.util import WebUtils
from exchange import Calls, converse

Answer = dict[str, Any]
Connection = tuple[str, http.client.HTTPConnection]

_KINDS = {
    "pay": (AlipayTradePayModel, AlipayTradePayRequest, AlipayTradePayResponse),
    "query": (AlipayTradeQueryModel, AlipayTradeQueryRequest, AlipayTradeQueryResponse),
    "cancel": (AlipayTradeCancelModel, AlipayTradeCancelRequest, AlipayTradeCancelResponse),
    "refund": (AlipayTradeRefundModel, AlipayTradeRefundRequest, AlipayTradeRefundResponse),
    "query_refund": (
        AlipayTradeFastpayRefundQueryModel,
        AlipayTradeFastpayRefundQueryRequest,
        AlipayTradeFastpayRefundQueryResponse,
    ),
}


def _connect_to_any_port(target: str) -> None:
    """Replace the SDK's opening of connections, which adds a port number to a text and so fails for all but 80.

    `target` is "absolute" for the request line that the SDK writes (http://host/path), or "path" for the usual one.
    """

    def get_http_connection(url: str, query_string: str, timeout: float) -> Connection:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(host=parts.hostname, port=parts.port, timeout=timeout)
        start = f"{parts.scheme}://{parts.hostname}" if target == "absolute" else ""
        return f"{start}{parts.path}?{query_string}", connection

    WebUtils.get_http_connection = get_http_connection


def _fields(response: object) -> Answer:
    """What the SDK's own response class understood, by the names of its properties."""
    found = {name.lstrip("_"): value for name, value in vars(response).items() if value is not None}
    found["fund_bill_list"] = [bill.to_alipay_dict() for bill in found.get("fund_bill_list", [])]
    del found["body"]
    return found


def open_client(settings: dict[str, Any]) -> Calls:
    """The calls of one client; each takes the fields of the SDK's model class."""
    config = AlipayClientConfig()
    config.server_url = settings["gateway_url"]
    config.charset = settings["charset"]
    config.app_id = settings["app_id"]
    config.app_private_key = settings["app_private_key_pkcs1"]
    config.alipay_public_key = settings["alipay_public_key"]
    if settings["target"] != "unpatched":
        _connect_to_any_port(settings["target"])
    client = DefaultAlipayClient(config)

    def execute(kind: str, fields: dict[str, Any]) -> Answer:
        model_class, request_class, response_class = _KINDS[kind]
        content = client.execute(request_class(biz_model=model_class.from_alipay_dict(fields)))
        response = response_class()
        response.parse_response_content(content)
        return _fields(response)

    return {kind: lambda kind=kind, **fields: execute(kind, fields) for kind in _KINDS}


if __name__ == "__main__":
    converse(open_client)
