"""What becomes of an order's price when budgets refuse, when knowledge is out of date, and when accounts differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from gateway.database.redemptions import Refusal, RefusalKind
from gateway.kernel.failures import FailureCode
from gateway.kernel.secrets import Vault
from gateway.merchants.stores import Place
from gateway.payments.payment import PaymentOrder
from gateway.payments.pricing import Basket, Priced, Pricing
from gateway.payments.schemas import PaymentRequest
from gateway.payments.turns import Route
from promotions.budget.reservation import DatabaseOnly, Draw, Exhausted, Reservation
from promotions.campaigns.campaign import Campaign, FeeOff, Limits, WhenExhausted
from promotions.campaigns.fields import condition
from promotions.campaigns.matching import set_of
from promotions.clock import DatabaseClock
from promotions.desk import Promotions
from promotions.offer import Reason
from routing.channels.base import Wallet
from routing.sale import Prices
from tests.support.campaigns import campaign, off
from tests.support.routing import Bench, account, sale
from tests.support.till import new_order

VAULT = Vault(bytes(range(32)))
BUDGET = Limits(budget_fen=10_000)
NOW = datetime.now(UTC)


class Shop:
    """Pricing over campaigns, accounts and a pool that a test sets; nothing is read from anywhere."""

    def __init__(self, *campaigns: Campaign, gone: Sequence[str] = (), accounts: Sequence[Any] = ()) -> None:
        self.current = set_of(campaigns)
        self.shares: dict[str, float] = {}
        self.gone = set(gone)
        self.pool = RecordingPool(self.gone)
        self.granted: list[tuple[str, date]] = []
        self.reloads = 0
        self.bench = Bench(*(accounts or [account("direct")]))
        desk = Promotions(
            book=self,
            clock=DatabaseClock(),
            histories=self,
            pool=self.pool,
            vault=VAULT,
            paces=self,
            scarcity=self,
            grant_day=self.grant,
        )
        self.pricing = Pricing(desk, self, self.bench.book)  # type: ignore[arg-type]

    async def reload(self) -> None:
        self.reloads += 1

    async def among(self, campaign_ids: Sequence[str]) -> frozenset[str]:
        return frozenset()

    def begin(self, row: Any) -> Any:
        raise AssertionError(f"no campaign here looks at a history: {row}")

    async def grant(self, campaign_id: str, day: date) -> None:
        self.granted.append((campaign_id, day))

    async def get(self, merchant_id: str, store_id: str | None) -> Place:
        return Place(merchant_id, None, None)

    async def basket(self) -> Basket:
        request = PaymentRequest.model_validate_json(orjson.dumps(new_order(amount=10_000)))
        sought = await self.pricing.seek(PaymentOrder.of("mer_shop", "x", request, None, VAULT), Wallet.WECHAT)
        return await self.pricing.open("pay_1", sought)

    async def price(self, basket: Basket, expected_fen: int | None = None) -> Priced:
        return await self.pricing.price(basket, expected_fen, self.route)

    def route(self, prices: Prices) -> Route:
        return Route(sale(), prices, self.bench.router.choose(sale(), prices))


class RecordingPool(DatabaseOnly):
    """Says no for some campaigns, and writes down what it is told."""

    def __init__(self, gone: set[str]) -> None:
        self.gone = gone
        self.told: list[tuple[str, str]] = []

    async def reserve(  # type: ignore[override]
        self, order_key: str, owner: str, draws: Sequence[Draw]
    ) -> tuple[Reservation, ...] | Exhausted:
        refusing = next((draw for draw in draws if draw.campaign_id in self.gone), None)
        return Exhausted(refusing.campaign_id) if refusing else await super().reserve(order_key, owner, draws)

    def release(self, reservations: Sequence[Reservation]) -> None:
        self.told += [("release", each.campaign_id) for each in reservations]

    def confirm(self, reservations: Sequence[Reservation]) -> None:
        self.told += [("confirm", each.campaign_id) for each in reservations]

    def correct(self, campaign_id: str, day: date, slice_: int, room_fen: int, room_count: int | None) -> None:
        self.told.append(("correct", campaign_id))


def rising(number: int, **changes: Any) -> Campaign:
    """The higher its number, the more it takes off."""
    return campaign(f"cam_{number}", off(100 * number), limits=BUDGET, **changes)


def discount(priced: Priced) -> int:
    return priced.offer.discount.amount_fen


async def test_what_is_gone_is_left_out_and_the_next_best_applies() -> None:
    shop = Shop(*[rising(number) for number in (1, 2, 3)], gone=["cam_3", "cam_2"])
    basket = await shop.basket()
    assert discount(await shop.price(basket)) == 100
    assert [held.campaign_id for held in basket.held] == ["cam_1"]
    assert basket.without.keys() == {"cam_3", "cam_2"}


async def test_after_three_refusals_an_order_is_taken_at_full_price() -> None:
    shop = Shop(*[rising(number) for number in (1, 2, 3, 4)], gone=["cam_4", "cam_3", "cam_2"])
    basket = await shop.basket()
    priced = await shop.price(basket)
    assert (discount(priced), priced.refusal, basket.held) == (0, None, ())
    assert [(row.campaign_id, row.reason) for row in priced.offer.considered] == [
        (f"cam_{number}", Reason.BUDGET_EXHAUSTED) for number in (4, 3, 2)
    ]


async def test_a_campaign_that_wants_it_has_its_payments_refused() -> None:
    shop = Shop(rising(1), rising(2, when_exhausted=WhenExhausted.DECLINE), gone=["cam_2"])
    priced = await shop.price(await shop.basket())
    assert (priced.refusal, discount(priced), priced.offer.applied) == (FailureCode.DISCOUNT_EXHAUSTED, 0, ())


async def test_the_expected_price_is_compared_with_the_final_one() -> None:
    shop = Shop(rising(1), rising(2), gone=["cam_2"])
    refused = await shop.price(await shop.basket(), 9_800)
    assert (refused.refusal, refused.offer.applied) == (FailureCode.PRICE_CHANGED, ())
    assert shop.pool.told == [("release", "cam_1")]
    found = await shop.price(await shop.basket(), 9_900)
    assert (found.refusal, discount(found)) == (None, 100), "whatever it was before a budget refused"


async def test_a_guards_refusal_lets_go_corrects_the_pool_and_leaves_the_campaign_out() -> None:
    shop = Shop(rising(1), rising(2))
    basket = await shop.basket()
    priced = await shop.price(basket)
    await shop.pricing.refused(basket, priced.offer, Refusal("cam_2", RefusalKind.EXHAUSTED, 5, None), NOW)
    assert shop.pool.told == [("release", "cam_2"), ("correct", "cam_2")]
    again = await shop.price(basket)
    assert discount(again) == 100
    shop.pricing.ended(basket, again.offer, is_bound=True)
    assert shop.pool.told[2:] == [("confirm", "cam_1")]


async def test_a_used_up_limit_declines_nothing() -> None:
    shop = Shop(rising(2, when_exhausted=WhenExhausted.DECLINE))
    basket = await shop.basket()
    priced = await shop.price(basket)
    await shop.pricing.refused(basket, priced.offer, Refusal("cam_2", RefusalKind.LIMIT), NOW)
    again = await shop.price(basket)
    assert (discount(again), again.refusal, shop.pool.told) == (0, None, [("release", "cam_2")])
    assert [row.reason for row in again.offer.considered] == [Reason.LIMIT_REACHED]


async def test_what_is_out_of_date_is_learnt_and_the_same_campaign_is_asked_again() -> None:
    shop = Shop(rising(2))
    basket = await shop.basket()
    priced = await shop.price(basket)
    for kind in (RefusalKind.CHANGED, RefusalKind.NO_SLICE):
        await shop.pricing.refused(basket, priced.offer, Refusal("cam_2", kind), NOW)
    assert (shop.reloads, shop.granted) == (1, [("cam_2", priced.offer.applied[0].day)])
    tomorrow = NOW + timedelta(days=1)
    await shop.pricing.refused(basket, priced.offer, Refusal("cam_2", RefusalKind.OTHER_DAY), tomorrow)
    again = await shop.price(basket)
    assert again.offer.applied[0].day == priced.offer.applied[0].day + timedelta(days=1)
    for _ in range(2):
        await shop.pricing.refused(basket, priced.offer, Refusal("cam_2", RefusalKind.CHANGED), NOW)
    assert discount(await shop.price(basket)) == 0, "not for ever"


async def test_an_order_that_is_not_bound_frees_what_it_had_reserved() -> None:
    shop = Shop(rising(2))
    basket = await shop.basket()
    priced = await shop.price(basket)
    shop.pricing.ended(basket, priced.offer, is_bound=False)
    assert (shop.pool.told, basket.held) == ([("release", "cam_2")], ())


async def test_the_route_knows_the_accounts_where_campaigns_give_something_else() -> None:
    here = replace(rising(3), condition=condition("payment.channel == 'cheap'"))
    shop = Shop(rising(2), here, accounts=[account("cheap", rate=3_000), account("dear", rate=6_000)])
    priced = await shop.price(await shop.basket())
    assert priced.route is not None
    assert (priced.route.choice.account.id, discount(priced)) == ("cheap", 300)  # type: ignore[union-attr]
    assert priced.route.strangers == {"dear"}


async def test_what_funders_pay_of_a_fee_is_of_the_chosen_account_and_so_is_the_payment() -> None:
    halved = campaign("cam_fee", FeeOff(Decimal(50)), limits=BUDGET)
    accounts = [account("cheap", rate=3_000), account("same", rate=3_000), account("dear", rate=6_000)]
    shop = Shop(halved, accounts=accounts)
    priced = await shop.price(await shop.basket())
    assert [each.fee_off_fen for each in priced.offer.applied] == [15]
    assert priced.route is not None
    assert priced.route.strangers == {"dear"}


async def test_nobody_pays_of_a_fee_that_nobody_knows_yet() -> None:
    shop = Shop(campaign("cam_fee", FeeOff(Decimal(50)), limits=BUDGET))
    priced = await shop.pricing.price(await shop.basket(), None)
    assert priced.offer.applied == ()
    assert [row.reason for row in priced.offer.considered] == [Reason.NOTHING_LEFT]
