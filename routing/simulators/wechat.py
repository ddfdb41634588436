"""The WeChat Pay simulator's front: routes and checks requests as the real servers do (CHANNEL-PROTOCOLS 1.1–1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import orjson

from routing.simulators.acts import Act, CallKind
from routing.simulators.books import Books
from routing.simulators.channel import Call, HttpAnswer, HttpRequest, Visit
from routing.simulators.magic import magic_act
from routing.simulators.notifications import Herald, Silent
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import JSON, WechatDraft, failure
from routing.simulators.wechat_calls import WechatDesk
from routing.simulators.wechat_signing import fresh, read_authorization, request_text, verifies

Handler = Callable[[WechatDesk, "WechatCall", Act], WechatDraft]

_ORDER_NO: Final = r"[^/]+"


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: which call of the desk serves it, and whether its order number stands in the path."""

    method: str
    path: re.Pattern[str]
    kind: CallKind
    handler: Handler


def _route(method: str, path: str, kind: CallKind, handler: Handler) -> Route:
    return Route(method, re.compile(path.replace("{no}", f"({_ORDER_NO})")), kind, handler)


_ROUTES: Final = (
    _route("POST", "/v3/pay/transactions/codepay", CallKind.PAY, WechatDesk.codepay),
    _route("GET", "/v3/pay/transactions/out-trade-no/{no}", CallKind.QUERY, WechatDesk.query),
    _route("GET", "/v3/pay/transactions/id/{no}", CallKind.QUERY, WechatDesk.query_by_id),
    _route("POST", "/v3/pay/transactions/out-trade-no/{no}/reverse", CallKind.REVERSE, WechatDesk.reverse),
    _route("POST", "/v3/pay/transactions/out-trade-no/{no}/close", CallKind.CLOSE, WechatDesk.close),
    _route("POST", "/v3/refund/domestic/refunds", CallKind.REFUND, WechatDesk.refund),
    _route("GET", "/v3/refund/domestic/refunds/{no}", CallKind.REFUND_QUERY, WechatDesk.query_refund),
    _route("GET", "/v3/certificates", CallKind.OTHER, WechatDesk.certificates),
)


@dataclass(frozen=True, slots=True)
class WechatCall:
    """A request whose signature was verified; `serial` names the key that its answer is to be signed with."""

    desk: WechatDesk = field(repr=False)
    handler: Handler
    kind: CallKind
    serial: str
    number: str
    query: dict[str, str]
    document: dict[str, Any]

    @property
    def order_no(self) -> str:
        """The number in the path, or the order number in the body."""
        return self.number or str(self.document.get("out_trade_no", ""))

    @property
    def magic(self) -> Act | None:
        """What the payment code or the amount asks for."""
        if self.kind is not CallKind.PAY:
            return None
        payer, amount = self.document.get("payer"), self.document.get("amount")
        code = payer.get("auth_code") if isinstance(payer, dict) else None
        total = amount.get("total") if isinstance(amount, dict) else None
        return magic_act(code, total) if isinstance(code, str) and type(total) is int else None

    def perform(self, act: Act) -> WechatDraft:
        """Carry it out."""
        return self.handler(self.desk, self, act)

    def fail(self, code: str) -> WechatDraft:
        """Any of WeChat's codes."""
        return failure(self.desk.account, self.serial, code)

    def server_error(self) -> WechatDraft:
        """500 SYSTEM_ERROR."""
        return self.fail("SYSTEM_ERROR")

    def rate_limited(self) -> WechatDraft:
        """429."""
        return self.fail("FREQUENCY_LIMITED")


class WechatChannel:
    """Checks WeChat requests as the real servers were seen to do, in their order."""

    name = "wechat"

    def __init__(self, account: WechatAccount, books: Books) -> None:
        self._account = account
        self._desk = WechatDesk(account, books)
        self._now_ms = books.now_ms
        self.herald: Herald = Silent()

    def visit(self, request: HttpRequest) -> Visit | None:  # noqa: ARG002
        """None: it has no bridge."""
        return None

    def read(self, request: HttpRequest) -> Call | HttpAnswer:
        """Route, then headers, then timestamp, then signature, then JSON."""
        matches = [(route, found) for route in _ROUTES if (found := route.path.fullmatch(request.raw_path))]
        if not matches:
            return HttpAnswer(404)
        route, found = matches[0]
        if route.method != request.method:
            return HttpAnswer(405)
        refused = self._check_headers(request, route) or self._check_signature(request)
        if refused is not None:
            return refused
        document: object = {}
        if request.method == "POST":
            try:
                document = orjson.loads(request.body)
            except orjson.JSONDecodeError:
                document = None
        if not isinstance(document, dict):
            return self._refuse("PARAM_ERROR", "请求体不是合法的JSON")
        return WechatCall(
            desk=self._desk,
            handler=route.handler,
            kind=route.kind,
            serial=request.header(b"wechatpay-serial") or self._account.certificate_serial,
            number=unquote(found[1]) if found.re.groups else "",
            query={name: values[-1] for name, values in parse_qs(request.query).items()} if request.query else {},
            document=document,
        )

    def _refuse(self, code: str, message: str) -> HttpAnswer:
        draft = failure(self._account, "", code, message)
        return HttpAnswer(draft.status, [JSON], draft.body)

    def _check_headers(self, request: HttpRequest, route: Route) -> HttpAnswer | None:
        if not request.header(b"user-agent"):
            if route.path.pattern.startswith("/v3/pay/"):
                return self._refuse("SIGN_ERROR", "Http头缺少User-Agent")
            return self._refuse("INVALID_REQUEST", "Http头缺少Accept或User-Agent")
        accept = request.header(b"accept")
        if "application/json" not in accept and "*/*" not in accept:
            return self._refuse("INVALID_REQUEST", "Http头缺少Accept或User-Agent")
        if request.method == "POST" and not request.header(b"content-type").startswith("application/json"):
            return self._refuse("INVALID_REQUEST", "Http头Content-Type应为application/json")
        serial = request.header(b"wechatpay-serial")
        if serial and serial not in self._account.platform_keys:
            return self._refuse("PARAM_ERROR", "Wechatpay-Serial不存在")
        return None

    def _check_signature(self, request: HttpRequest) -> HttpAnswer | None:
        authorization = read_authorization(request.header(b"authorization"))
        if authorization is None:
            return self._refuse("SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
        if not fresh(authorization.timestamp, self._now_ms() / 1_000):
            return self._refuse("SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        text = request_text(request.method, request.target, authorization.timestamp, authorization.nonce, request.body)
        account = self._account
        known = (authorization.mchid, authorization.serial_no.upper()) == (account.mchid, account.merchant_serial)
        if not known or not verifies(account.merchant_key, authorization.signature, text):
            return self._refuse("SIGN_ERROR", "签名错误，请检查后再试")
        return None
