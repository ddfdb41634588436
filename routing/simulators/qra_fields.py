"""Reading the fields of a request to the front, with its complaints about each (CHANNEL-PROTOCOLS 3.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from routing.simulators.moments import read_beijing
from routing.simulators.pages import web_address

Fields = dict[str, str]

TIME_LAYOUT: Final = "%Y%m%d%H%M%S"
_ORDER_NO: Final = re.compile(r"[0-9A-Za-z_\-|*@]{1,32}")
_FEN: Final = re.compile(r"[1-9][0-9]{0,9}")
_TIME: Final = re.compile(r"[0-9]{14}")
_UNSAID: Final = frozenset({"nonce_str", "sign"})
"""What differs between two sendings of one request."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A verified request: its fields, the key that proved it and signs the answer, and the host it was sent to."""

    fields: Fields
    key: str = field(repr=False)
    host: str

    @property
    def said(self) -> tuple[tuple[str, str], ...]:
        """What a repetition must share."""
        return tuple(sorted((name, text) for name, text in self.fields.items() if name not in _UNSAID))


class BadField(Exception):
    """A field of the request that breaks the front's rules."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def text(fields: Fields, name: str, most: int, *, required: bool = True) -> str:
    """A text of at most so many characters; empty where it may be missing and is.  Raises BadField."""
    value = fields.get(name, "")
    if not value and required:
        raise BadField("LACK_PARAMS", f"缺少参数{name}")
    if len(value) > most:
        raise BadField("PARAM_ERROR", f"{name}超过{most}个字符")
    return value


def order_number(fields: Fields, name: str = "out_trade_no") -> str:
    """out_trade_no, or a refund's number.  Raises BadField."""
    number = text(fields, name, 32)
    if not _ORDER_NO.fullmatch(number):
        raise BadField("PARAM_ERROR", f"{name}只能是32个以内的数字、大小写字母和_-|*@")
    return number


def fen(fields: Fields, name: str) -> int:
    """An amount in whole fen.  Raises BadField."""
    value = text(fields, name, 10)
    if not _FEN.fullmatch(value):
        raise BadField("PARAM_ERROR", f"{name}应为不小于1的整数，单位为分")
    return int(value)


def notify_address(fields: Fields, *, required: bool) -> str:
    """notify_url; http too, as simulators and gateways may share a machine.  Raises BadField."""
    address = text(fields, "notify_url", 255, required=required)
    if address and not web_address(address):
        raise BadField("PARAM_ERROR", "notify_url应为绝对路径的URL")
    return address


def moment_ms(fields: Fields, name: str) -> int | None:
    """A Beijing time in milliseconds since 1970; None where it is missing.  Raises BadField."""
    value = fields.get(name, "")
    if not value:
        return None
    at_s = read_beijing(value, TIME_LAYOUT) if _TIME.fullmatch(value) else None
    if at_s is None:
        raise BadField("PARAM_ERROR", f"{name}格式应为yyyyMMddHHmmss")
    return round(at_s * 1_000)
