"""The price of an order: what campaigns take off, on which account, and what of their budgets is reserved for it.

A budget can refuse, in the pool or when the intent is committed.  The order is priced again without that campaign, at
most twice, and then taken at full price, or refused where the campaign says so.  Trouble with the pool refuses nothing:
the intent's commit guards every limit again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from gateway.database.redemptions import Refusal, RefusalKind
from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from gateway.merchants.stores import Place, StoreBook
from gateway.payments.payment import PaymentOrder
from gateway.payments.turns import Route
from promotions.budget.reservation import Exhausted
from promotions.campaigns.campaign import WhenExhausted
from promotions.customers.reading import Read
from promotions.desk import Asked, Held, Names, Promotions, pays_of_fee, with_fee
from promotions.facts import Facts
from promotions.hoarding import Shown
from promotions.offer import Applied, Considered, Offer, Reason
from promotions.pricing.funding import subsidy_fen
from promotions.pricing.offers import Offers
from promotions.reporting.counting import count_payment
from risk.facts import Facts as Screened
from routing.accounts.book import Account, AccountBook
from routing.channels.base import Wallet
from routing.sale import Price, Prices

REPRICES_MAX: Final = 2
"""After so many refusals by budgets an order is taken at full price."""
_STALE_MAX: Final = 4
"""So often may what this process knows of a campaign, or of the day, be out of date for one order."""
_ELSEWHERE_MAX: Final = 8
"""So often is the pool asked for another slice of a campaign; by then somebody else has what there was."""

_SOUGHT_S_MAX: Final = 0.5
"""What was sought longer ago is read again: the order waited for an earlier request, and much may have happened."""

RouteBy: TypeAlias = Callable[[Prices], Route]


class Sought(NamedTuple):
    """What campaigns look at of an order, asked for while it is not known yet whether it is a new one."""

    asked: Asked
    names: Names
    history: asyncio.Future[Read] | None
    since_s: float
    wallet: Wallet | None


@dataclass(slots=True)
class Basket:
    """An order on its way to a price that its budgets can give; `held` is what is reserved for it just now.

    `customer` and `card_bin` are keyed hashes; `without` are the campaigns that have refused, and why.
    """

    payment_id: str
    facts: Facts
    customer: bytes | None = None
    card_bin: bytes | None = None
    without: dict[str, Considered] = field(default_factory=dict)
    on_shelf: bool | None = None
    """Whether its code may hold a limited budget while it is on display; None where that was not asked yet."""
    held: Held = ()
    refusals: int = 0
    stale: int = 0
    sent_elsewhere: dict[str, int] = field(default_factory=dict)
    """Campaigns some of whose slices were empty: so often has the pool been asked for another one."""
    is_promoted: bool = True
    """Whether the risk check allows it a subsidy."""
    declined: bool = False
    """A campaign whose budget is gone wants its payments refused."""

    @property
    def is_at_full_price(self) -> bool:
        """Whether no campaign is asked any more."""
        return self.refusals > REPRICES_MAX or self.stale > _STALE_MAX


@dataclass(frozen=True, slots=True)
class Priced:
    """The price, reserved, and the route to the account that it is of; or why the order is refused.

    `route` is None for a code that any wallet can pay, too.
    """

    offer: Offer
    route: Route | None = None
    refusal: FailureCode | None = None


class Pricing:
    """One per process."""

    def __init__(self, promotions: Promotions, places: StoreBook, accounts: AccountBook) -> None:
        self._promotions = promotions
        self._places = places
        self._accounts = accounts

    async def seek(self, order: PaymentOrder, wallet: Wallet | None, screened: Screened | None = None) -> Sought:
        """Ask for what campaigns look at, so that it comes together with the claim and the risk decision.

        `screened` are the facts of the risk check, where there is one: who is named there is not hashed again.  Nothing
        is asked where the order replaces a payment: what that one took is given back while the order waits for its end.
        """
        place = await self._places.get(order.merchant_id, order.request.store_id)
        asked = asked_of(order, wallet, place)
        names = self._promotions.names_of(asked) if screened is None else _names_in(screened)
        history = None if order.request.replaces is not None else self._promotions.begin_history(asked, names)
        if history is not None:
            history.add_done_callback(_hear)
        return Sought(asked, names, history, time.monotonic(), wallet)

    async def open(self, payment_id: str, sought: Sought, *, is_promoted: bool = True) -> Basket:
        """Gather what campaigns look at.  Not promoted: the risk check takes the payment, but gives it no subsidy."""
        is_fresh = time.monotonic() - sought.since_s < _SOUGHT_S_MAX
        facts = await self._promotions.facts(sought.asked, sought.history if is_fresh else None, sought.names)
        return Basket(
            payment_id,
            facts,
            customer=sought.names.customer,
            card_bin=None if facts.card_bin is None else self._promotions.bin_key(facts.card_bin),
            is_promoted=is_promoted,
        )

    async def price(self, basket: Basket, expected_fen: int | None, route_by: RouteBy | None = None) -> Priced:
        """The best price that the budgets can give now, reserved; nothing is reserved for an order that is refused."""
        while True:
            offers = await self._offers(basket)
            if basket.declined:
                return _refused(offers.everywhere, FailureCode.DISCOUNT_EXHAUSTED)
            route = None if route_by is None else route_by(prices_of(offers))
            offer = with_fee(offers.everywhere, 0) if route is None else self._offer_on(offers, route, basket.facts)
            is_expected = expected_fen in {None, offer.payable.amount_fen}
            if route is not None and route.choice.account is None:
                return _refused(offer, _why_no_account(route) if is_expected else FailureCode.PRICE_CHANGED)
            if _may_hoard(basket.facts, offer) and not await self._is_admitted(basket):
                _leave_to_others(basket, offer)
                continue
            held = await self._promotions.reserve(basket.facts, offer, basket.payment_id)
            if not isinstance(held, Exhausted):
                basket.held = held
                if not is_expected:
                    self._let_go(basket)
                    return _refused(offer, FailureCode.PRICE_CHANGED)
                return Priced(offer, route and self._with_strangers(route, offers, offer, basket.facts))
            _exclude(basket, offer, held.campaign_id, Reason.BUDGET_EXHAUSTED)

    async def refused(self, basket: Basket, offer: Offer, refusal: Refusal, at: datetime) -> None:
        """PostgreSQL refused the intent: let go what was reserved, and learn from it for the next price."""
        promotions, campaign_id, held = self._promotions, refusal.campaign_id, basket.held
        self._let_go(basket)
        match refusal.kind:
            case RefusalKind.CHANGED:
                basket.stale += 1
                await promotions.book.reload()
            case RefusalKind.OTHER_DAY:
                basket.stale += 1
                promotions.clock.forget()
            case RefusalKind.NO_SLICE:
                basket.stale += 1
                await promotions.grant_day(campaign_id, _applied(offer, campaign_id).day)
            case RefusalKind.EXHAUSTED if _may_have_it_elsewhere(basket, offer, campaign_id):
                basket.sent_elsewhere[campaign_id] = basket.sent_elsewhere.get(campaign_id, 0) + 1
                self._correct(held, refusal)
            case kind:
                self._correct(held, refusal)
                _exclude(basket, offer, campaign_id, _REASONS[kind])
        promotions.clock.heard(at)
        basket.facts = basket.facts._replace(at=promotions.clock.now())

    def heard(self, at: datetime) -> None:
        """The database has just said that it is `at`."""
        self._promotions.clock.heard(at)

    def ended(self, basket: Basket, offer: Offer, *, is_bound: bool) -> None:
        """The payment is durable, and what was reserved is held by it; or nothing becomes of it."""
        if basket.on_shelf and not (is_bound and offer.applied):
            self._promotions.shelf.take_down(_shown(basket))
        if not is_bound:
            self._let_go(basket)
        elif basket.held:
            self._promotions.pool.confirm(basket.held)
        if is_bound and offer.considered:
            count_payment(offer.considered)

    async def _is_admitted(self, basket: Basket) -> bool:
        """Whether the code may hold a discount beside the others that are on display and unpaid."""
        if basket.on_shelf is None:
            code, seconds = _shown(basket), basket.facts.expires_in_s
            basket.on_shelf = await self._promotions.shelf.put(code, seconds)
        return basket.on_shelf

    def _let_go(self, basket: Basket) -> None:
        if basket.held:
            self._promotions.pool.release(basket.held)
            basket.held = ()

    async def _offers(self, basket: Basket) -> Offers:
        if not basket.is_promoted:
            return Offers(self._promotions.unpromoted(basket.facts))
        if basket.is_at_full_price:
            full = Offer.full_price(Money(basket.facts.amount_fen))
            return Offers(full._replace(considered=tuple(basket.without.values())))
        without = {campaign_id: why.reason for campaign_id, why in basket.without.items()} if basket.without else None
        accounts = self._accounts_of(basket.facts) if self._promotions.book.current.looks_at_channel else ()
        return await self._promotions.offers(basket.facts, accounts=accounts, without=without)

    def _accounts_of(self, facts: Facts) -> Iterator[str]:
        return (account.id for account in self._accounts if facts.wallet in account.wallets)

    def _offer_on(self, offers: Offers, route: Route, facts: Facts) -> Offer:
        """The offer on the account that was chosen, with what funders pay of its fee."""
        account = route.choice.account
        return offers.everywhere if account is None else self._with_fee(offers.on(account.id), account, route, facts)

    def _with_strangers(self, route: Route, offers: Offers, offer: Offer, facts: Facts) -> Route:
        """The route, knowing the accounts where the payment would take something else of campaigns."""
        is_of_fee = sum([applied.fee_off_fen for applied in offer.applied]) > 0
        if not offers.on_account and not is_of_fee:
            return route
        taken = _taken(offer)
        others = {
            account.id
            for account in self._accounts
            if facts.wallet in account.wallets
            and _taken(self._with_fee(offers.on(account.id), account, route, facts)) != taken
        }
        return replace(route, strangers=frozenset(others))

    def _with_fee(self, offer: Offer, account: Account, route: Route, facts: Facts) -> Offer:
        if not pays_of_fee(offer):
            return offer
        fee_fen = account.terms.fee.fee_fen(offer.payable.amount_fen, route.sale.wallet, facts.at)
        return with_fee(offer, fee_fen)

    def _correct(self, held: Held, refusal: Refusal) -> None:
        """Tell the pool what PostgreSQL has left of a slice that the pool had said yes to."""
        for each in held:
            if each.campaign_id == refusal.campaign_id and refusal.kind is RefusalKind.EXHAUSTED:
                room_fen = refusal.room_fen or 0  # the pool knows which budgets have no end
                self._promotions.pool.correct(each.campaign_id, each.day, each.slice, room_fen, refusal.room_count)


def asked_of(order: PaymentOrder, wallet: Wallet | None, place: Place) -> Asked:
    """The order as promotions see it."""
    request, customer = order.request, order.request.customer
    method = "page" if wallet is None else request.method
    return Asked(
        merchant_id=order.merchant_id,
        realm=place.customer_realm,
        order_key=f"{order.merchant_id}:{request.merchant_order_no}",
        amount_fen=request.amount,
        method=method,
        wallet=wallet,
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        region=place.region,
        category=place.category,
        card_bin=None if customer is None else customer.card_bin,
        code_id=order.code_id,
        expires_in_s=request.expires_in_s,
        customer_id=None if customer is None else customer.id,
        device_id=None if customer is None else customer.device_id,
        coupons=tuple(request.coupons),
    )


def _names_in(screened: Screened) -> Names:
    """The hashes of the risk check are those of campaigns (`Promotions.names_of`)."""
    customer = screened.customer
    return Names(None if customer is None else bytes.fromhex(customer), screened.device, customer)


def prices_of(offers: Offers) -> Prices:
    """The offers as routing weighs them: what the customer pays, and what the merchant and the platform add to it."""
    if not offers.on_account:
        return Prices(_price_of(offers.everywhere))
    on_account = {account_id: _price_of(offer) for account_id, offer in offers.on_account.items()}
    return Prices(_price_of(offers.everywhere), on_account)


def _price_of(offer: Offer) -> Price:
    return Price(offer.payable.amount_fen, subsidy_fen(offer) if offer.applied else 0)


def _why_no_account(route: Route) -> FailureCode:
    return FailureCode.CHANNEL_UNAVAILABLE if route.choice.is_momentary else FailureCode.NO_CHANNEL


def _refused(offer: Offer, failure: FailureCode) -> Priced:
    """Nothing is taken of any campaign; why not each of them is kept."""
    return Priced(offer._replace(payable=offer.amount, applied=()), None, failure)


def _exclude(basket: Basket, offer: Offer, campaign_id: str, reason: Reason) -> None:
    campaign = _applied(offer, campaign_id).campaign
    basket.refusals += 1
    basket.without[campaign_id] = Considered(campaign_id, campaign.name, reason)
    if reason is Reason.BUDGET_EXHAUSTED and campaign.when_exhausted is WhenExhausted.DECLINE:
        basket.declined = True


def _may_hoard(facts: Facts, offer: Offer) -> bool:
    """Whether a code on display would hold what others could have."""
    return facts.method != "barcode" and any(applied.campaign.limits.has_slices for applied in offer.applied)


def _leave_to_others(basket: Basket, offer: Offer) -> None:
    for applied in offer.applied:
        campaign = applied.campaign
        if campaign.limits.has_slices:
            detail = "Too many codes that nobody has paid yet hold a discount."
            why = Considered(campaign.id, campaign.name, Reason.TOO_MANY_CODES, detail=detail)
            basket.without[campaign.id] = why


def _shown(basket: Basket) -> Shown:
    return Shown(basket.payment_id, basket.facts.merchant_id, basket.customer)


def _may_have_it_elsewhere(basket: Basket, offer: Offer, campaign_id: str) -> bool:
    """Whether another slice may have what this one has not; a Valkey that is behind names one after the other."""
    slices = _applied(offer, campaign_id).campaign.slices
    return slices > 1 and basket.sent_elsewhere.get(campaign_id, 0) < min(slices, _ELSEWHERE_MAX)


def _applied(offer: Offer, campaign_id: str) -> Applied:
    return next(applied for applied in offer.applied if applied.campaign.id == campaign_id)


def _taken(offer: Offer) -> list[tuple[str, int, int]]:
    return [(applied.campaign.id, applied.discount_fen, applied.fee_off_fen) for applied in offer.applied]


_REASONS: Final = {
    RefusalKind.EXHAUSTED: Reason.BUDGET_EXHAUSTED,
    RefusalKind.LIMIT: Reason.LIMIT_REACHED,
    RefusalKind.COUPON: Reason.COUPON_MISSING,
}


def _hear(history: asyncio.Future[Read]) -> None:
    """Nobody may be left to hear that it failed: another request had the order number."""
    if not history.cancelled():
        history.exception()
