"""Alipay's notifications: forms signed over their decoded values.  CHANNEL-PROTOCOLS 2.5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from routing.channels.alipay_answers import trade_report
from routing.channels.alipay_codes import TRADE_STATES
from routing.channels.alipay_signing import is_signed_form
from routing.channels.notifications import Acknowledgement, Acknowledgements, Notification, NotificationRefused
from routing.channels.reports import RefundReport, RefundState
from routing.channels.settings import AlipaySettings
from routing.channels.wire import text_of

ACKNOWLEDGEMENTS: Final = Acknowledgements(
    accepted=Acknowledgement(200, "text/plain", b"success"), refused=Acknowledgement(400, "text/plain", b"fail")
)
_ENCODINGS: Final = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gbk", "gb2312": "gbk"}
_FIELDS_MAX: Final = 100
_OF_A_TRADE: Final = "trade_status_sync"


def read_notification(body: bytes, settings: AlipaySettings, key: RSAPublicKey) -> Notification:
    """Verify and read one.  They carry no time that is checked: Alipay repeats the same one for a day.

    Raises NotificationRefused: `malformed`, `signature`, `wrong_account`, `unknown_kind`.
    """
    fields, encoding = _read_form(body)
    if not is_signed_form(fields, key, encoding):
        raise NotificationRefused("signature")
    if fields.get("app_id") != settings.app_id or fields.get("seller_id") != settings.seller_id:
        raise NotificationRefused("wrong_account")
    if fields.get("notify_type") != _OF_A_TRADE:
        raise NotificationRefused("unknown_kind")
    order_no, status = _named(fields, "out_trade_no"), _named(fields, "trade_status")
    # One notify_id can stand for a payment and for a refund after it.
    refund_no = text_of(fields, "out_biz_no")
    parts = (_named(fields, "notify_id"), status, refund_no, text_of(fields, "refund_fee"))
    notification_id = ":".join([part for part in parts if part])
    if refund_no is not None and ("gmt_refund" in fields or "refund_fee" in fields):
        # refund_fee is the sum of all refunds of the trade: which of them succeeded only a query says.
        refund = RefundReport(RefundState.PENDING, channel_code=status)
        return Notification(notification_id, order_no, refund_no=refund_no, refund=refund)
    state = TRADE_STATES.get(status)
    if state is None:
        raise NotificationRefused("unknown_kind")
    return Notification(notification_id, order_no, trade=trade_report(fields, state, status, "gmt_payment"))


def _read_form(body: bytes) -> tuple[dict[str, str], str]:
    """The fields, decoded by the `charset` that the form itself names, and that encoding."""
    try:
        text = body.decode("ascii")
        encoding = _ENCODINGS[dict(_pairs(text, "latin-1")).get("charset", "utf-8").lower()]
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


def _named(fields: Mapping[str, str], name: str) -> str:
    value = text_of(fields, name)
    if value is None:
        raise NotificationRefused("malformed")
    return value
