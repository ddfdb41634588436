"""What accounts are worth: the arithmetic is that of the terms, failing never pays, draws are fair and bounded."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.sale import Price, Prices
from routing.scoring import Exploration, drawn_value_fen, keyed_hash, value_fen
from tests.support.routing import Bench, account, policy, sale

SUCCESS = st.floats(0, 1)
MARGIN = st.floats(-1e9, 1e9)
FEE = st.builds(
    lambda rate, minimum, more, bands, promotion: {
        "rate_millionths": rate,
        "min_fen": minimum,
        "cap_fen": None if more is None else minimum + more,
        "bands": [
            {"up_to_fen": up_to, "rate_millionths": rate, "cap_fen": cap}
            for up_to, (rate, cap) in sorted(bands.items())
        ],
        "promotions": []
        if promotion is None
        else [
            {"from": "2026-11-01T00:00:00+08:00", "until": "2026-12-01T00:00:00+08:00", "rate_millionths": promotion}
        ],
    },
    st.integers(0, 1_000_000),
    st.integers(0, 200),
    st.none() | st.integers(0, 5_000),
    st.dictionaries(
        st.integers(1, 50_000),
        st.tuples(st.integers(0, 1_000_000), st.none() | st.integers(0, 500)),
        max_size=3,
    ),
    st.none() | st.integers(0, 1_000_000),
)
PRICE = st.builds(Price, st.integers(1, 100_000), st.integers(0, 10_000))


@given(st.lists(FEE, min_size=1, max_size=4), PRICE, st.dictionaries(st.sampled_from("abcd"), PRICE))
def test_fee_subsidy_and_value_are_those_of_the_accounts_terms_and_price(
    fees: list[dict[str, Any]], everywhere: Price, on_account: dict[str, Price]
) -> None:
    accounts = [account(name, {"fee": fee}) for name, fee in zip("abcd", fees, strict=False)]
    bench, prices = Bench(*accounts, compiled=policy(success_value="0.30")), Prices(everywhere, on_account)
    asked = sale(amount_fen=50_000)
    for each in bench.router.choose(asked, prices).candidates:
        price = prices.on(each.account.id)
        fee_fen = each.account.terms.fee.fee_fen(price.payable_fen, asked.wallet, asked.at)
        assert (each.fee_fen, each.subsidy_fen) == (fee_fen, price.subsidy_fen)
        assert each.value_fen == value_fen(0.99, 0.30 * 50_000 - fee_fen - price.subsidy_fen)


@given(SUCCESS, SUCCESS, MARGIN)
def test_no_account_is_worth_more_for_failing_more(first: float, second: float, margin_fen: float) -> None:
    worse, better = sorted((first, second))
    assert value_fen(worse, margin_fen) <= value_fen(better, margin_fen)


@given(SUCCESS, MARGIN, MARGIN)
def test_no_account_is_worth_more_for_costing_more(success: float, first: float, second: float) -> None:
    dearer, cheaper = sorted((first, second))
    assert value_fen(success, dearer) <= value_fen(success, cheaper)


COSTS = st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.02, 0.1]), st.floats(0.0, 1.5)), min_size=1, max_size=500)


@given(COSTS)
def test_of_any_sales_in_a_row_no_more_is_given_up_than_the_share(sales: list[tuple[float, float]]) -> None:
    exploration, given_up, allowed = Exploration(), 0.0, 0.0
    for share, cost in sales:
        explores = exploration.affords(cost, share)
        exploration.count(share, cost if explores else 0.0)
        given_up += cost * explores
        allowed += share
        assert given_up <= allowed + 1e-9


def test_what_was_saved_up_pays_for_one_loss_at_most() -> None:
    exploration = Exploration()
    for _ in range(10_000):
        exploration.count(0.1)
    assert exploration.affords(1.0, 0.1)
    assert not exploration.affords(1.01, 0.1)


def test_what_costs_nothing_can_always_be_tried() -> None:
    assert Exploration().affords(0.0, 0.0)


def test_one_sale_in_twenty_draws_unless_nothing_may_be_given_up() -> None:
    due = sum(Exploration().is_due(f"pay_{number}", 0.001) for number in range(100_000))
    assert due / 100_000 == pytest.approx(0.05, abs=0.003)
    assert not any(Exploration().is_due(f"pay_{number}", 0.0) for number in range(1_000))


def test_draws_have_the_posteriors_mean_and_spread() -> None:
    scored = (0.0, 0.9, 0, 0, account("a"))
    draws = [drawn_value_fen(scored, 1.0, 0.02, f"pay_{number}") for number in range(20_000)]
    assert statistics.mean(draws) == pytest.approx(0.9, abs=0.001)
    assert statistics.stdev(draws) == pytest.approx(0.02, rel=0.03)


def test_draws_of_two_accounts_for_one_sale_have_nothing_to_do_with_each_other() -> None:
    first = [keyed_hash(b"a", f"pay_{number}") / 2**64 for number in range(20_000)]
    second = [keyed_hash(b"b", f"pay_{number}") / 2**64 for number in range(20_000)]
    assert abs(statistics.correlation(first, second)) < 0.03


@given(st.text(max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_a_draw_is_a_probability(seed: str, success: float, spread: float) -> None:
    scored = (0.0, success, 0, 0, account("a"))
    assert 0.0 <= drawn_value_fen(scored, 1.0, spread, seed) <= 1.0
