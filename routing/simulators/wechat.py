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
from routing.simulators.channel import Call, Display, Draft, HttpAnswer, HttpRequest, Visit
from routing.simulators.grants import Grants
from routing.simulators.magic import magic_act
from routing.simulators.pages import query_of
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import JSON, WechatDraft, failure
from routing.simulators.wechat_bills import FILE, BillDesk
from routing.simulators.wechat_bridge import Bridge
from routing.simulators.wechat_calls import BarcodeDesk
from routing.simulators.wechat_notifications import WechatHerald
from routing.simulators.wechat_oauth import AUTHORIZE, EXCHANGE, ExchangeCall, OauthPage
from routing.simulators.wechat_orders import OrderDesk
from routing.simulators.wechat_refunds import RefundDesk
from routing.simulators.wechat_signing import fresh, read_authorization, request_text, verifies

Handler = Callable[["WechatCall", Act], Draft]

_NUMBER: Final = "([^/]+)"


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: which call of a desk serves it."""

    method: str
    kind: CallKind
    handler: Handler


class Routes:
    """All endpoints: those with a path of their own, and those with a number in it."""

    def __init__(self, account: WechatAccount, books: Books) -> None:
        codes, orders = BarcodeDesk(account, books), OrderDesk(account, books)
        refunds, bills = RefundDesk(account, books), BillDesk(account, books)
        pay, refund = "/v3/pay/transactions", "/v3/refund/domestic/refunds"
        self._plain = {
            f"{pay}/codepay": Route("POST", CallKind.PAY, codes.codepay),
            f"{pay}/native": Route("POST", CallKind.CREATE_CODE, orders.native),
            f"{pay}/jsapi": Route("POST", CallKind.CREATE_PAGE, orders.jsapi),
            refund: Route("POST", CallKind.REFUND, refunds.refund),
            "/v3/certificates": Route("GET", CallKind.OTHER, codes.certificates),
            "/v3/bill/tradebill": Route("GET", CallKind.STATEMENT, bills.trade_bill),
            "/v3/bill/fundflowbill": Route("GET", CallKind.STATEMENT, bills.fund_flow_bill),
            FILE: Route("GET", CallKind.STATEMENT, bills.file),
        }
        numbered = {
            f"{pay}/out-trade-no/{_NUMBER}": Route("GET", CallKind.QUERY, codes.query),
            f"{pay}/id/{_NUMBER}": Route("GET", CallKind.QUERY, codes.query_by_id),
            f"{pay}/out-trade-no/{_NUMBER}/reverse": Route("POST", CallKind.REVERSE, codes.reverse),
            f"{pay}/out-trade-no/{_NUMBER}/close": Route("POST", CallKind.CLOSE, orders.close),
            f"{refund}/{_NUMBER}": Route("GET", CallKind.REFUND_QUERY, refunds.query),
            f"{refund}/{_NUMBER}/apply-abnormal-refund": Route("POST", CallKind.OTHER, refunds.retry_abnormal),
        }
        self._numbered = [(re.compile(path), route) for path, route in numbered.items()]

    def find(self, raw_path: str) -> tuple[Route, str] | None:
        """The route of a path, and the number in it (empty where it has none)."""
        route = self._plain.get(raw_path)
        if route is not None:
            return route, ""
        for pattern, numbered in self._numbered:
            if found := pattern.fullmatch(raw_path):
                return numbered, unquote(found[1])
        return None


@dataclass(frozen=True, slots=True)
class WechatCall:
    """A request whose signature was verified; `serial` names the key that its answer is to be signed with."""

    account: WechatAccount = field(repr=False)
    handler: Handler
    kind: CallKind
    serial: str
    number: str
    base_url: str
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

    def perform(self, act: Act) -> Draft:
        """Carry it out."""
        return self.handler(self, act)

    def fail(self, code: str) -> WechatDraft:
        """Any of WeChat's codes."""
        return failure(self.account, self.serial, code)

    def server_error(self) -> WechatDraft:
        """500 SYSTEM_ERROR."""
        return self.fail("SYSTEM_ERROR")

    def rate_limited(self) -> WechatDraft:
        """429."""
        return self.fail("FREQUENCY_LIMITED")

    def unavailable(self) -> WechatDraft:
        """403 NO_AUTH."""
        return self.fail("NO_AUTH")


class WechatChannel:
    """Checks WeChat requests as the real servers were seen to do, in their order."""

    name = "wechat"
    display: Final = Display(("wechat",))

    def __init__(self, account: WechatAccount, books: Books) -> None:
        self._account = account
        self._routes = Routes(account, books)
        self._grants = Grants(books)
        self._oauth = OauthPage(account, self._grants)
        self._bridge = Bridge(account, books)
        self._now_ms = books.now_ms
        self.herald: Final = WechatHerald(account)

    def visit(self, request: HttpRequest) -> Visit | None:
        """The in-page bridge."""
        return self._bridge.visit(request)

    def read(self, request: HttpRequest) -> Call | Visit | HttpAnswer:
        """Route, then headers, then timestamp, then signature, then JSON."""
        found = self._routes.find(request.raw_path)
        if found is None:
            return self._public(request)
        route, number = found
        if route.method != request.method:
            return HttpAnswer(405)
        refused = self._check_headers(request) or self._check_signature(request)
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
            account=self._account,
            handler=route.handler,
            kind=route.kind,
            serial=request.header(b"wechatpay-serial") or self._account.certificate_serial,
            number=number,
            base_url=f"http://{request.header(b'host')}",
            query={name: values[-1] for name, values in parse_qs(request.query).items()} if request.query else {},
            document=document,
        )

    def _public(self, request: HttpRequest) -> Call | Visit | HttpAnswer:
        """The public platform's pages and calls, which no merchant signs."""
        if request.method == "GET" and request.path == AUTHORIZE:
            return Visit(lambda _: self._oauth.answer(request))
        if request.method == "GET" and request.path == EXCHANGE:
            return ExchangeCall(self._account, self._grants, query_of(request))
        return HttpAnswer(404)

    def _refuse(self, code: str, message: str) -> HttpAnswer:
        draft = failure(self._account, "", code, message)
        return HttpAnswer(draft.status, [JSON], draft.body)

    def _check_headers(self, request: HttpRequest) -> HttpAnswer | None:
        if not request.header(b"user-agent"):
            if request.raw_path.startswith("/v3/pay/"):
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
        key = (
            account.merchant_keys.get(authorization.serial_no.upper()) if authorization.mchid == account.mchid else None
        )
        if key is None or not verifies(key, authorization.signature, text):
            return self._refuse("SIGN_ERROR", "签名错误，请检查后再试")
        return None
