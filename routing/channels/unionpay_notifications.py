"""UnionPay's back notifications: URL-encoded forms, signed like answers.  CHANNEL-PROTOCOLS 3.1–3.3.

UnionPay tells of success; other codes are read all the same.  A refund's notification names the refund alone, so the
order behind it is read off our own number, which begins with the order's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from gateway.kernel.clock import BEIJING
from routing.channels.notifications import Acknowledgement, Acknowledgements, Notification, NotificationRefused
from routing.channels.reports import TradeReport, TradeState
from routing.channels.unionpay_answers import TIME_LAYOUT, refund_report, state_of, trade_report
from routing.channels.unionpay_signing import Signing
from routing.channels.wire import Authenticity

ACKNOWLEDGEMENTS: Final = Acknowledgements(
    accepted=Acknowledgement(200, "text/plain", b"ok"), refused=Acknowledgement(400, "text/plain", b"fail")
)
ORDER_CHARACTERS: Final = 28
"""The length of our order numbers; a refund's number is its order's and a few characters more."""
_FIELDS_MAX: Final = 100
_ENCODINGS: Final = {"UTF-8": "utf-8", "GBK": "gbk"}
_BARCODE: Final = "0106"
_CONSUME: Final = re.compile(r"01[0-9]{2}")
_GIVE_BACKS: Final = frozenset({"3100", "0400"})
_NUMBER: Final = re.compile(r"[0-9A-Za-z]{8,40}")
_TIME: Final = re.compile(r"[0-9]{14}")
_QUERY_ID: Final = re.compile(r"[0-9A-Za-z]{0,40}")


def read_notification(body: bytes, signing: Signing, mer_id: str) -> Notification:
    """Verify and read one.  The account's own sign method counts, never what the message claims.

    Raises NotificationRefused: `malformed`, `signature`, `wrong_account`, `unknown_kind`.
    """
    fields, encoding = read_form(body)
    if signing.check(fields, encoding) is not Authenticity.VERIFIED:
        raise NotificationRefused("signature")
    if fields.get("merId") != mer_id:
        raise NotificationRefused("wrong_account")
    kind = fields.get("txnType", "") + fields.get("txnSubType", "")
    if kind not in _GIVE_BACKS and not _CONSUME.fullmatch(kind):
        raise NotificationRefused("unknown_kind")
    number = _matching(fields, "orderId", _NUMBER)
    ordered_at = _time(fields)
    query_id = _matching(fields, "queryId", _QUERY_ID)
    code = fields.get("respCode", "")
    state = state_of(code)
    if state is None:
        raise NotificationRefused("malformed")
    if state is TradeState.CAPTURED and not fields.get("traceTime"):
        # The answer to a request says 00 for "accepted", signed in the same way; only what was carried out has a trace.
        raise NotificationRefused("malformed")
    notification_id = "-".join((kind, number, fields["txnTime"], query_id, code))
    if kind in _GIVE_BACKS:
        refund = refund_report(fields, TradeState.PENDING if state is TradeState.NOT_FOUND else state, code)
        return Notification(notification_id, number[:ORDER_CHARACTERS], refund_no=number, refund=refund)
    trade = trade_report(fields, state, code, ordered_at)
    if not _decides(kind, state):
        trade = TradeReport(TradeState.PENDING, trade.channel_trade_no, channel_code=code)
    return Notification(notification_id, number, trade=trade)


def _decides(kind: str, state: TradeState) -> bool:
    """A code on display can be tried again by the next card after one was refused: only a query tells its end."""
    return state in {TradeState.CAPTURED, TradeState.PENDING} or (kind == _BARCODE and state is TradeState.REFUSED)


def read_form(body: bytes) -> tuple[dict[str, str], str]:
    """The fields, decoded by the `encoding` that the form itself names, and that encoding as Python names it.

    Raises NotificationRefused.
    """
    try:
        text = body.decode("ascii")
        encoding = _ENCODINGS[dict(_pairs(text, "latin-1")).get("encoding", "UTF-8").upper()]
        pairs = _pairs(text, encoding)
    except (ValueError, KeyError):
        raise NotificationRefused("malformed") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NotificationRefused("malformed")
    return fields, encoding


def _pairs(text: str, encoding: str) -> list[tuple[str, str]]:
    return parse_qsl(
        text,
        keep_blank_values=True,
        strict_parsing=True,
        encoding=encoding,
        errors="strict",
        max_num_fields=_FIELDS_MAX,
    )


def _matching(fields: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name, "")
    if not pattern.fullmatch(value):
        raise NotificationRefused("malformed")
    return value


def _time(fields: Mapping[str, str]) -> datetime:
    try:
        return datetime.strptime(_matching(fields, "txnTime", _TIME), TIME_LAYOUT).replace(tzinfo=BEIJING)
    except ValueError:
        raise NotificationRefused("malformed") from None
