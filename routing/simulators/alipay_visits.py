"""A customer's browser at Alipay: the page that tells who they are, and the bridge that pages in the app call."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from routing.simulators import pages
from routing.simulators.acts import Act
from routing.simulators.alipay_account import AlipayAccount
from routing.simulators.alipay_answers import open_id, user_id, yuan
from routing.simulators.alipay_fields import Ask, Bad, Document
from routing.simulators.books import Books, Status
from routing.simulators.channel import HttpAnswer, HttpRequest, Visit
from routing.simulators.grants import Grants
from routing.simulators.wallet import Action, Wallet, WalletRefused

AUTHORIZE_PATH: Final = "/oauth2/publicAppAuthorize.htm"
BRIDGE_PATH: Final = "/_simulator/bridge.js"
BRIDGE_CALL_PATH: Final = "/_simulator/bridge/trade"
_SCOPES: Final = frozenset({"auth_base", "auth_user", "auth_userinfo"})
_TOKEN_GOOD_FOR_S: Final = 1_296_000
_BRIDGE: Final = Path(__file__).with_name("alipay_bridge.js")
PAID: Final = "9000"
IN_PROCESS: Final = "8000"
FAILED: Final = "4000"


class AlipayVisits:
    """Pages of one application, and the call that redeems their codes."""

    def __init__(self, account: AlipayAccount, books: Books) -> None:
        self._account = account
        self._books = books
        self._grants = Grants(books)

    def authorize(self, request: HttpRequest) -> HttpAnswer:
        """Back to the merchant with an auth_code and the state; without asking, as for `auth_base`."""
        query = pages.query_of(request)
        back = query.get("redirect_uri", "")
        scopes = set(query.get("scope", "").split(","))
        if query.get("app_id") != self._account.app_id or not scopes <= _SCOPES or not pages.web_address(back):
            return pages.html("模拟支付宝", "<h1>授权失败</h1><p>参数错误</p>", 400)
        payer, headers = pages.payer_of_visit(request, query)
        added = {"app_id": self._account.app_id, "source": "alipay_wallet", "scope": query["scope"]}
        added["auth_code"] = self._grants.give(self._account.app_id, payer)
        if "state" in query:
            added["state"] = query["state"]
        parts = urlsplit(back)
        joined = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
        return pages.redirect(urlunsplit(parts._replace(query=joined)), headers)

    def token(self, ask: Ask, act: Act) -> Document:  # noqa: ARG002  # it is about no order
        """alipay.system.oauth.token: who the browser's customer is.  The node of a success has neither code nor msg."""
        if ask.parameters.get("grant_type") != "authorization_code":
            raise Bad("isv.grant-type-invalid")
        code = ask.parameters.get("code", "")
        payer = self._grants.redeem(self._account.app_id, code) if code else None
        if payer is None:
            raise Bad("isv.code-invalid")
        return {
            "user_id": user_id(payer),
            "open_id": open_id(payer),
            "access_token": f"authbse{code}",
            "expires_in": _TOKEN_GOOD_FOR_S,
            "refresh_token": f"refresh{code}",
            "re_expires_in": 2 * _TOKEN_GOOD_FOR_S,
        }

    def bridge(self, request: HttpRequest) -> Visit | None:
        """The script that stands in for the app, and what it asks for; None for other paths."""
        if request.path == BRIDGE_PATH and request.method == "GET":
            source = _BRIDGE.read_text("utf-8")
            return Visit(lambda _: pages.script(source))
        if request.path != BRIDGE_CALL_PATH:
            return None
        if request.method == "OPTIONS":
            return Visit(lambda _: pages.preflight())
        asked = _read_bridge_call(request.body)
        if request.method != "POST" or asked is None:
            return Visit(lambda _: pages.json_answer({"result_code": FAILED}, 400))
        handle, action = asked
        trade = self._books.find_by_handle(handle)
        return Visit(lambda wallet: _at_the_bridge(wallet, handle, action), trade.order_no if trade is not None else "")


def _read_bridge_call(body: bytes) -> tuple[str, Action] | None:
    """The number of a trade (the content of a code is none), and whether the customer opens it or pays."""
    try:
        match orjson.loads(body):
            case {"trade_no": str(handle), "action": "scan" | "pay" as action}:
                return (handle, Action(action)) if handle.isdigit() else None
    except orjson.JSONDecodeError:
        pass
    return None


def _at_the_bridge(wallet: Wallet, handle: str, action: Action) -> HttpAnswer:
    """What the app shows of the order, or how paying it ended; 4000 where the order cannot be paid."""
    try:
        trade = wallet.scan(handle, action)
    except WalletRefused:
        return pages.json_answer({"result_code": FAILED})
    if action is Action.SCAN:
        subject = orjson.loads(trade.details)["subject"]
        return pages.json_answer({"amount": yuan(trade.amount_fen), "subject": subject})
    return pages.json_answer({"result_code": PAID if trade.status == Status.CAPTURED else IN_PROCESS})
