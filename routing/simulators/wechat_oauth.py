"""How a page learns who opened it in WeChat: authorisation, then a code for an openid (CHANNEL-PROTOCOLS 4.2)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from routing.simulators.acts import Act, CallKind, Sealing
from routing.simulators.channel import HttpAnswer, HttpRequest
from routing.simulators.grants import Grants
from routing.simulators.pages import html, payer_of_visit, query_of, redirect, web_address
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import OPENID_PREFIX

AUTHORIZE: Final = "/connect/oauth2/authorize"
EXCHANGE: Final = "/sns/oauth2/access_token"
_SCOPES: Final = frozenset({"snsapi_base", "snsapi_userinfo"})
_TOKEN_GOOD_FOR_S: Final = 7_200
_ERRORS: Final = {
    -1: "system error",
    40001: "invalid credential",
    40002: "invalid grant_type",
    40013: "invalid appid",
    40029: "invalid code",
    40125: "invalid appsecret",
    40163: "code been used",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    45009: "reach max api daily quota limit",
}


class OauthPage:
    """Sends the browser back to the merchant's page with a code."""

    def __init__(self, account: WechatAccount, grants: Grants) -> None:
        self._account = account
        self._grants = grants

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """302 with `code` and `state`; a page that names the trouble where the address is not in order."""
        query = query_of(request)
        problem = self._problem(query)
        if problem is not None:
            return html("微信", f"<h1>{escape(problem)}</h1>", 400)
        payer, headers = payer_of_visit(request, query)
        code = self._grants.give(self._account.appid, payer)
        back = query["redirect_uri"]
        parameters = urlencode({"code": code, "state": query.get("state", "")})
        joint = "&" if urlsplit(back).query else "?"
        address, hash_sign, fragment = back.partition("#")
        return redirect(f"{address}{joint}{parameters}{hash_sign}{fragment}", headers)

    def _problem(self, query: dict[str, str]) -> str | None:
        if query.get("appid") != self._account.appid:
            return "appid 参数错误"
        if not web_address(query.get("redirect_uri", "")):
            return "redirect_uri 参数错误"
        if query.get("response_type") != "code":
            return "response_type 参数错误"
        return None if query.get("scope") in _SCOPES else "Scope 参数错误或没有 Scope 权限"


@dataclass(frozen=True, slots=True)
class OauthDraft:
    """An answer of the public platform: 200, JSON as text, never signed."""

    document: dict[str, Any]

    def seal(self, sealing: Sealing) -> HttpAnswer:  # noqa: ARG002  # there is no signature to spoil
        """As it is."""
        return self._answer(orjson.dumps(self.document))

    def malformed(self) -> HttpAnswer:
        """Half of it."""
        body = orjson.dumps(self.document)
        return self._answer(body[: len(body) // 2])

    def _answer(self, body: bytes) -> HttpAnswer:
        return HttpAnswer(200, [(b"Content-Type", b"text/plain")], body)


def _failure(code: int) -> OauthDraft:
    return OauthDraft({"errcode": code, "errmsg": f"{_ERRORS.get(code, 'error')}, rid: {secrets.token_hex(12)}"})


@dataclass(frozen=True, slots=True)
class ExchangeCall:
    """The merchant's server redeems a code."""

    account: WechatAccount = field(repr=False)
    grants: Grants = field(repr=False)
    query: dict[str, str]
    kind: CallKind = CallKind.IDENTIFY
    order_no: str = ""
    magic: Act | None = None

    def perform(self, act: Act) -> OauthDraft:  # noqa: ARG002  # nothing of an act can show here
        """The openid behind a code, once."""
        problem = self._problem()
        if problem is not None:
            return _failure(problem)
        payer = self.grants.redeem(self.account.appid, self.query["code"])
        if payer is None:
            used = self.grants.was_used(self.account.appid, self.query["code"])
            return _failure(40163 if used else 40029)
        return OauthDraft(
            {
                "access_token": secrets.token_hex(32),
                "expires_in": _TOKEN_GOOD_FOR_S,
                "refresh_token": secrets.token_hex(32),
                "openid": OPENID_PREFIX + payer,
                "scope": "snsapi_base",
            }
        )

    def _problem(self) -> int | None:
        for name, code in (("appid", 41002), ("secret", 41004), ("code", 41008)):
            if not self.query.get(name):
                return code
        if self.query["appid"] != self.account.appid:
            return 40013
        if not hmac.compare_digest(self.query["secret"].encode(), self.account.app_secret.encode()):
            return 40125
        return None if self.query.get("grant_type") == "authorization_code" else 40002

    def fail(self, code: str) -> OauthDraft:
        """Any errcode."""
        return _failure(int(code) if code.lstrip("-").isdigit() else -1)

    def server_error(self) -> OauthDraft:
        """-1."""
        return _failure(-1)

    def rate_limited(self) -> OauthDraft:
        """45009."""
        return _failure(45009)

    def unavailable(self) -> OauthDraft:
        """48001: the account may not call this."""
        return _failure(48001)
