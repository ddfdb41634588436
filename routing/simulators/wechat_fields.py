"""Reading the fields of a WeChat request, with WeChat's complaints about each (CHANNEL-PROTOCOLS 1.5, 1.6)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from routing.simulators.pages import web_address

TOTAL_MAX_FEN: Final = 10_000_000_000
_ORDER_NO: Final = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")


class BadField(Exception):
    """A field of the request that breaks WeChat's rules."""

    def __init__(self, code: str, field: str, issue: str, location: str = "body") -> None:
        super().__init__(issue)
        self.code = code
        self.field = field
        self.issue = issue
        self.location = location


def text(document: dict[str, Any], name: str, most: int, path: str = "", *, required: bool = True) -> str:
    """A text of at most so many characters; empty where it may be missing and is."""
    value = document.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value or len(value) > most:
        raise BadField("PARAM_ERROR", f"{path}/{name}", f"必填，且不超过{most}个字符")
    return value


def nested(document: dict[str, Any], name: str, path: str = "") -> dict[str, Any]:
    """An object."""
    value = document.get(name)
    if not isinstance(value, dict):
        raise BadField("PARAM_ERROR", f"{path}/{name}", "必填")
    return value


def fen(amount: dict[str, Any], name: str) -> int:
    """An amount in whole fen of CNY."""
    value = amount.get(name)
    if type(value) is not int or not 1 <= value <= TOTAL_MAX_FEN:
        raise BadField("PARAM_ERROR", f"/amount/{name}", "应为不小于1的整数，单位为分")
    if amount.get("currency", "CNY") != "CNY":
        raise BadField("PARAM_ERROR", "/amount/currency", "仅支持CNY")
    return value


def order_number(document: dict[str, Any]) -> str:
    """out_trade_no."""
    number = text(document, "out_trade_no", 32)
    if not _ORDER_NO.fullmatch(number):
        raise BadField("PARAM_ERROR", "/out_trade_no", "6-32个字符，只能是数字、大小写字母_-|*")
    return number


def notify_address(document: dict[str, Any], *, required: bool) -> str:
    """notify_url: an address without a query; http too, as simulators and gateways may share a machine."""
    address = text(document, "notify_url", 255, required=required)
    if address and (not web_address(address) or urlsplit(address).query):
        raise BadField("PARAM_ERROR", "/notify_url", "通知地址必须为直接可访问的URL，不能携带参数")
    return address


def moment_ms(document: dict[str, Any], name: str) -> int | None:
    """An RFC 3339 time in milliseconds since 1970; None where it is missing."""
    value = document.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadField("PARAM_ERROR", f"/{name}", "格式应为yyyy-MM-DDTHH:mm:ss+TIMEZONE")
    return round(moment.timestamp() * 1_000)
