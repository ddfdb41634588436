"""The Alipay simulator's front: gateway.do, its parameters and its signature (CHANNEL-PROTOCOLS 2.1–2.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from routing.simulators import pages
from routing.simulators.acts import Act, CallKind, Sealing
from routing.simulators.alipay_account import AlipayAccount
from routing.simulators.alipay_answers import AlipayDraft, failure, fen
from routing.simulators.alipay_calls import AlipayDesk
from routing.simulators.alipay_fields import Ask, Bad
from routing.simulators.alipay_herald import AlipayHerald
from routing.simulators.alipay_orders import AlipayOrders
from routing.simulators.alipay_signing import charset_of, merge, verifies
from routing.simulators.alipay_statements import FILE_PATH, AlipayStatements
from routing.simulators.alipay_visits import AUTHORIZE_PATH, AlipayVisits
from routing.simulators.books import Books
from routing.simulators.channel import Call, Display, HttpAnswer, HttpRequest, Visit, signed_at_once
from routing.simulators.magic import magic_act
from routing.simulators.moments import within
from routing.simulators.notifications import Herald

Handler = Callable[[Ask, Act], dict[str, Any]]

IDENTIFY: Final = "alipay.system.oauth.token"
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
class GatewayMethod:
    """One method of the gateway; most take their parameters from `biz_content` and answer errors in their own node."""

    kind: CallKind
    handler: Handler = field(repr=False)
    node_name: str
    error_name: str


@dataclass(frozen=True, slots=True)
class AlipayCall:
    """A request whose signature was verified; what answers it is signed with the key that belongs to its own."""

    name: str
    method: GatewayMethod
    ask: Ask
    key: RSAPrivateKey = field(repr=False)

    @property
    def kind(self) -> CallKind:
        """What it asks for."""
        return self.method.kind

    @property
    def order_no(self) -> str:
        """The merchant's number."""
        return str(self.ask.content.get("out_trade_no", ""))

    @property
    def magic(self) -> Act | None:
        """What the payment code or the amount asks for."""
        if self.kind is not CallKind.PAY:
            return None
        code, amount_fen = self.ask.content.get("auth_code"), fen(self.ask.content.get("total_amount"))
        return None if not isinstance(code, str) or amount_fen is None else magic_act(code, amount_fen)

    def perform(self, act: Act) -> AlipayDraft:
        """Carry it out; business failures are signed like successes."""
        try:
            node = self.method.handler(self.ask, act)
        except Bad as error:
            return AlipayDraft(
                self.key, self.method.error_name, failure(error.sub_code, error.message), self.ask.charset
            )
        return AlipayDraft(self.key, self.method.node_name, node, self.ask.charset)

    def fail(self, code: str) -> AlipayDraft:
        """Any sub_code: ACQ.…, isv.…, isp.…, aop.…"""
        return AlipayDraft(self.key, self.method.error_name, failure(code), self.ask.charset)

    def server_error(self) -> AlipayDraft:
        """20000."""
        return self.fail("isp.unknow-error")

    def rate_limited(self) -> AlipayDraft:
        """40005."""
        return self.fail("isv.app-call-limited")

    def unavailable(self) -> AlipayDraft:
        """40004 ACQ.ACCESS_FORBIDDEN."""
        return self.fail("ACQ.ACCESS_FORBIDDEN")


def _method(name: str, kind: CallKind, handler: Handler) -> GatewayMethod:
    """The node of an answer is named after its method; only the OAuth call answers errors in another."""
    node_name = f"{name.replace('.', '_')}_response"
    return GatewayMethod(kind, handler, node_name, "error_response" if name == IDENTIFY else node_name)


