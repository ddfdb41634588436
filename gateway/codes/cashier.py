"""The cashier page behind `/q/{token}`: recognise the wallet, identify the payer, open its order, show the end.

Nothing here needs a key, so nothing here can be guessed: tokens, sales and cookies are derived or sealed with the
gateway's own keys, and every address, payer and code is bounded.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from gateway.codes import visits
from gateway.codes.api import Token
from gateway.codes.cashier_page import PayPage, end_page, pay_page
from gateway.codes.cashier_schemas import GiveUpRequest, PayAnswer, PayRequest, StandingAnswer
from gateway.codes.identifying import (
    Identified,
    Knock,
    come_back,
    identified,
    page_address,
    send_to_wallet,
    settle_visit,
)
from gateway.codes.landing_page import landing_page
from gateway.codes.pages import NOT_ASKED, WAY_BACK, CustomerRoute, message_page
from gateway.codes.paying import Visiting, give_up, pay, standing_answer
from gateway.codes.routes import destination
from gateway.codes.sales import may_begin, new_sale
from gateway.codes.standing import Standing
from gateway.codes.targets import Target, find_target, wallets_of
from gateway.codes.wallets import DEVELOPMENT, Browser, browser_of, is_phone
from gateway.http.answers import json_answer
from gateway.http.pages import language_of
from gateway.http.rate_limits import Limit, client_address
from gateway.http.services import Services, services_of
from gateway.kernel.errors import InvalidRequest, NotPermitted
from gateway.payments.refreshing import refreshed
from gateway.settings import Environment
from routing.channels.base import Wallet

router = APIRouter(tags=["cashier"])
_pages = APIRouter(route_class=CustomerRoute)

_VIEWS: Final = Limit("cashier_views", 600, 60.0)
"""Of one address, as all but the last: many customers share that of a mobile network or of a mall."""
_IDENTIFICATIONS: Final = Limit("cashier_identifications", 300, 60.0)
_STATES: Final = Limit("cashier_states", 1_800, 60.0)
_PAYS: Final = Limit("cashier_pays", 300, 60.0)
_PAYS_OF_PAYER: Final = Limit("cashier_pays_of_payer", 20, 60.0)
"""Of one payer at one code."""
_NOT_KNOWN: Final = {"description": "The wallet has not told who pays, or another site has sent this."}
_SCHEME: Final = re.compile("^https?://")

Sale = Annotated[str, Query(description="The sale at a static code, as the page has it.")]


@_pages.get(
    "/q/{token}",
    response_class=Response,
    summary="The cashier page",
    responses={302: {"description": "To the wallet, which tells who pays."}},
)
async def get_cashier(
    request: Request,
    token: Token,
    sale: Sale = "",
    back: Annotated[str, Query(description="Set where a wallet sends its browser back after paying.")] = "",
    play: Annotated[str, Query(alias="as", description="Development: the wallet that this browser plays.")] = "",
) -> Response:
    """Where a scanned code leads.  A wallet's browser is sent to identify its payer first, and comes back.

    Apps add parameters of their own to addresses: unknown ones are ignored here.
    """
    knock = _knock(request)
    services = knock.services
    await services.rate_limits.admit(_VIEWS, _address(knock))
    target = await find_target(services, token, sale)
    if target.standing is not Standing.OPEN:
        return end_page(knock.language, target, is_back=bool(back))
    target.require_open_shop()
    browser = _browser(knock, token, play)
    if browser is None:
        return _landing(knock, target)
    sale_now = _sale(services, target, sale)
    if identified(knock, target, browser.wallet) is None:
        return _to_be_identified(knock, target, browser, sale_now)
    watch = "back" if back else "begun" if _has_begun(target, browser.wallet) else ""
    page = PayPage(target, browser.wallet, sale_now, watch, _is_development(services))
    return settle_visit(knock, pay_page(knock.language, page), token)


@_pages.post(
    "/q/{token}",
    status_code=303,
    response_class=Response,
    summary="Back from a wallet that posts its result",
    responses={303: WAY_BACK},
)
async def post_cashier(request: Request, token: Token, sale: Sale = "") -> Response:
    """UnionPay may send its customer back by a form.  What the form says is not read: the page asks the gateway."""
    knock = _knock(request)
    await knock.services.rate_limits.admit(_VIEWS, _address(knock))
    return RedirectResponse(page_address(token, sale[:64] or None, back="1"), 303, {"Cache-Control": "no-store"})


@_pages.get(
    "/q/{token}/back/{wallet}",
    status_code=303,
    response_class=Response,
    summary="Back from the wallet's identification",
    responses={303: WAY_BACK, 400: NOT_ASKED},
)
async def get_back(
    request: Request, token: Token, wallet: Annotated[str, Path(max_length=16, examples=["wechat"])]
) -> Response:
    """The wallet brings its browser back with a code for the payer; the page follows."""
    knock = _knock(request)
    await knock.services.rate_limits.admit(_IDENTIFICATIONS, _address(knock))
    return await come_back(knock, token, wallet)


@router.post(
    "/q/{token}/pay",
    response_model=PayAnswer,
    summary="Pay in the wallet that opened the page",
    responses={403: _NOT_KNOWN},
)
async def post_pay(request: Request, token: Token, wanted: PayRequest) -> Response:
    """Open the wallet's order for the identified payer, and tell the page how to go on."""
    knock = _knock(request)
    target, who = await _known(knock, token, wanted.sale)
    visiting = Visiting(target, who.visitor, who.account, _address(knock))
    return _private(await pay(knock.services, visiting, amount_fen=wanted.amount, sale=wanted.sale))


