"""The transactions that the UnionPay simulator knows: where they are posted, and what their fields must be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from routing.simulators.acts import CallKind
from routing.simulators.unionpay_account import Merchant
from routing.simulators.unionpay_answers import BAD_FORMAT, MISSING_FIELD, NO_PERMISSION, Fields
from routing.simulators.unionpay_signing import ENCODINGS

BACK: Final = "/gateway/api/backTransReq.do"
QUERY: Final = "/gateway/api/queryTrans.do"
APP: Final = "/gateway/api/newAppTransReq.do"
ORDER: Final = "/gateway/api/order.do"
FILE: Final = "/file/"
NO_NOTIFICATION: Final = "http://www.specialurl.com"
"""The address, in any case of letters, of those who want none."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A verified request: its fields, whose it is, and the host that it was sent to."""

    fields: Fields
    merchant: Merchant
    host: str

    @property
    def notify_url(self) -> str:
        """Where the result is to be told; empty where it is not wanted."""
        url = self.fields.get("backUrl", "")
        return "" if url.rstrip("/").lower() == NO_NOTIFICATION else url


@dataclass(frozen=True, slots=True)
class Transaction:
    """One business: where it may be posted, what it needs beside the common fields."""

    kind: CallKind
    paths: frozenset[str]
    required: tuple[str, ...] = ()


_NAMED: Final = ("orderId", "txnTime")
_GIVE_BACK: Final = (*_NAMED, "txnAmt", "channelType", "origQryId")
_CONSUME: Final = (*_NAMED, "txnAmt", "channelType", "currencyCode")
_FRONT: Final = frozenset({APP, ORDER})
CONSUME: Final = ("01", "06")
TRANSACTIONS: Final = {
    CONSUME: Transaction(CallKind.PAY, frozenset({BACK}), (*_CONSUME, "qrNo")),
    ("01", "07"): Transaction(CallKind.CREATE_CODE, frozenset({BACK}), _CONSUME),
    ("01", "01"): Transaction(CallKind.CREATE_PAGE, _FRONT, (*_CONSUME, "tradeType", "appUserId", "frontUrl")),
    ("00", "10"): Transaction(CallKind.IDENTIFY, _FRONT, (*_NAMED, "channelType", "userAuthCode", "appUpIdentifier")),
    ("00", "00"): Transaction(CallKind.QUERY, frozenset({QUERY})),
    ("31", "00"): Transaction(CallKind.REFUND, frozenset({BACK}), _GIVE_BACK),
    ("04", "00"): Transaction(CallKind.REFUND, frozenset({BACK}), _GIVE_BACK),
    ("99", "01"): Transaction(CallKind.REVERSE, frozenset({BACK, QUERY}), _NAMED),
    ("76", "01"): Transaction(CallKind.STATEMENT, frozenset({FILE}), ("txnTime", "settleDate", "fileType")),
}
PATHS: Final = frozenset().union(*[transaction.paths for transaction in TRANSACTIONS.values()])
_COMMON: Final = (
    "version", "encoding", "signMethod", "signature", "txnType", "txnSubType", "bizType", "accessType", "merId",
)  # fmt: skip
_TIME: Final = re.compile(r"[0-9]{14}")
_WEB_ADDRESS: Final = re.compile(r"https?://[!-~]{1,2000}")
_FORMATS: Final = {
    "orderId": re.compile(r"[0-9A-Za-z]{8,40}"),
    "txnTime": _TIME,
    "payTimeout": _TIME,
    "txnAmt": re.compile(r"[1-9][0-9]{0,11}"),
    "currencyCode": re.compile("156"),
    "version": re.compile(r"5\.1\.0"),
    "bizType": re.compile("000000"),
    "accessType": re.compile("[012]"),
    "channelType": re.compile("0[78]"),
    "qrNo": re.compile("[0-9]{1,20}"),
    "tradeType": re.compile("mobileWeb"),
    "backUrl": _WEB_ADDRESS,
    "frontUrl": _WEB_ADDRESS,
    "appUpIdentifier": re.compile(r"UnionPay/[0-9.]+ [0-9A-Za-z]+"),
    "settleDate": re.compile("[0-9]{4}"),
    "fileType": re.compile("00"),
}


def form_problem(fields: Fields) -> str | None:
    """The respCode of what is wrong with the form of a message; None where nothing is."""
    if not all(fields.get(name) for name in _COMMON):
        return MISSING_FIELD
    if fields["encoding"].upper() not in ENCODINGS or _has_bare_ampersand(fields.get("reqReserved", "")):
        return BAD_FORMAT
    if any(fields.get(name) and not pattern.fullmatch(fields[name]) for name, pattern in _FORMATS.items()):
        return BAD_FORMAT
    return None


def business_problem(path: str, fields: Fields) -> str | None:
    """The respCode of what is wrong with a transaction's own fields; None where nothing is."""
    transaction = TRANSACTIONS.get((fields["txnType"], fields["txnSubType"]))
    if transaction is None or path not in transaction.paths:
        return NO_PERMISSION
    by_order = fields.get("orderId") and fields.get("txnTime")
    unnamed = transaction.kind is CallKind.QUERY and not by_order and not fields.get("queryId")
    if unnamed or not all(fields.get(name) for name in transaction.required):
        return MISSING_FIELD
    return None


def _has_bare_ampersand(text: str) -> bool:
    """An echoed & outside of braces would break the client's parser."""
    return "&" in text and not (text.startswith("{") and text.endswith("}"))
