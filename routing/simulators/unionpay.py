"""The UnionPay simulator's front: ACP 5.1.0 forms, their fields and signatures (CHANNEL-PROTOCOLS 3.1–3.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from routing.simulators.acts import Act, CallKind, Sealing
from routing.simulators.books import Books
from routing.simulators.channel import Call, HttpAnswer, HttpRequest, Visit
from routing.simulators.magic import magic_act
from routing.simulators.moments import within
from routing.simulators.notifications import Herald, Silent
from routing.simulators.unionpay_account import Merchant, UnionpayAccount
from routing.simulators.unionpay_answers import (
    BAD_FORMAT,
    BAD_SIGNATURE,
    MISSING_FIELD,
    NO_PERMISSION,
    TOO_FREQUENT,
    UNCLEAR,
    UNKNOWN_MERCHANT,
    Fields,
    UnionpayDraft,
    echo,
    result,
)
from routing.simulators.unionpay_calls import UnionpayDesk
from routing.simulators.unionpay_signing import ENCODINGS, read_form

Handler = Callable[[UnionpayDesk, Fields, Act], Fields]

BACK: Final = "/gateway/api/backTransReq.do"
QUERY: Final = "/gateway/api/queryTrans.do"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One business: where it may be posted, what it needs beside the common fields."""

    kind: CallKind
    handler: Handler
    paths: frozenset[str]
    required: tuple[str, ...] = ()


_MONEY: Final = ("txnAmt", "channelType")
_TRANSACTIONS: Final = {
    ("01", "06"): Transaction(
        CallKind.PAY, UnionpayDesk.consume, frozenset({BACK}), (*_MONEY, "currencyCode", "qrNo", "orderId", "txnTime")
    ),
    ("00", "00"): Transaction(CallKind.QUERY, UnionpayDesk.query, frozenset({QUERY})),
    ("31", "00"): Transaction(
        CallKind.REFUND, UnionpayDesk.void, frozenset({BACK}), (*_MONEY, "origQryId", "orderId", "txnTime")
    ),
    ("04", "00"): Transaction(
        CallKind.REFUND, UnionpayDesk.refund, frozenset({BACK}), (*_MONEY, "origQryId", "orderId", "txnTime")
    ),
    ("99", "01"): Transaction(CallKind.REVERSE, UnionpayDesk.reverse, frozenset({BACK, QUERY}), ("orderId", "txnTime")),
}
_COMMON: Final = (
    "version", "encoding", "signMethod", "signature", "txnType", "txnSubType", "bizType", "accessType", "merId",
)  # fmt: skip
_FORMATS: Final = {
    "orderId": re.compile(r"[0-9A-Za-z]{8,40}"),
    "txnTime": re.compile(r"[0-9]{14}"),
    "txnAmt": re.compile(r"[1-9][0-9]{0,11}"),
    "currencyCode": re.compile("156"),
    "version": re.compile(r"5\.1\.0"),
    "bizType": re.compile("000000"),
    "accessType": re.compile("[012]"),
    "channelType": re.compile("0[78]"),
    "qrNo": re.compile("[0-9]{1,20}"),
}


@dataclass(frozen=True, slots=True)
class UnionpayCall:
    """A request whose signature was verified."""

    account: UnionpayAccount = field(repr=False)
    merchant: Merchant
    desk: UnionpayDesk = field(repr=False)
    handler: Handler
    kind: CallKind
    request: Fields

    @property
    def order_no(self) -> str:
        """orderId: for refunds and voids their own."""
        return self.request.get("orderId", "")

    @property
    def magic(self) -> Act | None:
        """What the payment code or the amount asks for."""
        if self.kind is not CallKind.PAY:
            return None
        return magic_act(self.request["qrNo"], int(self.request["txnAmt"]))

    def _draft(self, fields: Fields) -> UnionpayDraft:
        return UnionpayDraft(self.account, self.merchant, echo(self.request) | fields)

    def perform(self, act: Act) -> UnionpayDraft:
        """Carry it out."""
        return self._draft(self.handler(self.desk, self.request, act))

    def fail(self, code: str) -> UnionpayDraft:
        """Any respCode."""
        return self._draft(result(code))

    def server_error(self) -> UnionpayDraft:
        """04: the state is unclear."""
        return self.fail(UNCLEAR)

    def rate_limited(self) -> UnionpayDraft:
        """37."""
        return self.fail(TOO_FREQUENT)