@router.post(
    "/q/{token}/give_up",
    response_model=StandingAnswer,
    summary="Give a sale at a static code up",
    responses={403: _NOT_KNOWN},
)
async def post_give_up(request: Request, token: Token, wanted: GiveUpRequest) -> Response:
    """The customer wants to pay another amount: shut the order of this sale, so that it is not paid beside the next.

    What is paid in that moment goes back; `paid` says that it was paid before.
    """
    knock = _knock(request)
    target, _ = await _known(knock, token, wanted.sale)
    if target.code is None:
        raise InvalidRequest("unknown_sale", "This code has no sales: it is of one payment.", param="sale")
    return _private(standing_answer(target, await give_up(knock.services, target)))


@router.get("/q/{token}/state", response_model=StandingAnswer, summary="How the payment behind the page stands")
async def get_state(request: Request, token: Token, sale: Sale = "") -> Response:
    """What the page shows while the customer pays: `open`, `paid`, `over` or `checking`, with the amounts."""
    knock = _knock(request)
    services = knock.services
    await services.rate_limits.admit(_STATES, _address(knock))
    target = await find_target(services, token, sale)
    payment = None if target.payment is None else await refreshed(services, target.payment)
    return _private(standing_answer(target, payment))


router.include_router(_pages)


def _knock(request: Request) -> Knock:
    return Knock(services_of(request), request, language_of(request.headers.get("accept-language")))


async def _known(knock: Knock, token: str, sale: str | None) -> tuple[Target, Identified]:
    """The target and the payer behind a request of our own page.

    What counts for a code counts for identified payers only: strangers cannot use up what a shop's customers need.
    """
    services = knock.services
    _require_own_page(knock)
    await services.rate_limits.admit(_PAYS, _address(knock))
    target = await find_target(services, token, sale)
    target.require_open_shop()
    who = identified(knock, target)
    if who is None:
        raise NotPermitted("not_identified", "The wallet has not identified you yet: open the code again.")
    payer = services.vault.keyed_hash(f"{who.visitor.payer_id} at {token}".encode()).hex()
    await services.rate_limits.admit(_PAYS_OF_PAYER, payer)
    return target, who


def _require_own_page(knock: Knock) -> None:
    """Raises NotPermitted for a request that a browser sent for another site.

    Cookies that are not sent along (SameSite) and JSON that is not sent without asking keep it out already.
    """
    headers = knock.request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    own = {urlsplit(knock.services.settings.public_url).netloc, headers.get("host") or None}
    if site not in {None, "same-origin"} or (origin is not None and _SCHEME.sub("", origin) not in own):
        raise NotPermitted("not_own_page", "This is called by the cashier page only.")


def _to_be_identified(knock: Knock, target: Target, browser: Browser, sale: str | None) -> Response:
    """To the wallet by an account that can take its payer; a page where there is none, or none just now."""
    account, is_momentary = destination(knock.services, target, browser.wallet, sale or target.token)
    if account is None:
        return message_page(knock.language, "away" if is_momentary else "wallet_not_taken", status=200)
    return send_to_wallet(knock, target, browser, account, sale)


def _landing(knock: Knock, target: Target) -> Response:
    wallets = wallets_of(knock.services, target.shop.id)
    on_phone = is_phone(knock.request.headers.get("user-agent", ""))
    return landing_page(knock.language, target, wallets, on_phone=on_phone, development=_is_development(knock.services))


def _private(body: dict[str, Any]) -> Response:
    return json_answer(200, body, ((b"cache-control", b"no-store"),)).to_response()


def _sale(services: Services, target: Target, sale: str) -> str | None:
    """The sale that the page goes on with: the one it came with while that can be paid, else a new one."""
    if target.code is None:
        return None
    keeps = target.payment is not None or may_begin(services.vault, target.token, sale)
    return sale if keeps else new_sale(services.vault, target.token)


def _has_begun(target: Target, wallet: Wallet) -> bool:
    """Whether an order of this wallet is open: then this may be its payer, who has loaded the page again."""
    payment = target.payment
    return payment is not None and payment.has_open_attempt and payment.wallet == wallet


def _browser(knock: Knock, token: str, play: str) -> Browser | None:
    """The wallet whose browser this is; in development an ordinary browser goes on with the wallet that it plays."""
    found = browser_of(knock.request.headers.get("user-agent", ""))
    if found is not None or not _is_development(knock.services):
        return found
    if play in DEVELOPMENT:
        return DEVELOPMENT[Wallet(play)]
    visitor = visits.open_visitor(knock.services.vault, token, knock.cookie(visits.VISIT_COOKIE))
    return None if visitor is None else DEVELOPMENT[visitor.wallet]


def _is_development(services: Services) -> bool:
    return services.settings.environment is Environment.DEVELOPMENT


def _address(knock: Knock) -> str:
    return client_address(knock.request, knock.services.settings.trusted_proxies)
