"""What requests to the Alipay simulator hold, read by its rules, and the failures of those that break them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from routing.simulators.alipay_answers import fen
from routing.simulators.moments import read_beijing

Document = dict[str, Any]

ORDER_NO: Final = re.compile(r"[0-9A-Za-z_]{1,64}")
NOTIFY_URL_CHARACTERS_MAX: Final = 256
_TIMEOUT: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNIT_S: Final = {"m": 60, "h": 3_600, "d": 86_400}
_AMOUNT_MAX_FEN: Final = 10_000_000_000
_KEPT: Final = ("subject", "body", "store_id", "terminal_id", "operator_id", "passback_params")


class Bad(Exception):
    """A business failure with its sub_code."""

    def __init__(self, sub_code: str, message: str | None = None) -> None:
        super().__init__(sub_code)
        self.sub_code = sub_code
        self.message = message


@dataclass(frozen=True, slots=True)
class Ask:
    """A verified request: its `biz_content`, the parameters beside it, and the host that it was sent to."""

    content: Document
    parameters: Mapping[str, str] = field(repr=False)
    charset: str
    host: str


def invalid(name: str) -> Bad:
    """The failure of a field that is missing or wrong."""
    return Bad("ACQ.INVALID_PARAMETER", f"参数无效：{name}")


def text(content: Document, name: str, most: int) -> str:
    """A text of 1 to so many characters.  Raises Bad."""
    value = content.get(name)
    if not isinstance(value, str) or not value or len(value) > most:
        raise invalid(name)
    return value


def amount(content: Document, name: str) -> int:
    """An amount in fen, out of a decimal yuan text.  Raises Bad."""
    amount_fen = fen(content.get(name))
    if amount_fen is None or not 1 <= amount_fen <= _AMOUNT_MAX_FEN:
        raise invalid(name)
    return amount_fen


@dataclass(frozen=True, slots=True)
class Order:
    """What every way to order has in common."""

    order_no: str
    amount_fen: int
    subject: str
    notify_url: str
    details: Document


def read_order(ask: Ask, seller_id: str, products: frozenset[str], usual_product: str) -> Order:
    """The order that a request describes.  Raises Bad."""
    content = ask.content
    order_no = text(content, "out_trade_no", 64)
    if not ORDER_NO.fullmatch(order_no):
        raise invalid("out_trade_no")
    amount_fen = amount(content, "total_amount")
    subject = text(content, "subject", 256)
    if any(sign in subject for sign in "/=&"):
        raise invalid("subject")
    if content.get("product_code", usual_product) not in products:
        raise invalid("product_code")
    if content.get("seller_id", seller_id) != seller_id:
        raise invalid("seller_id")
    notify_url = ask.parameters.get("notify_url", "")
    if len(notify_url) > NOTIFY_URL_CHARACTERS_MAX:
        raise invalid("notify_url")
    details = {name: content[name] for name in _KEPT if isinstance(content.get(name), str)}
    if ask.charset != "utf-8":
        details["charset"] = ask.charset
    return Order(order_no, amount_fen, subject, notify_url, details)


def pay_until_ms(content: Document, now_ms: int, usual_s: float) -> int:
    """The last moment to pay: `time_expire` before `timeout_express` before what is usual.  Raises Bad."""
    if (moment := content.get("time_expire")) is not None:
        at_s = read_beijing(moment, "%Y-%m-%d %H:%M:%S") if isinstance(moment, str) else None
        if at_s is None or at_s * 1_000 <= now_ms:
            raise invalid("time_expire")
        return round(at_s * 1_000)
    wanted = content.get("timeout_express")
    if wanted is None:
        return now_ms + round(usual_s * 1_000)
    found = _TIMEOUT.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is None:
        raise invalid("timeout_express")
    return now_ms + int(found[1]) * _UNIT_S[found[2]] * 1_000
