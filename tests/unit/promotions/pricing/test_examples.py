"""The ready examples (DOMAIN.md), matched and priced: each figure is worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from promotions.campaigns.campaign import Campaign, RandomOff, Scope, Status
from promotions.campaigns.document import read
from promotions.campaigns.matching import set_of
from promotions.examples import example, names
from promotions.facts import EVER, Coupon, Facts, History, Uses
from promotions.offer import Offer, Reason
from promotions.pricing import fee_off, price
from tests.support.campaigns import NOON, SECRET, campaign, cascading, off, payment

ID: Final = "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
OLD: Final = NOON - timedelta(days=400)
REGULAR: Final = History(orders=3, spent_fen=9_000, first_at=OLD, last_at=NOON - timedelta(days=2))
WEALTHY: Final = History(orders=20, spent_fen=200_000, first_at=OLD, last_at=NOON - timedelta(days=2))
SLEEPING: Final = History(orders=3, spent_fen=9_000, first_at=OLD, last_at=NOON - timedelta(days=90))
HOLDER: Final = History(orders=1, first_at=OLD, last_at=NOON, coupons=(Coupon("cpn_1", ID, None),))
WEDNESDAY: Final = datetime(2026, 11, 25, 4, tzinfo=UTC)
DINNER: Final = datetime(2026, 11, 22, 11, tzinfo=UTC)
EARLY: Final = datetime(2026, 11, 22, 1, tzinfo=UTC)
FLASH: Final = datetime(2030, 6, 19, 4, tzinfo=UTC)
PACED: Final = datetime(2026, 11, 8, 4, tzinfo=UTC)
CODE: Final = {"code_id": "code_1", "region": "shanghai", "at": PACED}


CASES: Final[list[tuple[str, int, dict[str, Any], int]]] = [
    ("spend-and-save", 499, {}, 0),
    ("spend-and-save", 500, {}, 100),
    ("spend-and-save", 2_000, {}, 500),
    ("spend-and-save", 29_999, {}, 500),
    ("spend-and-save", 30_000, {}, 1_500),
    ("first-payment", 2_599, {"device": "d1"}, 500),
    ("first-payment", 2_599, {"device": "d1", "history": REGULAR}, 0),
    ("first-payment", 2_599, {}, 0),  # the device is not told
    ("first-with-bank-card", 2_599, {"device": "d1", "card_bin": "622202"}, 2_000),
    ("first-with-bank-card", 2_599, {"device": "d1", "card_bin": "621700"}, 0),
    ("first-with-bank-card", 2_000, {"device": "d1", "card_bin": "622202"}, 0),
    ("first-on-wallet", 2_599, {"wallet": "digital_rmb"}, 880),
    ("first-on-wallet", 2_599, {"wallet": "wechat"}, 0),
    ("daily-limited", 2_599, {"at": EARLY}, 0),
    ("daily-limited", 2_599, {}, 600),
    ("weekend-half-price", 2_599, {}, 1_299),  # a Sunday noon; rounded down
    ("weekend-half-price", 9_900, {}, 3_000),
    ("weekend-half-price", 2_599, {"at": WEDNESDAY}, 0),
    ("welcome-back", 2_599, {"history": SLEEPING}, 519),
    ("welcome-back", 9_900, {"history": SLEEPING}, 1_000),
    ("welcome-back", 2_599, {"history": REGULAR}, 0),
    ("one-yuan-coffee", 2_200, {"category": "coffee", "history": WEALTHY}, 2_100),
    ("one-yuan-coffee", 2_200, {"category": "coffee", "history": REGULAR}, 0),
    ("co-funded", 2_599, {}, 0),
    ("co-funded", 5_999, {}, 749),  # 12.5 % is 749.875
    ("bank-voucher", 5_000, {"card_bin": "621700", "history": HOLDER}, 1_000),
    ("bank-voucher", 5_000, {"card_bin": "622202", "history": HOLDER}, 0),
    ("bank-voucher", 5_000, {"card_bin": "621700", "history": REGULAR}, 0),
    ("cinema-voucher", 6_000, {"category": "cinema", "history": HOLDER}, 2_000),
    ("flash-sale", 10_000, {"at": FLASH, "history": HOLDER}, 5_000),
    ("flash-sale", 10_000, {"history": HOLDER}, 0),  # before its start
]
"""Example, amount, what else is known of the payment, and the discount in fen."""


def the(name: str) -> Campaign:
    """The example, active."""
    return read(example(name), campaign_id=ID, version=1, status=Status.ACTIVE)


def offer_of(name: str, facts: Facts) -> Offer:
    """What a payment gets where this is the only campaign."""
    return price(set_of([the(name)]).candidates(facts), facts, SECRET)


@pytest.mark.parametrize(("name", "amount_fen", "changes", "discount_fen"), CASES)
def test_an_example_takes_off_what_it_says(
    name: str, amount_fen: int, changes: dict[str, Any], discount_fen: int
) -> None:
    offer = offer_of(name, payment(amount_fen, **changes))
    assert offer.discount.amount_fen == discount_fen
    assert sum(part.amount_fen for each in offer.applied for part in each.funding) == discount_fen


@pytest.mark.parametrize(
    ("name", "facts", "most_fen"),
    [
        ("bank-and-coffee", payment(2_599, category="coffee", card_bin="622662"), 1_800),
        ("double-eleven-codes", payment(2_599, **CODE), 129),  # 5 % of 25.99
        ("double-eleven-codes", payment(99_900, **CODE), 500),
    ],
)
def test_a_random_example_stays_within_its_bounds(name: str, facts: Facts, most_fen: int) -> None:
    benefit = the(name).benefit
    assert isinstance(benefit, RandomOff)
    drawn = {offer_of(name, payment_of(facts, number)).discount.amount_fen for number in range(300)}
    assert len(drawn) > 50
    assert benefit.min_fen <= min(drawn)
    assert most_fen * 0.95 <= max(drawn) <= most_fen


def payment_of(facts: Facts, number: int) -> Facts:
    """The same payment of another customer."""
    return payment(
        facts.amount_fen,
        customer=f"customer {number}",
        at=facts.at,
        category=facts.category,
        card_bin=facts.card_bin,
        code_id=facts.code_id,
        region=facts.region,
    )


def test_a_dinner_is_rewarded_with_coupons_and_costs_the_same() -> None:
    dinner = payment(12_000, category="restaurant", at=DINNER)
    offer = offer_of("spend-and-get-coupons", dinner)
    assert [each.reason for each in offer.considered] == [Reason.APPLIED]
    assert (offer.discount.amount_fen, offer.applied[0].funding) == (0, ())
    assert offer_of("spend-and-get-coupons", payment(9_999, category="restaurant", at=DINNER)).applied == ()


def test_a_small_merchants_fee_is_paid() -> None:
    offer = offer_of("fee-holiday", payment(10_000, code_id="code_1"))
    [applied] = fee_off(offer.applied, 38)
    assert (offer.payable.amount_fen, applied.fee_off_fen) == (10_000, 38)
    assert fee_off(offer.applied, 380)[0].fee_off_fen == 100


def test_once_per_customer_is_once() -> None:
    had = WEALTHY._replace(uses={(ID, Scope.CUSTOMER, EVER): Uses(1, 2_100)})
    offer = offer_of("one-yuan-coffee", payment(2_200, category="coffee", history=had))
    assert [each.reason for each in offer.considered] == [Reason.LIMIT_REACHED]


def test_every_example_is_priced_here() -> None:
    by_hand = {name for name, *_ in CASES}
    drawn_or_free = {"bank-and-coffee", "double-eleven-codes", "spend-and-get-coupons", "fee-holiday"}
    assert by_hand | drawn_or_free == set(names())


def test_the_table_of_the_managers_guide() -> None:
    """docs/campaigns.md "Stacking"."""
    twenty = campaign("cam_a", off(2_000), stacking=cascading(20, "bank"))
    tenth = read(
        {
            "name": "10 % off",
            "benefit": {"type": "percent_off", "percent": "10"},
            "funding": [{"sponsor": "shop", "share": "1"}],
            "stacking": {"group": "everyday", "mode": "cascading", "priority": 5, "total_max_percent": 30},
        },
        campaign_id=ID,
        version=1,
        status=Status.ACTIVE,
    )
    three = campaign("cam_c", off(300), stacking=cascading(1, "everyday"))
    offer = price([three, tenth, twenty], payment(10_000), SECRET)
    assert [each.discount_fen for each in offer.applied] == [2_000, 800, 200]
