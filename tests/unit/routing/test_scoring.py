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


@given(st.lists(st.sampled_from([0.0, 0.005, 0.02, 0.1]), min_size=1, max_size=2_000), st.integers(0, 1_000))
def test_of_any_sales_in_a_row_no_more_explore_than_the_share(shares: list[float], first: int) -> None:
    exploration, explored = Exploration(), 0
    for number, share in enumerate(shares):
        is_due = exploration.is_due(f"pay_{first + number}", share)
        exploration.count(share, explored=is_due)
        explored += is_due
        assert explored <= sum(shares[: number + 1]) + 1e-9


@pytest.mark.parametrize("share", [0.005, 0.05])
def test_over_many_sales_about_the_share_explores(share: float) -> None:
    exploration, explored = Exploration(), 0
    for number in range(100_000):
        is_due = exploration.is_due(f"pay_{number}", share)
        exploration.count(share, explored=is_due)
        explored += is_due
    assert 0.8 * share <= explored / 100_000 <= share


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
