"""Makes quotes: priced as a payment is, on the account that would take it, from the budgets as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from gateway.campaigns import Campaigns
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import InvalidRequest
from gateway.kernel.failures import FAILURES, FailureCode
from gateway.kernel.ids import new_ulid
from gateway.kernel.money import Currency, Money
from gateway.merchants.store import Merchant
from gateway.merchants.stores import Place
from gateway.payments.payment import PaymentOrder
from gateway.payments.pricing import REPRICES_MAX, prices_of
from gateway.payments.schemas import PaymentRequest
from gateway.payments.screening import OrderScreening
from gateway.payments.turns import zone
from gateway.quotes.rooms import first_exhausted
from gateway.quotes.schemas import QuoteRequest
from promotions.campaigns.campaign import WhenExhausted
from promotions.campaigns.passing_over import passed_over
from promotions.desk import Asked, with_fee
from promotions.facts import Facts
from promotions.offer import Applied, Considered, Offer, Reason
from promotions.pricing.offers import Offers
from promotions.reporting.counting import COUNTING
from routing.accounts.book import Account, AccountBook
from routing.channels.base import Wallet
from routing.channels.codes import wallet_of
from routing.router import Router
from routing.sale import Method, Sale

PASSED_OVER_MAX: Final = 20
"""Campaigns whose condition does not hold, of one quote."""
_MERCHANT_FIELD: Final = "payment.merchant_id"


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a payment that nobody has asked for yet, and all that was considered for it."""

    offer: Offer
    considered: Sequence[Considered]
    request: QuoteRequest
    wallet: Wallet | None
    at: datetime
    failure: FailureCode | None = None

    def to_json(self) -> dict[str, Any]:
        """QuoteObject."""
        offer = self.offer
        return {
            "object": "quote",
            "amount": offer.amount.amount_fen,
            "discount": offer.discount.amount_fen,
            "payable": offer.payable.amount_fen,
            "currency": Currency.CNY,
            "method": self.request.method,
            "wallet": self.wallet,
            "promotions": [_promotion(applied) for applied in offer.applied],
            "considered": [each.to_json() for each in self.considered],
            "failure": None if self.failure is None else _failure(self.failure),
            "quoted_at": rfc3339(self.at),
        }


class _Priced(NamedTuple):
    """An offer on the account that would take the payment (None: not known), or how the payment would fail."""

    offer: Offer
    account: Account | None
    failure: FailureCode | None = None


class Quoting:
    """One per process."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        campaigns: Campaigns,
        accounts: AccountBook,
        router: Router,
        screening: OrderScreening,
    ) -> None:
        self._pool = pool
        self._screening = screening
        self._promotions = campaigns.desk
        self._book = campaigns.book
        self._places = campaigns.places
        self._accounts = accounts
        self._router = router

    async def quote(self, merchant: Merchant, request: QuoteRequest) -> Quote:
        """What such a payment would cost now.  Raises InvalidRequest, and Unavailable without the database."""
        wallet = _wallet(request)
        place = await self._places.get(merchant.id, request.store_id)
        facts = await self._promotions.facts(_asked(merchant, request, wallet, place))
        sale = None if wallet is None else _sale(merchant, request, wallet, facts)
        risk = await self._screening.look(_order(merchant, request), wallet)
        if risk.no_discount:
            priced = self._on_account(Offers(self._promotions.unpromoted(facts)), sale, facts)
        else:
            priced = await self._price(facts, sale)
        considered = [*priced.offer.considered, *self._passed_over(facts, priced)]
        COUNTING.count_quote(priced.offer.considered)
        return Quote(priced.offer, considered, request, wallet, facts.at, priced.failure)

    async def _price(self, facts: Facts, sale: Sale | None) -> _Priced:
        """As the payment's own pricing: without what is exhausted, and at full price after so many refusals."""
        without: dict[str, Considered] = {}
        while len(without) <= REPRICES_MAX:
            reasons = {campaign_id: why.reason for campaign_id, why in without.items()}
            accounts = [account.id for account in self._accounts if facts.wallet in account.wallets]
            offers = await self._promotions.offers(facts, accounts=accounts, without=reasons)
            priced = self._on_account(offers, sale, facts)
            exhausted = await first_exhausted(self._pool, priced.offer.applied)
            if exhausted is None:
                return priced
            campaign = exhausted.campaign
            without[campaign.id] = Considered(campaign.id, campaign.name, Reason.BUDGET_EXHAUSTED)
            if campaign.when_exhausted is WhenExhausted.DECLINE:
                return _Priced(_full_price(facts, without.values()), None, FailureCode.DISCOUNT_EXHAUSTED)
        return _Priced(_full_price(facts, without.values()), None)

    def _on_account(self, offers: Offers, sale: Sale | None, facts: Facts) -> _Priced:
        """The offer on the account that the router would take now; nothing changes by asking it."""
        account = None if sale is None else self._router.explain(sale, prices_of(offers)).account
        if sale is None or account is None:
            return _Priced(with_fee(offers.everywhere, 0), None)
        offer = offers.on(account.id)
        fee_fen = account.terms.fee.fee_fen(offer.payable.amount_fen, sale.wallet, facts.at)
        return _Priced(with_fee(offer, fee_fen), account)

    def _passed_over(self, facts: Facts, priced: _Priced) -> list[Considered]:
        """The nearest of the campaigns whose condition does not hold, but for those of other merchants."""
        campaigns = self._book.current
        there = facts if priced.account is None else facts._replace(channel=priced.account.id)
        told = {each.campaign_id for each in priced.offer.considered}
        for campaign in campaigns.campaigns:
            condition = campaign.condition
            if condition is not None and _MERCHANT_FIELD in condition.names and facts.merchant_id not in condition.text:
                told.add(campaign.id)
        return passed_over(campaigns, there, told, PASSED_OVER_MAX)


