"""The cashier page behind `/q/{token}`: recognise the wallet, identify the payer, open its order, show the end.

Nothing here needs a key, so nothing here can be guessed: tokens, sales and cookies are derived or sealed with the
gateway's own keys, and every address and code is bounded.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.codes import visits
from gateway.codes.api import LOOKS, SCANNED_PATTERN
from gateway.codes.cashier_page import PageState, cashier_page, landing_page, message_page
from gateway.codes.paying import Visiting, pay, public_state
from gateway.codes.sales import new_sale
from gateway.codes.targets import Target, find_target
from gateway.codes.visits import Asking, Visitor
from gateway.codes.wallets import DEVELOPMENT, Browser, browser_of
from gateway.http.answers import json_answer
from gateway.http.pages import Language, language_of
from gateway.http.rate_limits import Limit, client_address
from gateway.http.services import Services, services_of
from gateway.kernel.errors import ApiError, InvalidRequest
from gateway.kernel.money import AMOUNT_FEN_MAX
from gateway.payments.refreshing import refreshed
from gateway.settings import Environment
from routing.accounts import Account
from routing.channels.base import CallLimits, ChannelError, Wallet

_log = logging.getLogger("mashang.cashier")

router = APIRouter(tags=["codes"])

_PAYS_OF_ADDRESS: Final = Limit("cashier_pays", 120, 60.0)
"""Many customers share the address of a mobile network."""
_PAYS_OF_CODE: Final = Limit("cashier_pays_of_code", 600, 60.0)
_STATES: Final = Limit("cashier_states", 600, 60.0)
_IDENTIFY_S: Final = 5.0
_CODE_NAMES: Final = {Wallet.WECHAT: "code", Wallet.ALIPAY: "auth_code", Wallet.UNIONPAY: "userAuthCode"}
_CODE_LENGTH_MAX: Final = 256

Token = Annotated[str, Path(pattern=SCANNED_PATTERN)]
Sale = Annotated[str | None, Query(max_length=64, description="The sale at a static code, as the page has it.")]


class PayRequest(BaseModel):
    """What the page sends when the customer taps "pay"."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    amount: Annotated[int | None, Field(ge=1, le=AMOUNT_FEN_MAX, description="Fen, where the customer types it.")] = (
        None
    )
    sale: Annotated[str | None, Field(max_length=64)] = None


@router.get("/q/{token}", response_class=Response, summary="The cashier page")
async def get_cashier(
    request: Request,
    token: Token,
    sale: Sale = None,
    play: Annotated[
        Wallet | None, Query(alias="as", description="Development: the wallet that an ordinary browser plays.")
    ] = None,
) -> Response:
    """Where a scanned code leads.  A wallet's browser is sent to identify its payer first, and comes back."""
    services, language = services_of(request), _language(request)
    await services.rate_limits.admit(LOOKS, _address(request, services))
    try:
        target = await find_target(services, token, sale)
    except ApiError:
        return message_page(language, "gone", status=404)
    if target.payment is not None and target.payment.status.is_final:
        return cashier_page(language, PageState.of(target, None, None), development=_is_development(services))
    browser = _browser(request, services, play)
    if browser is None:
        return landing_page(language, target, development=_is_development(services))
    account = _account(services, target, browser.wallet)
    if account is None:
        return message_page(language, "wallet_not_taken", status=200)
    visitor = visits.open_visitor(services.vault, token, request.cookies.get(visits.VISIT_COOKIE))
    if visitor is None or not visitor.uses(browser, account.id):
        return _send_to_wallet(services, language, target, browser, account)
    state = PageState.of(target, browser.wallet, _sale(services, target, sale))
    return cashier_page(language, state, development=_is_development(services))


@router.get("/q/{token}/back/{wallet}", response_class=Response, summary="Back from the wallet's identification")
async def get_back(
    request: Request, token: Token, wallet: Wallet, state: Annotated[str, Query(max_length=128)] = ""
) -> Response:
    """The wallet brings its browser back with a code for the payer; the page follows."""
    services, language = services_of(request), _language(request)
    await services.rate_limits.admit(LOOKS, _address(request, services))
    asking = visits.open_asking(services.vault, token, request.cookies.get(visits.ASKING_COOKIE))
    account = None if asking is None else services.accounts.get(asking.account_id)
    code = request.query_params.get(_CODE_NAMES[wallet], "")
    if asking is None or account is None or asking.wallet is not wallet or not asking.expects(state):
        return message_page(language, "not_asked", status=400, retry=f"/q/{token}")
    if not 0 < len(code) <= _CODE_LENGTH_MAX:
        return message_page(language, "not_identified", status=200, retry=f"/q/{token}")
    payer_id = await _identify(account, code, asking)
    if payer_id is None:
        return message_page(language, "not_identified", status=200, retry=f"/q/{token}")
    visitor = Visitor(wallet, account.id, asking.app_identifier, payer_id)
    answer = RedirectResponse(f"/q/{token}", 303, headers={"Cache-Control": "no-store"})
    _set_cookie(services, answer, token, visits.VISIT_COOKIE, visitor)
    answer.delete_cookie(visits.ASKING_COOKIE, path=f"/q/{token}")
    return answer


