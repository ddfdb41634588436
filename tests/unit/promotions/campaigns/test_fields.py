"""What a condition sees of a payment and of its customer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.kernel.expressions import FieldType, Value
from gateway.kernel.local_time import TIME_FIELDS
from promotions.campaigns.fields import (
    FIELDS,
    HIGH_VALUE_ORDERS,
    HIGH_VALUE_SPENT_FEN,
    HISTORY_FIELDS,
    METHODS,
    SLEEPING_AFTER_DAYS,
    WALLETS,
    Segment,
    condition,
    segment_of,
    values_of,
)
from promotions.facts import Coupon, History
from routing.channels.base import Wallet
from routing.sale import Method
from tests.support.campaigns import NOON, SHANGHAI, payment

REGULAR = History(
    orders=4,
    spent_fen=9_000,
    first_at=NOON - timedelta(days=40, hours=5),
    last_at=NOON - timedelta(days=2, hours=23),
    orders_by_wallet={"wechat": 3, "alipay": 1},
    orders_by_bin={"622202": 2},
    orders_by_merchant={"mer_1": 1, "mer_2": 3},
    segments=("vip",),
    coupons=(Coupon("cpn_1", "cam_7", None),),
)
KINDS = {
    FieldType.INT: int,
    FieldType.STRING: str,
    FieldType.BOOL: bool,
    FieldType.STRING_LIST: tuple,
}


def test_the_wallets_and_methods_are_those_that_channels_take() -> None:
    assert {wallet.value for wallet in Wallet} == WALLETS
    assert {method.value for method in Method} == METHODS


def test_the_condition_of_the_specification_works() -> None:
    expression = condition("payment.wallet == 'wechat' && payment.hour >= 7")
    assert expression.evaluate(values_of(payment(), SHANGHAI)) is True
    assert expression.evaluate(values_of(payment(), ZoneInfo("UTC"))) is False
    assert expression.evaluate(values_of(payment(wallet="alipay"), SHANGHAI)) is False
    assert expression.evaluate(values_of(payment(wallet=None), SHANGHAI)) is None


@pytest.mark.parametrize("facts", [payment(history=REGULAR, card_bin="62220288"), payment(customer=None, history=None)])
def test_every_value_is_of_its_fields_type_and_null_only_where_that_is_declared(facts: object) -> None:
    values = values_of(facts, SHANGHAI)  # type: ignore[arg-type]
    assert values.keys() <= FIELDS.fields.keys()
    for name, field in FIELDS.fields.items():
        value = values.get(name)
        assert type(value) is KINDS[field.type] if value is not None else field.nullable, name


def test_times_are_those_of_the_campaigns_zone() -> None:
    facts = payment(at=datetime(2026, 12, 31, 16, 5, tzinfo=UTC))
    times = {name: value for name, value in values_of(facts, SHANGHAI).items() if name in TIME_FIELDS}
    assert times == {
        "payment.date": "2027-01-01",
        "payment.month": 1,
        "payment.day": 1,
        "payment.weekday": 5,
        "payment.hour": 0,
        "payment.minute": 5,
    }


def test_of_a_customer_it_sees_what_was_paid_before() -> None:
    values = values_of(payment(history=REGULAR, card_bin="62220288"), SHANGHAI)
    assert {name: value for name, value in values.items() if name.startswith("customer.")} == {
        "customer.known": True,
        "customer.orders": 4,
        "customer.spent": 9_000,
        "customer.first_payment": False,
        "customer.orders_on_wallet": 3,
        "customer.orders_at_merchant": 1,
        "customer.orders_with_bin": 2,
        "customer.days_since_first": 40,
        "customer.days_since_last": 2,
        "customer.segment": "active",
        "customer.segments": ("vip",),
        "customer.coupons": ("cam_7",),
    }


def test_somebody_new_has_paid_nothing_and_no_last_day() -> None:
    values = values_of(payment(card_bin="440011"), SHANGHAI)
    assert values["customer.first_payment"] is True
    assert values["customer.orders_with_bin"] == 0
    assert values["customer.days_since_last"] is None
    assert values["customer.segment"] == "new"


def test_without_a_wallet_or_a_card_there_is_no_number_of_payments_with_it() -> None:
    values = values_of(payment(history=REGULAR, wallet=None), SHANGHAI)
    assert values["customer.orders_on_wallet"] is None
    assert values["customer.orders_with_bin"] is None


def test_of_an_unknown_customer_nothing_is_known() -> None:
    values = values_of(payment(customer=None, history=None), SHANGHAI)
    assert values["customer.known"] is False
    assert not values.keys() & HISTORY_FIELDS


@pytest.mark.parametrize(
    ("history", "segment"),
    [
        (History(), Segment.NEW),
        (History(orders=1, spent_fen=1, first_at=NOON, last_at=NOON), Segment.ACTIVE),
        (REGULAR._replace(last_at=NOON - timedelta(days=SLEEPING_AFTER_DAYS)), Segment.SLEEPING),
        (REGULAR._replace(last_at=NOON - timedelta(days=SLEEPING_AFTER_DAYS, seconds=-1)), Segment.ACTIVE),
        (REGULAR._replace(orders=HIGH_VALUE_ORDERS, spent_fen=HIGH_VALUE_SPENT_FEN), Segment.HIGH_VALUE),
        (REGULAR._replace(orders=HIGH_VALUE_ORDERS - 1, spent_fen=HIGH_VALUE_SPENT_FEN), Segment.ACTIVE),
        (REGULAR._replace(orders=HIGH_VALUE_ORDERS, spent_fen=HIGH_VALUE_SPENT_FEN - 1), Segment.ACTIVE),
        (
            REGULAR._replace(orders=99, spent_fen=HIGH_VALUE_SPENT_FEN, last_at=NOON - timedelta(days=99)),
            Segment.SLEEPING,
        ),
    ],
)
def test_a_customers_segment_goes_by_recency_frequency_and_money(history: History, segment: Segment) -> None:
    assert segment_of(history, NOON) is segment


def test_a_payment_that_another_processs_clock_puts_in_the_future_was_today() -> None:
    ahead = REGULAR._replace(last_at=NOON + timedelta(minutes=10))
    days: Value | None = values_of(payment(history=ahead), SHANGHAI)["customer.days_since_last"]
    assert days == 0