def _full_price(facts: Facts, refused: Iterable[Considered]) -> Offer:
    return Offer.full_price(Money(facts.amount_fen))._replace(considered=tuple(refused))


def _wallet(request: QuoteRequest) -> Wallet | None:
    """The wallet that is named, or whose code it is; the code is never quoted."""
    if request.auth_code is None:
        return request.wallet
    if request.method != "barcode":
        raise InvalidRequest("invalid_field", "“auth_code”: goes with method “barcode” only.", param="auth_code")
    found = wallet_of(request.auth_code)
    if found is None:
        raise InvalidRequest("invalid_field", "“auth_code”: no wallet that we take has it.", param="auth_code")
    if request.wallet not in {None, found}:
        raise InvalidRequest("invalid_field", "“wallet”: the code is another one's.", param="wallet")
    return found


def _asked(merchant: Merchant, request: QuoteRequest, wallet: Wallet | None, place: Place) -> Asked:
    customer = request.customer
    return Asked(
        merchant_id=merchant.id,
        realm=place.customer_realm,
        order_key=f"{merchant.id}:{new_ulid()}",
        amount_fen=request.amount,
        method="page" if wallet is None and request.method == "qrcode" else request.method,
        wallet=wallet,
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        region=place.region,
        category=place.category,
        card_bin=None if customer is None else customer.card_bin,
        expires_in_s=request.expires_in_s,
        customer_id=None if customer is None else customer.id,
        device_id=None if customer is None else customer.device_id,
        coupons=tuple(request.coupons),
    )


def _order(merchant: Merchant, request: QuoteRequest) -> PaymentOrder:
    """The payment that would be asked for, under a number of its own."""
    asked = PaymentRequest.model_construct(
        merchant_order_no=new_ulid(),
        amount=request.amount,
        currency=request.currency,
        method=request.method,
        wallet=request.wallet,
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        operator_id=request.operator_id,
        customer=request.customer,
        coupons=request.coupons,
        metadata={},
    )
    return PaymentOrder(merchant.id, merchant.name, asked, None, {}, timezone=merchant.timezone)


def _sale(merchant: Merchant, request: QuoteRequest, wallet: Wallet, facts: Facts) -> Sale:
    return Sale(
        seed="",
        merchant_id=merchant.id,
        amount_fen=request.amount,
        wallet=wallet,
        method=Method.BARCODE if request.method == "barcode" else Method.QRCODE,
        at=facts.at.astimezone(zone(merchant.timezone)),
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        operator_id=request.operator_id,
        card_bin=facts.card_bin,
    )


def _promotion(applied: Applied) -> dict[str, Any]:
    """Promotion, as the payment would show it."""
    shown: dict[str, Any] = {
        "campaign_id": applied.campaign.id,
        "name": applied.campaign.name,
        "discount": applied.discount_fen,
        "funding": [{"sponsor": part.sponsor, "amount": part.amount_fen} for part in applied.funding],
    }
    return shown | {"fee_off": applied.fee_off_fen} if applied.fee_off_fen else shown


def _failure(code: FailureCode) -> dict[str, Any]:
    meaning = FAILURES[code]
    return {"code": code.value, "message": meaning.message, "channel_code": None, "retryable": meaning.retryable}