class AlipayChannel:
    """Checks requests in the order that the real gateway was seen to: application, other parameters, signature."""

    name = "alipay"
    display: Final = Display(("alipay",))

    def __init__(self, account: AlipayAccount, books: Books) -> None:
        self._account = account
        self._now_ms = books.now_ms
        self._visits = AlipayVisits(account, books)
        self._statements = AlipayStatements(account, books)
        self._methods = self._all_methods(AlipayDesk(account, books), AlipayOrders(account, books))
        self.herald: Herald = AlipayHerald(account)

    def _all_methods(self, desk: AlipayDesk, orders: AlipayOrders) -> dict[str, GatewayMethod]:
        found = (
            ("alipay.trade.pay", CallKind.PAY, desk.pay),
            ("alipay.trade.query", CallKind.QUERY, desk.query),
            ("alipay.trade.cancel", CallKind.REVERSE, desk.cancel),
            ("alipay.trade.close", CallKind.CLOSE, desk.close),
            ("alipay.trade.refund", CallKind.REFUND, desk.refund),
            ("alipay.trade.fastpay.refund.query", CallKind.REFUND_QUERY, desk.query_refund),
            ("alipay.trade.precreate", CallKind.CREATE_CODE, orders.precreate),
            ("alipay.trade.create", CallKind.CREATE_PAGE, orders.create),
            (IDENTIFY, CallKind.IDENTIFY, self._visits.token),
            (
                "alipay.data.dataservice.bill.downloadurl.query",
                CallKind.STATEMENT,
                self._statements.download_url,
            ),
        )
        return {name: _method(name, kind, handler) for name, kind, handler in found}

    def visit(self, request: HttpRequest) -> Visit | None:
        """The stand-in of the app's in-page bridge."""
        return self._visits.bridge(request)

    def read(self, request: HttpRequest) -> Call | Visit | HttpAnswer:
        """GET and POST alike; parameters from query and form together."""
        if request.path != "/gateway.do":
            return self._read_visit(request)
        if request.method not in ("GET", "POST"):
            return HttpAnswer(405)
        try:
            parameters = merge(request.query, request.body.decode("utf-8") if request.method == "POST" else "")
        except (UnicodeDecodeError, ValueError):
            return self._refuse("", "isv.suspected-attack")
        name = parameters.get("method", "")
        problem = self._problem(parameters)
        key = None if problem is not None else self._signing_key(parameters)
        if key is None:
            return self._refuse(name, problem or "isv.invalid-signature")
        charset, method = charset_of(parameters), self._methods.get(name)
        content = _json_object(parameters.get("biz_content") or "{}")
        if content is None or method is None:
            sub_code = "isv.illegal-json" if content is None else "isv.invalid-method"
            draft = AlipayDraft(key, self._error_name(name), failure(sub_code), charset)
            return signed_at_once(draft.seal(Sealing.SIGNED))
        host = request.header(b"host") or "127.0.0.1"
        return AlipayCall(name, method, Ask(content, parameters, charset, host), key)

    def _read_visit(self, request: HttpRequest) -> Visit | HttpAnswer:
        """What browsers and bill readers fetch."""
        if request.path not in (AUTHORIZE_PATH, FILE_PATH):
            return HttpAnswer(404)
        if request.method != "GET":
            return HttpAnswer(405)
        if request.path == AUTHORIZE_PATH:
            return Visit(lambda _: self._visits.authorize(request))
        token = pages.query_of(request).get("token", "")
        return Visit(lambda _: self._statements.file(token))

    def _error_name(self, name: str) -> str:
        method = self._methods.get(name)
        return "error_response" if method is None else method.error_name

    def _refuse(self, name: str, sub_code: str) -> HttpAnswer:
        """An error of the gateway itself, which goes unsigned."""
        key = self._account.signing_key()
        draft = AlipayDraft(key, self._error_name(name), failure(sub_code), signed=False)
        return signed_at_once(draft.seal(Sealing.UNSIGNED))

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
        return next((sub_code for holds, sub_code in checks if not holds), None)

    def _signing_key(self, parameters: dict[str, str]) -> RSAPrivateKey | None:
        """The key that answers a request; None where none of the application's own keys proves it."""
        return next((pair.alipay_key for pair in self._account.keys if verifies(pair.app_key, parameters)), None)

    def _fresh(self, timestamp: str) -> bool:
        skew_s = self._account.settings.timestamp_skew_s
        return within(timestamp, "%Y-%m-%d %H:%M:%S", of_s=self._now_ms() / 1_000, seconds=skew_s)


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
