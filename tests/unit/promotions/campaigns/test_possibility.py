"""Nothing that could come true is ever called impossible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from promotions.campaigns.fields import condition, values_of
from promotions.campaigns.possibility import Amounts, Never, Situation, amounts_of
from promotions.facts import Facts, History

SINCE = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
ATOMS = [
    "payment.amount >= {n}",
    "payment.amount < {n}",
    "payment.amount != {n}",
    "payment.wallet == '{w}'",
    "payment.wallet in ['alipay', '{w}']",
    "!known(payment.wallet)",
    "payment.card_bin.startsWith('622')",
    "payment.card_bin == '622202'",
    "payment.hour >= {h}",
    "payment.hour < {h}",
    "payment.weekday == {d}",
    "payment.day > {h}",
    "payment.month == 12",
    "payment.date == '2026-11-2{d}'",
    "customer.known",
    "customer.first_payment",
    "customer.orders == {o}",
    "customer.orders > {o}",
    "customer.orders_on_wallet == {o}",
    "customer.orders_at_merchant >= {o}",
    "customer.spent > {n}",
    "customer.days_since_last > {h}",
    "known(customer.days_since_first)",
    "customer.segment == '{s}'",
    "payment.amount % 2 == {o}",
    "payment.hour % 3 == {o}",
    "payment.hour + payment.weekday > {h}",
    "payment.wallet.startsWith('{w}')",
]
FILLED = st.builds(
    lambda atom, **words: atom.format(**words),
    st.sampled_from(ATOMS),
    n=st.sampled_from([1, 2, 100, 101, 2_000, 100_000]),
    w=st.sampled_from(["wechat", "unionpay", "paypal"]),
    h=st.integers(-1, 25),
    d=st.integers(0, 8),
    o=st.integers(0, 12),
    s=st.sampled_from(["new", "active", "high_value", "sleeping", "rich"]),
)
CONDITIONS = st.recursive(
    FILLED,
    lambda inner: (
        inner.map(lambda a: f"!({a})")
        | st.builds(lambda a, b, sign: f"({a} {sign} {b})", inner, inner, st.sampled_from(["&&", "&&", "||"]))
    ),
    max_leaves=6,
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Of a customer as there could be one."""
    orders = draw(st.integers(0, 15))
    if not orders:
        return History()
    age, back = sorted([draw(st.integers(0, 100)), draw(st.integers(0, 100))], reverse=True)
    return History(
        orders=orders,
        spent_fen=orders * draw(st.sampled_from([1, 100, 20_000])),
        first_at=SINCE - timedelta(days=age),
        last_at=SINCE - timedelta(days=back),
        orders_by_wallet={"wechat": draw(st.integers(0, orders))},
        orders_by_merchant={"mer_1": draw(st.integers(0, orders))},
    )


@st.composite
def payments(draw: st.DrawFn) -> Facts:
    """Of the first days of a campaign."""
    history = draw(st.none() | histories())
    return Facts(
        merchant_id="mer_1",
        order_key="o",
        amount_fen=draw(st.sampled_from([1, 2, 99, 100, 101, 1_999, 2_000, 99_999, 200_000])),
        method="barcode",
        at=SINCE + timedelta(minutes=draw(st.integers(0, 60 * 24 * 40))),
        wallet=draw(st.sampled_from([None, "wechat", "alipay", "unionpay"])),
        card_bin=draw(st.sampled_from([None, "622202", "62229999", "440011"])),
        customer=None if history is None else "c",
        history=history,
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    CONDITIONS,
    st.lists(payments(), min_size=8, max_size=12),
    st.sampled_from([1, 2_000]),
    st.sampled_from([timedelta(hours=5), timedelta(days=8), timedelta(days=40)]),
    st.booleans(),
)
def test_a_condition_that_a_payment_meets_is_not_called_impossible(
    text: str, some: list[Facts], least: int, runs_for: timedelta, needs_customer: bool
) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    until = SINCE + runs_for
    possible = amounts_of(condition(text), Situation(Amounts(least, 100_000), SINCE, until, zone, needs_customer))
    met = [
        facts
        for facts in some
        if least <= facts.amount_fen <= 100_000
        and facts.at < until
        and (facts.customer is not None or not needs_customer)
        and condition(text).evaluate(values_of(facts, zone))
    ]
    assume(met or isinstance(possible, Never))
    for facts in met:
        assert isinstance(possible, Amounts), (text, facts, possible)
        assert possible.least_fen <= facts.amount_fen <= possible.most_fen


def test_what_becomes_too_many_alternatives_is_not_looked_at() -> None:
    """Twelve parts of two alternatives each would be 4,096; what is asked after them is looked at again."""
    many = " && ".join(f"(payment.hour >= {n} || payment.store_id != 's{n}')" for n in range(1, 13))
    situation = Situation(Amounts(1, 9_999), SINCE, SINCE + timedelta(days=9), ZoneInfo("UTC"))
    assert amounts_of(condition(many), situation) == Amounts(1, 9_999)
    assert amounts_of(condition(f"{many} && payment.amount < 50"), situation) == Amounts(1, 49)
    assert isinstance(amounts_of(condition(f"{many} && payment.amount < 1"), situation), Never)
