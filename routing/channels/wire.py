"""What the adapters share: numbers and JSON safe to send, strict reading of answers, rows of code tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

import orjson

from gateway.kernel.clock import BEIJING
from gateway.kernel.failures import FailureCode
from routing.channels.base import ChannelRejected, ChannelUnknown, ChannelUnsent, CodeOrder

TEXT_CHARACTERS_MAX: Final = 256
CODE_CHARACTERS_MAX: Final = 1_024
"""Alipay's `qr_code` has the most room of all contents of codes."""
SHOWN_AT_LEAST: Final = timedelta(seconds=61)
"""WeChat Pay and Alipay give a code at least a minute."""
_PLAIN_CODE: Final = re.compile(r"[A-Za-z][A-Za-z_.\-]{0,63}")


class Authenticity(Enum):
    """What the signature says of an answer."""

    VERIFIED = auto()
    UNSIGNED = auto()
    FORGED = auto()
    """Signed, and not by the channel, or not this text, or not now."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row of a code table: a definite refusal, and whether it is proven that the customer's code was not touched."""

    failure: FailureCode
    may_fail_over: bool = False


def rejected(code: str, refusal: Refusal, authenticity: Authenticity) -> ChannelRejected:
    """The error for a refusal.  An unsigned one is never a reason to fail over (ARCHITECTURE, "Answers")."""
    proven = authenticity is Authenticity.VERIFIED
    return ChannelRejected(code, refusal.failure, may_fail_over=refusal.may_fail_over and proven)


def plain_code(code: object, otherwise: str) -> str:
    """The channel's word for an error where it is a word: letters only, so that it cannot carry a code or a number."""
    return code if isinstance(code, str) and _PLAIN_CODE.fullmatch(code) else otherwise


def checked_number(number: str) -> str:
    """An order or refund number of ours, which stands in addresses.  Raises ChannelUnsent where it is none."""
    if not (number.isascii() and number.isalnum() and 8 <= len(number) <= 32):
        raise ChannelUnsent("bad_number")
    return number


def pay_until_of(code: CodeOrder) -> datetime:
    """The end of a code as it is told to a channel: whole seconds of Beijing time.

    WeChat Pay and Alipay give a code at least a minute.  The end depends on the order alone, never on the clock: the
    same order asked for again must have the same values.
    """
    end = max(code.pay_until, code.order.created_at + SHOWN_AT_LEAST)
    return end.astimezone(BEIJING).replace(microsecond=0)


def checked_payer_code(code: str) -> str:
    """What a browser claims to have brought back from the page that identifies payers.  Raises ChannelRejected."""
    if not (0 < len(code) <= TEXT_CHARACTERS_MAX and code.isascii() and code.isprintable()):
        raise ChannelRejected("payer_code", FailureCode.CHANNEL_REFUSED)
    return code


def notify_url_of(address: str) -> str:
    """The address of the account's notifications.  Raises ChannelUnsent where there is none."""
    if not address:
        raise ChannelUnsent("no_notify_url")
    return address


def json_bytes(value: dict[str, Any]) -> bytes:
    """JSON to send.  Raises ChannelUnsent for text that is no Unicode (a lone surrogate)."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise ChannelUnsent("bad_request") from None


def json_object(body: bytes | str) -> dict[str, Any]:
    """The JSON object of an answer.  Raises ChannelUnknown for anything else."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ChannelUnknown("answer_malformed") from None
    if not isinstance(value, dict):
        raise ChannelUnknown("answer_malformed")
    return value


def text_of(answer: Mapping[str, Any], key: str, characters_max: int = TEXT_CHARACTERS_MAX) -> str | None:
    """A field of plain text (ids, states, times): printable, not empty, not long; else None."""
    value = answer.get(key)
    return value if isinstance(value, str) and 0 < len(value) <= characters_max and value.isprintable() else None


def fen_of(amount: object, key: str) -> int | None:
    """A whole number of fen in an `amount` object, or None."""
    value = amount.get(key) if isinstance(amount, dict) else None
    return value if type(value) is int else None


def beijing_time(text: str | None, layout: str) -> datetime | None:
    """A time in the channel's layout; None where it cannot be read, for a stamp is no reason to lose an outcome."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, layout).replace(tzinfo=BEIJING)
    except ValueError:
        return None