@router.post("/q/{token}/pay", summary="Pay in the wallet that opened the page")
async def post_pay(request: Request, token: Token, wanted: PayRequest) -> Response:
    """Open the wallet's order for the identified payer, and tell the page how to go on.

    `status` is `ready` (call the wallet's bridge with `bridge`, or go to `pay_url`), `paid`, `busy` (another wallet's
    order is open: come back after `retry_after_s`), `refused` or `over`.
    """
    services = services_of(request)
    await services.rate_limits.admit(_PAYS_OF_ADDRESS, _address(request, services))
    await services.rate_limits.admit(_PAYS_OF_CODE, token)
    target = await find_target(services, token, wanted.sale)
    visitor = visits.open_visitor(services.vault, token, request.cookies.get(visits.VISIT_COOKIE))
    account = None if visitor is None else services.accounts.get(visitor.account_id)
    if visitor is None or account is None:
        raise InvalidRequest(
            "not_identified", "The wallet has not identified you yet: open the code again.", status=403
        )
    visiting = Visiting(target, visitor, account, _address(request, services))
    return _private(await pay(services, visiting, amount_fen=wanted.amount, sale=wanted.sale))


@router.get("/q/{token}/state", summary="How the payment behind the page stands")
async def get_state(request: Request, token: Token, sale: Sale = None) -> Response:
    """What the page shows while the customer pays: `open`, `paid` or `over`, with the amounts."""
    services = services_of(request)
    await services.rate_limits.admit(_STATES, _address(request, services))
    target = await find_target(services, token, sale)
    payment = None if target.payment is None else await refreshed(services, target.payment)
    return _private(public_state(target, payment))


def _private(body: dict[str, Any]) -> Response:
    return json_answer(200, body, ((b"cache-control", b"no-store"),)).to_response()


def _sale(services: Services, target: Target, sale: str | None) -> str | None:
    """The sale that the page goes on with: the one it came with while that can be paid, else a new one."""
    if target.code is None:
        return None
    return sale if target.payment is not None else new_sale(services.vault, target.token)


def _send_to_wallet(
    services: Services, language: Language, target: Target, browser: Browser, account: Account
) -> Response:
    asking = visits.new_asking(browser, account.id)
    back = f"{target.url}/back/{browser.wallet}"
    try:
        address = account.channel.authorize_url(back, asking.state)
    except ChannelError:
        _log.error("an account cannot identify payers", extra={"account": account.id})
        return message_page(language, "wallet_not_taken", status=200)
    answer = RedirectResponse(address, 302, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    _set_cookie(services, answer, target.token, visits.ASKING_COOKIE, asking)
    return answer


def _set_cookie(services: Services, answer: Response, token: str, name: str, value: Asking | Visitor) -> None:
    answer.set_cookie(
        name,
        visits.seal(services.vault, token, value),
        max_age=visits.ASKING_S if isinstance(value, Asking) else visits.VISIT_S,
        path=f"/q/{token}",
        secure=services.settings.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",  # the browser comes back from its wallet's site
    )


async def _identify(account: Account, code: str, asking: Asking) -> str | None:
    try:
        return await account.channel.identify_payer(code, asking.app_identifier, CallLimits(_IDENTIFY_S))
    except ChannelError as error:
        _log.warning("a payer was not identified", extra={"account": account.id, "code": error.code})
        return None


def _account(services: Services, target: Target, wallet: Wallet) -> Account | None:
    """The open attempt's account while it is this wallet's, so that its payer comes back to it; else the best."""
    payment = target.payment
    if payment is not None and payment.wallet == wallet and payment.account_id is not None:
        current = services.accounts.get(payment.account_id)
        if current is not None:
            return current
    candidates = services.router.candidates(wallet, target.merchant_id)
    return candidates[0] if candidates else None


def _browser(request: Request, services: Services, play: Wallet | None) -> Browser | None:
    found = browser_of(request.headers.get("user-agent", ""))
    if found is not None or not _is_development(services):
        return found
    visitor = visits.open_visitor(
        services.vault, request.path_params["token"], request.cookies.get(visits.VISIT_COOKIE)
    )
    wallet = play or (None if visitor is None else visitor.wallet)
    return None if wallet is None else DEVELOPMENT[wallet]


def _is_development(services: Services) -> bool:
    return services.settings.environment is Environment.DEVELOPMENT


def _language(request: Request) -> Language:
    return language_of(request.headers.get("accept-language"))


def _address(request: Request, services: Services) -> str:
    return client_address(request, services.settings.trusted_proxies)
