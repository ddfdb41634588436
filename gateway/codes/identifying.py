"""The trip to the wallet that tells who pays: there with a sealed cookie, back with a code, then a cookie for a visit.

WeChat on Android calls the address of the way back twice with one code, tabs share cookies, and some browsers keep
none: whoever comes back unidentified is sent once more, and after some trips is told so.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from gateway.codes import visits
from gateway.codes.pages import message_page
from gateway.codes.routes import keeps
from gateway.codes.targets import Target
from gateway.codes.visits import Asking, Visitor
from gateway.codes.wallets import Browser
from gateway.http.pages import Language
from gateway.http.services import Services
from routing.accounts.book import Account
from routing.channels.base import CallLimits, ChannelError, Wallet

_log = logging.getLogger("mashang.cashier")
_IDENTIFY_S: Final = 5.0
_CODE_NAMES: Final = {Wallet.WECHAT: "code", Wallet.ALIPAY: "auth_code", Wallet.UNIONPAY: "userAuthCode"}
_CODE_LENGTH_MAX: Final = 256


class Knock(NamedTuple):
    """A request of a customer's browser."""

    services: Services
    request: Request
    language: Language

    def cookie(self, name: str) -> str | None:
        """What the browser brings along."""
        return self.request.cookies.get(name)


class Identified(NamedTuple):
    """A payer, and the account that identified him and that takes his money."""

    visitor: Visitor
    account: Account


def identified(knock: Knock, target: Target, wallet: Wallet | None = None) -> Identified | None:
    """Who the visit's cookie names; None where there is none, or it is of another wallet, or its account cannot now."""
    visitor = visits.open_visitor(knock.services.vault, target.token, knock.cookie(visits.VISIT_COOKIE))
    if visitor is None or wallet not in {None, visitor.wallet}:
        return None
    account = keeps(knock.services, target, visitor)
    return None if account is None else Identified(visitor, account)


def send_to_wallet(knock: Knock, target: Target, browser: Browser, account: Account, sale: str | None) -> Response:
    """Let the wallet identify the payer; a page where that was tried in vain."""
    before = visits.open_asking(knock.services.vault, target.token, knock.cookie(visits.ASKING_COOKIE))
    trips = 1 if before is None or before.wallet is not browser.wallet else before.trips + 1
    if trips > visits.TRIPS_MAX:
        answer = message_page(knock.language, "not_identified", status=200, retry=page_address(target.token, sale))
        _forget(answer, target.token)
        return answer
    asking = visits.new_asking(browser, account.id, sale, trips)
    try:
        address = account.channel.authorize_url(f"{target.url}/back/{browser.wallet}", asking.state)
    except ChannelError:
        _log.error("an account cannot identify payers", extra={"account": account.id})
        return message_page(knock.language, "wallet_not_taken", status=200)
    answer = _redirect(address, status=302)
    _set_cookie(knock.services, answer, target.token, asking)
    return answer


async def come_back(knock: Knock, token: str, wallet: str) -> Response:
    """The wallet brings its browser back with a code for the payer and our `state`."""
    vault, query = knock.services.vault, knock.request.query_params
    asking = visits.open_asking(vault, token, knock.cookie(visits.ASKING_COOKIE))
    visitor = visits.open_visitor(vault, token, knock.cookie(visits.VISIT_COOKIE))
    if asking is None and visitor is None:
        return message_page(knock.language, "not_asked", status=400, retry=page_address(token, None))
    answer = _redirect(page_address(token, None if asking is None else asking.sale), status=303)
    if asking is None or (visitor is not None and _is_of(visitor, asking)):
        return answer  # the same way back a second time: he is known already
    if asking.expects(wallet, query.get("state", "")):
        payer_id = await _identify(knock.services, asking, query.get(_CODE_NAMES[asking.wallet], ""))
        if payer_id is not None:
            known = Visitor(asking.wallet, asking.account_id, asking.app_identifier, payer_id)
            _set_cookie(knock.services, answer, token, known)
    return answer


def settle_visit(knock: Knock, answer: Response, token: str) -> Response:
    """The page is shown to a known payer: the trips are over, and count anew from the next one."""
    if knock.cookie(visits.ASKING_COOKIE) is not None:
        _forget(answer, token)
    return answer


def page_address(token: str, sale: str | None, **more: str) -> str:
    """The page's own address, with the sale that is under way."""
    query = urlencode({**({} if sale is None else {"sale": sale}), **more})
    return f"/q/{token}?{query}" if query else f"/q/{token}"


async def _identify(services: Services, asking: Asking, code: str) -> str | None:
    account = services.accounts.get(asking.account_id)
    if account is None or not 0 < len(code) <= _CODE_LENGTH_MAX:
        return None
    try:
        return await account.channel.identify_payer(code, asking.app_identifier, CallLimits(_IDENTIFY_S))
    except ChannelError as error:
        _log.warning("a payer was not identified", extra={"account": account.id, "code": error.code})
        return None


def _is_of(visitor: Visitor, asking: Asking) -> bool:
    return (visitor.wallet, visitor.account_id) == (asking.wallet, asking.account_id)


def _redirect(address: str, *, status: int) -> RedirectResponse:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(address, status, headers=headers)


def _forget(answer: Response, token: str) -> None:
    answer.delete_cookie(visits.ASKING_COOKIE, path=f"/q/{token}")


def _set_cookie(services: Services, answer: Response, token: str, value: Asking | Visitor) -> None:
    is_asking = isinstance(value, Asking)
    answer.set_cookie(
        visits.ASKING_COOKIE if is_asking else visits.VISIT_COOKIE,
        visits.seal(services.vault, token, value),
        max_age=visits.ASKING_S if is_asking else visits.VISIT_S,
        path=f"/q/{token}",
        secure=services.settings.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",  # the browser comes back from its wallet's site
    )
