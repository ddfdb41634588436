"""The Alipay simulator's front: gateway.do, its parameters and its signature (CHANNEL-PROTOCOLS 2.1–2.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from routing.simulators.acts import Act, CallKind, Sealing
from routing.simulators.alipay_account import AlipayAccount
from routing.simulators.alipay_answers import AlipayDraft, failure, fen
from routing.simulators.alipay_calls import AlipayDesk, Bad
from routing.simulators.alipay_signing import charset_of, merge, verifies
from routing.simulators.books import Books
from routing.simulators.channel import Call, HttpAnswer, HttpRequest, Visit
from routing.simulators.magic import magic_act
from routing.simulators.moments import within
from routing.simulators.notifications import Herald, Silent

Handler = Callable[[AlipayDesk, dict[str, Any], Act], dict[str, Any]]

_METHODS: Final[dict[str, tuple[CallKind, Handler]]] = {
    "alipay.trade.pay": (CallKind.PAY, AlipayDesk.pay),
    "alipay.trade.query": (CallKind.QUERY, AlipayDesk.query),
    "alipay.trade.cancel": (CallKind.REVERSE, AlipayDesk.cancel),
    "alipay.trade.close": (CallKind.CLOSE, AlipayDesk.close),
    "alipay.trade.refund": (CallKind.REFUND, AlipayDesk.refund),
    "alipay.trade.fastpay.refund.query": (CallKind.REFUND_QUERY, AlipayDesk.query_refund),
}
_REQUIRED: Final = (
    # parameter     sub_code where it is missing
    ("method", "isv.missing-method"),
    ("app_id", "isv.missing-app-id"),
    ("sign_type", "isv.missing-signature-type"),
    ("sign", "isv.missing-signature"),
    ("timestamp", "isv.missing-timestamp"),
    ("version", "isv.missing-version"),
)


@dataclass(frozen=True, slots=True)
class AlipayCall:
    """A request whose signature was verified."""

    account: AlipayAccount = field(repr=False)
    desk: AlipayDesk = field(repr=False)
    handler: Handler
    kind: CallKind
    method: str
    charset: str
    content: dict[str, Any]

    @property
    def order_no(self) -> str:
        """The merchant's number."""
        return str(self.content.get("out_trade_no", ""))

    @property
    def magic(self) -> Act | None:
        """What the payment code or the amount asks for."""
        code, amount_fen = self.content.get("auth_code"), fen(self.content.get("total_amount"))
        if self.kind is not CallKind.PAY or not isinstance(code, str) or amount_fen is None:
            return None
        return magic_act(code, amount_fen)

    def _draft(self, node: dict[str, Any]) -> AlipayDraft:
        return AlipayDraft(self.account, _node_name(self.method), node, self.charset)

    def perform(self, act: Act) -> AlipayDraft:
        """Carry it out; business failures are signed like successes."""
        try:
            return self._draft(self.handler(self.desk, self.content, act))
        except Bad as error:
            return self._draft(failure(error.sub_code, error.message))

    def fail(self, code: str) -> AlipayDraft:
        """Any sub_code: ACQ.…, isv.…, isp.…, aop.…"""
        return self._draft(failure(code))

    def server_error(self) -> AlipayDraft:
        """20000."""
        return self.fail("isp.unknow-error")

    def rate_limited(self) -> AlipayDraft:
        """40005."""
        return self.fail("isv.app-call-limited")


def _node_name(method: str) -> str:
    return f"{method.replace('.', '_')}_response" if method in _METHODS else "error_response"


class AlipayChannel:
    """Checks requests in the order that the real gateway was seen to: application, other parameters, signature."""

    name = "alipay"

    def __init__(self, account: AlipayAccount, books: Books) -> None:
        self._account = account
        self._desk = AlipayDesk(account, books)
        self._now_ms = books.now_ms
        self.herald: Herald = Silent()

    def visit(self, request: HttpRequest) -> Visit | None:  # noqa: ARG002
        """None: it has no bridge."""
        return None

    def read(self, request: HttpRequest) -> Call | HttpAnswer:
        """GET and POST alike; parameters from query and form together."""
        if request.path != "/gateway.do":
            return HttpAnswer(404)
        if request.method not in ("GET", "POST"):
            return HttpAnswer(405)
        try:
            parameters = merge(request.query, request.body.decode("utf-8") if request.method == "POST" else "")
        except (UnicodeDecodeError, ValueError):
            return self._refuse("", "isv.suspected-attack")
        method = parameters.get("method", "")
        problem = self._problem(parameters)
        if problem is not None:
            return self._refuse(method, problem)
        charset = charset_of(parameters)
        content = _json_object(parameters.get("biz_content", "{}"))
        if content is None or method not in _METHODS:
            sub_code = "isv.illegal-json" if content is None else "isv.invalid-method"
            return AlipayDraft(self._account, _node_name(method), failure(sub_code), charset).seal(Sealing.SIGNED)
        kind, handler = _METHODS[method]
        return AlipayCall(self._account, self._desk, handler, kind, method, charset, content)

    def _refuse(self, method: str, sub_code: str) -> HttpAnswer:
        """An error of the gateway itself, which goes unsigned."""
        return AlipayDraft(self._account, _node_name(method), failure(sub_code), signed=False).seal(Sealing.UNSIGNED)

    def _problem(self, parameters: dict[str, str]) -> str | None:
        """The sub_code of the first public parameter that is wrong."""
        for name, sub_code in _REQUIRED:
            if not parameters.get(name):
                return sub_code
            if name == "app_id" and parameters[name] != self._account.app_id:
                return "isv.invalid-app-id"
        checks = (
            (parameters["sign_type"] == "RSA2", "isv.invalid-signature-type"),
            (self._fresh(parameters["timestamp"]), "isv.invalid-timestamp"),
            (parameters["version"] == "1.0", "isv.invalid-parameter"),
            (parameters.get("format", "JSON").upper() == "JSON", "isv.invalid-parameter"),
        )
        broken = next((sub_code for holds, sub_code in checks if not holds), None)
        return broken if broken or verifies(self._account.app_key, parameters) else "isv.invalid-signature"

    def _fresh(self, timestamp: str) -> bool:
        skew_s = self._account.settings.timestamp_skew_s
        return within(timestamp, "%Y-%m-%d %H:%M:%S", of_s=self._now_ms() / 1_000, seconds=skew_s)


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
