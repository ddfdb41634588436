"""Each ready example is a campaign, for the payments that it is meant for and for no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promotions.campaigns.campaign import CouponReward, FeeOff, Status
from promotions.campaigns.document import parse, read, to_json
from promotions.campaigns.matching import set_of
from promotions.examples import example, names
from promotions.facts import History
from promotions.offer import Reason
from promotions.pricing.price import price
from tests.support.campaigns import NOON, SECRET, payment

REGULAR = History(
    orders=12,
    spent_fen=90_000,
    first_at=NOON - timedelta(days=200),
    last_at=NOON - timedelta(days=3),
    orders_by_wallet={"wechat": 12, "digital_rmb": 1},
    orders_by_bin={"622202": 5},
)
RICH = History(orders=30, spent_fen=500_000, first_at=NOON - timedelta(days=200), last_at=NOON - timedelta(days=3))
SLEEPING = History(orders=3, spent_fen=9_000, first_at=NOON - timedelta(days=200), last_at=NOON - timedelta(days=61))
DOUBLE_ELEVEN = datetime(2026, 11, 11, 4, tzinfo=UTC)
WEDNESDAY = datetime(2026, 11, 25, 4, tzinfo=UTC)
FLASH = datetime(2030, 6, 18, 2, tzinfo=UTC)
"""Ten o'clock in Shanghai."""

Changes = dict[str, Any]
MEANT_FOR: dict[str, tuple[list[Changes], list[Changes]]] = {
    "spend-and-save": ([{}, {"customer": None, "history": None}], []),
    "bank-and-coffee": (
        [{"category": "coffee", "card_bin": "622660"}],
        [
            {"category": "coffee"},
            {"category": "coffee", "card_bin": "622202"},
            {"category": "bar", "card_bin": "622660"},
        ],
    ),
    "first-payment": ([{}], [{"history": REGULAR}, {"customer": None, "history": None}]),
    "first-with-bank-card": (
        [{"card_bin": "622299"}, {"card_bin": "622299", "history": REGULAR}],
        [{}, {"card_bin": "440011"}, {"card_bin": "62220288", "history": REGULAR}],
    ),
    "first-on-wallet": (
        [{"wallet": "digital_rmb"}, {"wallet": "digital_rmb", "history": RICH}],
        [
            {},
            {"wallet": "digital_rmb", "history": REGULAR},
            {"wallet": "digital_rmb", "customer": None, "history": None},
        ],
    ),
    "daily-limited": ([{}, {"at": NOON - timedelta(hours=2)}], [{"at": NOON - timedelta(hours=2, seconds=1)}]),
    "flash-sale": ([{"at": FLASH}], [{"at": FLASH - timedelta(seconds=1)}, {"at": FLASH + timedelta(days=30)}]),
    "weekend-half-price": ([{}], [{"at": WEDNESDAY}, {"at": NOON + timedelta(hours=2)}]),
    "spend-and-get-coupons": (
        [{"category": "restaurant", "at": NOON + timedelta(hours=7)}],
        [{"category": "restaurant"}, {"at": NOON + timedelta(hours=7)}],
    ),
    "cinema-voucher": ([{"category": "cinema"}], [{}, {"category": "restaurant"}]),
    "bank-voucher": ([{}, {"wallet": "unionpay"}], [{"wallet": "alipay"}, {"wallet": None}]),
    "double-eleven-codes": (
        [{"at": DOUBLE_ELEVEN, "code_id": "cod_1", "region": "shanghai"}],
        [
            {"at": DOUBLE_ELEVEN, "region": "shanghai"},
            {"at": DOUBLE_ELEVEN, "code_id": "cod_1", "region": "beijing"},
            {"at": DOUBLE_ELEVEN + timedelta(hours=12), "code_id": "cod_1", "region": "shanghai"},
        ],
    ),
    "co-funded": ([{}, {"wallet": "alipay"}], [{"wallet": "jd"}]),
    "fee-holiday": ([{"code_id": "cod_1"}], [{}, {"code_id": "cod_1", "amount_fen": 100_001}]),
    "welcome-back": ([{"history": SLEEPING}], [{}, {"history": REGULAR}, {"customer": None, "history": None}]),
    "one-yuan-coffee": (
        [{"history": RICH, "category": "coffee", "amount_fen": 2_500}],
        [{"history": REGULAR, "category": "coffee", "amount_fen": 2_500}, {"history": RICH, "amount_fen": 2_500}],
    ),
}


def test_every_example_is_tried() -> None:
    assert set(names()) == MEANT_FOR.keys()
    assert len(names()) >= 10


@pytest.mark.parametrize("name", names())
def test_an_example_is_a_campaign_and_is_read_again_as_it_is_written(name: str) -> None:
    campaign = parse(example(name), now=NOON)
    assert parse(to_json(campaign), now=NOON) == campaign


@pytest.mark.parametrize("name", names())
def test_an_example_is_for_the_payments_that_it_is_meant_for(name: str) -> None:
    campaigns = set_of([read(example(name), campaign_id=name, version=1, status=Status.ACTIVE)])
    meant, others = MEANT_FOR[name]
    assert meant
    for changes in meant:
        assert campaigns.candidates(payment(**changes)), changes
    for changes in others:
        assert not campaigns.candidates(payment(**changes)), changes


@pytest.mark.parametrize("name", names())
def test_an_example_applies_to_a_payment_that_it_is_meant_for(name: str) -> None:
    """Coupon campaigns want a coupon beside it."""
    campaign = read(example(name), campaign_id=name, version=1, status=Status.ACTIVE)
    changes = {"amount_fen": 12_000, "device": "d", **MEANT_FOR[name][0][0]}
    offer = price([campaign], payment(**changes), SECRET)
    if campaign.coupon is not None:
        assert [each.reason for each in offer.considered] == [Reason.COUPON_MISSING]
        return
    [applied] = offer.applied
    assert sum(part.amount_fen for part in applied.funding) == applied.discount_fen
    assert (applied.discount_fen > 0) is not isinstance(campaign.benefit, (FeeOff, CouponReward))


def test_there_is_no_example_of_another_name() -> None:
    with pytest.raises(KeyError):
        example("../pacing/pacing")
