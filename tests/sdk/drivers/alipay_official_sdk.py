"""Driver of alipay-sdk-python, Alipay's own: the SDK unchanged but for how it opens its connection."""

from __future__ import annotations

import http.client
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.util import WebUtils
from alipay.aop.api.util.SignatureUtils import get_sign_content, verify_with_rsa
from exchange import Calls, converse

Answer = dict[str, Any]
Connection = tuple[str, http.client.HTTPConnection]

_STEMS = {
    "pay": "AlipayTradePay",
    "precreate": "AlipayTradePrecreate",
    "create": "AlipayTradeCreate",
    "query": "AlipayTradeQuery",
    "cancel": "AlipayTradeCancel",
    "close": "AlipayTradeClose",
    "refund": "AlipayTradeRefund",
    "query_refund": "AlipayTradeFastpayRefundQuery",
    "bill": "AlipayDataDataserviceBillDownloadurlQuery",
}
"""Calls whose parameters stand in biz_content, and what the SDK's classes for them begin with."""
_TOKEN = "AlipaySystemOauthToken"


def _connect_to_any_port(target: str) -> None:
    """Replace the SDK's opening of connections, which adds a port number to a text and so fails for all but 80.

    `target` is "absolute" for the request line that the SDK writes (http://host:port/path), "path" for the usual one.
    """

    def get_http_connection(url: str, query_string: str, timeout: float) -> Connection:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(host=parts.hostname, port=parts.port, timeout=timeout)
        start = f"{parts.scheme}://{parts.netloc}" if target == "absolute" else ""
        return f"{start}{parts.path}?{query_string}", connection

    WebUtils.get_http_connection = get_http_connection


def _class(kind: str, name: str) -> Any:
    """One of the SDK's generated classes; each stands in a module of its own name."""
    return getattr(import_module(f"alipay.aop.api.{kind}.{name}"), name)


def _fields(stem: str, content: str) -> Answer:
    """What the SDK's own response class understood, by the names of its properties."""
    response = _class("response", f"{stem}Response")()
    response.parse_response_content(content)
    found = {name.lstrip("_"): value for name, value in vars(response).items() if value is not None}
    found["fund_bill_list"] = [bill.to_alipay_dict() for bill in found.get("fund_bill_list", [])]
    del found["body"]
    return found


def _verified(public_key: str, body: str) -> Answer:
    """The fields of a notification, read as a web framework reads a form.  Raises what the SDK raises."""
    charset = dict(parse_qsl(body))["charset"]
    fields = dict(parse_qsl(body, keep_blank_values=True, encoding=charset))
    told = {name: value for name, value in fields.items() if name not in {"sign", "sign_type"}}
    if not verify_with_rsa(public_key, get_sign_content(told).encode(charset), fields["sign"]):
        raise ValueError("not verified")
    return fields


def open_client(settings: dict[str, Any]) -> Calls:
    """The calls of one client; each takes the fields of the SDK's model class, and the address to be told at."""
    config = AlipayClientConfig()
    config.server_url = settings["gateway_url"]
    config.charset = settings["charset"]
    config.app_id = settings["app_id"]
    config.app_private_key = settings["app_private_key_pkcs1"]
    config.alipay_public_key = settings["alipay_public_key"]
    if settings["target"] != "unpatched":
        _connect_to_any_port(settings["target"])
    client = DefaultAlipayClient(config)

    def execute(stem: str, fields: dict[str, Any], notify_url: str | None) -> Answer:
        request = _class("request", f"{stem}Request")(
            biz_model=_class("domain", f"{stem}Model").from_alipay_dict(fields)
        )
        request.notify_url = notify_url
        return _fields(stem, client.execute(request))

    def token(code: str) -> Answer:
        request = _class("request", f"{_TOKEN}Request")()
        request.grant_type, request.code = "authorization_code", code
        return _fields(_TOKEN, client.execute(request))

    calls: dict[str, Any] = {
        kind: lambda stem=stem, notify_url=None, **fields: execute(stem, fields, notify_url)
        for kind, stem in _STEMS.items()
    }
    return {**calls, "token": token, "notification": lambda body: _verified(settings["alipay_public_key"], body)}


if __name__ == "__main__":
    converse(open_client)