class UnionpayChannel:
    """Checks requests: fields and formats, merchant, signature, then the transaction's own fields."""

    name = "unionpay"

    def __init__(self, account: UnionpayAccount, books: Books) -> None:
        self._account = account
        self._desk = UnionpayDesk(account.settings, books)
        self._now_ms = books.now_ms
        self.herald: Herald = Silent()

    def visit(self, request: HttpRequest) -> Visit | None:  # noqa: ARG002
        """None: it has no bridge."""
        return None

    def read(self, request: HttpRequest) -> Call | HttpAnswer:
        """Form in; refusals are signed as well as they can be."""
        if request.path not in (BACK, QUERY):
            return HttpAnswer(404)
        if request.method != "POST":
            return HttpAnswer(405)
        try:
            fields = read_form(request.body)
        except ValueError:
            return self._refuse({}, BAD_FORMAT)
        problem = self._problem(fields) or self._business_problem(request.path, fields)
        if problem is not None:
            return self._refuse(fields, problem)
        transaction = _TRANSACTIONS[fields["txnType"], fields["txnSubType"]]
        kind = transaction.kind
        if kind is CallKind.QUERY and self._asks_refund(fields):
            kind = CallKind.REFUND_QUERY
        merchant = self._account.merchants[fields["merId"]]
        return UnionpayCall(self._account, merchant, self._desk, transaction.handler, kind, fields)

    def _asks_refund(self, fields: Fields) -> bool:
        return self._desk.knows_refund(fields["merId"], fields.get("orderId", ""), fields.get("txnTime", ""))

    def _refuse(self, fields: Fields, code: str) -> HttpAnswer:
        merchant = self._account.merchants.get(fields.get("merId", ""))
        safe = {name: value for name, value in echo(fields).items() if "&" not in value}
        return UnionpayDraft(self._account, merchant, safe | result(code)).seal(Sealing.SIGNED)

    def _problem(self, fields: Fields) -> str | None:
        """The respCode of what is wrong with the message, before its business is looked at."""
        if not all(fields.get(name) for name in _COMMON):
            return MISSING_FIELD
        if fields["encoding"].upper() not in ENCODINGS or _has_bare_ampersand(fields.get("reqReserved", "")):
            return BAD_FORMAT
        if any(fields.get(name) and not pattern.fullmatch(fields[name]) for name, pattern in _FORMATS.items()):
            return BAD_FORMAT
        merchant = self._account.merchants.get(fields["merId"])
        if merchant is None:
            return UNKNOWN_MERCHANT
        proven = fields["signMethod"] == merchant.sign_method and merchant.proves(fields)
        return None if proven else BAD_SIGNATURE

    def _business_problem(self, path: str, fields: Fields) -> str | None:
        """The respCode of what is wrong with the transaction's own fields."""
        transaction = _TRANSACTIONS.get((fields["txnType"], fields["txnSubType"]))
        if transaction is None or path not in transaction.paths:
            return NO_PERMISSION
        by_order = fields.get("orderId") and fields.get("txnTime")
        unnamed = transaction.kind is CallKind.QUERY and not by_order and not fields.get("queryId")
        if unnamed or not all(fields.get(name) for name in transaction.required):
            return MISSING_FIELD
        if transaction.kind is CallKind.PAY and not self._fresh(fields["txnTime"]):
            return BAD_FORMAT
        return None

    def _fresh(self, txn_time: str) -> bool:
        """A consume carries the time of its sending; refunds keep theirs when they are repeated days later."""
        skew_s = self._account.settings.consume_skew_s
        return within(txn_time, "%Y%m%d%H%M%S", of_s=self._now_ms() / 1_000, seconds=skew_s)


def _has_bare_ampersand(text: str) -> bool:
    """An echoed & outside of braces would break the client's parser."""
    return "&" in text and not (text.startswith("{") and text.endswith("}"))
