"""The front of promotions, as the payment flow and quotes use it: facts, prices, reservations.  One per process.

It knows nothing of payments: what it is asked comes as plain values, and what it answers is an offer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, Protocol, TypeAlias

from gateway.kernel.money import Money
from gateway.kernel.secrets import Vault
from promotions.budget.reservation import Draw, Exhausted, Pool, Reservation
from promotions.campaigns.campaign import Campaign
from promotions.campaigns.fields import BIN_DIGITS
from promotions.clock import DatabaseClock
from promotions.customers.reading import Read, Reader, Wanted
from promotions.facts import Facts
from promotions.hoarding import NO_SHELF, Shelf
from promotions.offer import Applied, Considered, Offer, Reason
from promotions.pricing.entitlement import HOLD_S_MAX, Circumstances
from promotions.pricing.fees import fee_off
from promotions.pricing.offers import Offers, offers_of
from promotions.pricing.price import price

Held: TypeAlias = tuple[Reservation, ...]
"""What an offer takes of limited budgets, reserved."""


class InForce(Protocol):
    """The campaigns that may give something now (`CampaignSet`)."""

    @property
    def needs_history(self) -> bool:
        """Whether any of them looks at what a customer did before."""

    @property
    def looks_at_channel(self) -> bool:
        """Whether any condition names the channel account."""

    def __bool__(self) -> bool:
        """Whether there are any."""

    def candidates(self, facts: Facts) -> Sequence[Campaign]:
        """Those whose conditions hold."""


class Book(Protocol):
    """All campaigns as this process knows them (`CampaignBook`)."""

    @property
    def current(self) -> InForce: ...

    async def reload(self) -> None:
        """Read what has changed."""


class Paces(Protocol):
    """The shares of customers that paced campaigns let through (`PaceBook`)."""

    @property
    def shares(self) -> Mapping[str, float]: ...


class Scarcity(Protocol):
    """Which campaigns have little left for their day (`Scarce`)."""

    async def among(self, campaign_ids: Sequence[str]) -> frozenset[str]: ...


GrantDay: TypeAlias = Callable[[str, date], Awaitable[None]]
"""Grants a campaign the slices of that day, where it is the present one and they are missing."""


class Asked(NamedTuple):
    """A payment as its till describes it; `realm` is what the customer's id is scoped to (the merchant, or its realm).

    `wallet` is None for a code that any wallet can pay; `method` is `page` then.
    """

    merchant_id: str
    realm: str
    order_key: str
    amount_fen: int
    method: str
    wallet: str | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    region: str | None = None
    category: str | None = None
    card_bin: str | None = None
    code_id: str | None = None
    expires_in_s: int = 60
    customer_id: str | None = None
    device_id: str | None = None
    coupons: tuple[str, ...] = ()


class Names(NamedTuple):
    """What stands for a customer and a device, None where the till did not say: keyed hashes.

    The device's is in hex, and `customer_key` the customer's too.
    """

    customer: bytes | None
    device: str | None
    customer_key: str | None


class Promotions:
    """Prices payments and reserves what the price takes of budgets."""

    def __init__(
        self,
        *,
        book: Book,
        clock: DatabaseClock,
        histories: Reader,
        pool: Pool,
        vault: Vault,
        paces: Paces,
        scarcity: Scarcity,
        grant_day: GrantDay,
        shelf: Shelf = NO_SHELF,
    ) -> None:
        self.book = book
        self.clock = clock
        self.pool = pool
        self._histories = histories
        self._vault = vault
        self._paces = paces
        self._scarcity = scarcity
        self.grant_day = grant_day
        self.shelf = shelf
        self._draw_secret = vault.keyed_hash(b"random discounts")

    def customer_key(self, realm: str, customer_id: str) -> bytes:
        """The keyed hash that stands for a customer."""
        return self._vault.name_hash(f"{realm}\n{customer_id}".encode())

    def bin_key(self, card_bin: str) -> bytes:
        """The keyed hash under which a customer's payments with a bank's cards are counted."""
        return self._vault.name_hash(f"bin\n{card_bin[:BIN_DIGITS]}".encode())

    def names_of(self, asked: Asked) -> Names:
        """The keyed hashes of whom a payment names."""
        realm, device = asked.realm, asked.device_id
        customer = None if asked.customer_id is None else self.customer_key(realm, asked.customer_id)
        device_key = None if device is None else self._vault.name_hash(f"{realm}\n{device}".encode()).hex()
        return Names(customer, device_key, None if customer is None else customer.hex())

    def begin_history(self, asked: Asked, names: Names) -> asyncio.Future[Read] | None:
        """Ask for the customer's history, where a campaign in force could need it, without waiting for it."""
        customer, device, customer_key = names
        if customer is None or customer_key is None or not self.book.current.needs_history:
            return None
        card_bin, bin_key = None, None
        if asked.card_bin is not None:
            card_bin, bin_key = asked.card_bin[:BIN_DIGITS], self.bin_key(asked.card_bin).hex()
        return self._histories.begin(Wanted(customer, customer_key, device, bin_key, asked.merchant_id, card_bin))

    async def facts(self, asked: Asked, begun: asyncio.Future[Read] | None = None, names: Names | None = None) -> Facts:
        """What campaigns look at; with the history that was asked for before, or that of now where they need one.

        `names` are those of `names_of`, where they are at hand.
        """
        names = names or self.names_of(asked)
        history = None
        if (reading := begun or self.begin_history(asked, names)) is not None:
            read = await reading
            self.clock.heard(read.at)
            history = read.history
        return Facts(
            merchant_id=asked.merchant_id,
            order_key=asked.order_key,
            amount_fen=asked.amount_fen,
            method=asked.method,
            at=self.clock.now(),
            wallet=asked.wallet,
            channel=None,
            store_id=asked.store_id,
            terminal_id=asked.terminal_id,
            region=asked.region,
            category=asked.category,
            card_bin=asked.card_bin,
            code_id=asked.code_id,
            expires_in_s=asked.expires_in_s,
            customer=names.customer_key,
            device=names.device,
            coupons=asked.coupons,
            history=history,
        )

    async def offers(
        self, facts: Facts, *, accounts: Iterable[str] = (), without: Mapping[str, Reason] | None = None
    ) -> Offers:
        """The best price, and where it is another one on one of these accounts; `without` those that have refused."""
        campaigns = self.book.current
        if not campaigns:
            return Offers(Offer.full_price(Money(facts.amount_fen)))
        scarce: frozenset[str] = frozenset()
        if facts.expires_in_s > HOLD_S_MAX:
            scarce = await self._scarcity.among([campaign.id for campaign in campaigns.candidates(facts)])
        around = Circumstances(without or {}, self._paces.shares, scarce)

        def priced(candidates: Sequence[Campaign], of: Facts) -> Offer:
            return price(candidates, of, self._draw_secret, around)

        return offers_of(facts, campaigns.candidates, priced, accounts if campaigns.looks_at_channel else ())

    def unpromoted(self, facts: Facts) -> Offer:
        """The full price, though the conditions of campaigns hold: the payment is not to have a subsidy."""
        why = Reason.NOT_PROMOTED
        considered = [Considered(each.id, each.name, why) for each in self.book.current.candidates(facts)]
        return Offer.full_price(Money(facts.amount_fen))._replace(considered=tuple(considered))

    async def reserve(self, facts: Facts, offer: Offer, owner: str) -> Held | Exhausted:
        """Reserve what an offer takes of limited budgets for a payment, all of it or nothing."""
        draws = [_draw(applied) for applied in offer.applied if applied.campaign.limits.has_slices]
        return await self.pool.reserve(facts.order_key, owner, draws) if draws else ()


def pays_of_fee(offer: Offer) -> bool:
    """Whether a campaign among those applied would pay of the merchant's fee: it is no discount."""
    return 0 in [applied.discount_fen for applied in offer.applied]


def with_fee(offer: Offer, fee_fen: int) -> Offer:
    """The offer once it is known what fee the merchant pays, with what funders pay of it; 0 where no account is known.

    A campaign that pays of the fee, and has nothing to pay, does not apply.
    """
    if not pays_of_fee(offer):
        return offer
    applied = fee_off(offer.applied, fee_fen)
    kept = {each.campaign.id for each in applied}
    considered = [
        row._replace(reason=Reason.NOTHING_LEFT, detail="There is no fee that it could pay.")
        if row.reason is Reason.APPLIED and row.campaign_id not in kept
        else row
        for row in offer.considered
    ]
    return offer._replace(applied=applied, considered=tuple(considered))


def _draw(applied: Applied) -> Draw:
    campaign = applied.campaign
    return Draw(campaign.id, applied.day, campaign.slices, applied.taken_fen)
