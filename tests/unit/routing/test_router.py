"""The order in which things count: policy, probes, value; the same state and sale give the same choice."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.accounts.book import Account, AccountStatus
from routing.choice import Choice, Why
from routing.health.standing import BreakerState
from routing.sale import Cell, Price, Prices, Sale
from tests.support.routing import NOON, SHOP, Bench, account, policy, sale

FULL = Prices.full(10_000)
NO_EXPLORATION: dict[str, Any] = {"exploration": "0"}


def chosen(choice: Choice) -> tuple[str | None, Why]:
    """Who, and why."""
    return None if choice.account is None else choice.account.id, choice.why


def choose(bench: Bench, asked: Sale | None = None, prices: Prices = FULL, **more: Any) -> tuple[str | None, Why]:
    return chosen(bench.router.choose(asked or sale(), prices, **more))


def test_the_cheapest_of_equally_good_accounts_is_chosen() -> None:
    bench = Bench(account("a", rate=6_000), account("b", rate=2_000), account("c", rate=3_800))
    assert choose(bench) == ("b", Why.BEST_VALUE)


def test_a_point_of_success_is_worth_more_than_a_point_of_fee() -> None:
    bench = Bench(account("cheap", rate=2_000), account("good", rate=3_800))
    bench.health.of("cheap").success = 0.98
    assert choose(bench) == ("good", Why.BEST_VALUE)  # one percent of 30 % of the sale is more than 0.18 % of it
    bench.health.of("cheap").success = 0.985
    assert choose(bench) == ("cheap", Why.BEST_VALUE)


def test_among_equals_priority_decides_and_then_the_id() -> None:
    accounts = [account("b", priority=1), account("a", priority=1), account("c", priority=0)]
    bench = Bench(*accounts)
    assert choose(bench) == ("c", Why.BEST_VALUE)
    bench.book.now(*accounts[:2])
    assert choose(bench) == ("a", Why.BEST_VALUE)


def test_a_campaign_on_one_account_counts_by_what_the_customer_pays_and_what_it_costs_us() -> None:
    bench = Bench(account("campaign"), account("plain", rate=3_900))
    discount_by_channel = Prices(Price(10_000), {"campaign": Price(9_000)})
    assert choose(bench, prices=discount_by_channel) == ("campaign", Why.BEST_VALUE)
    our_discount = Prices(Price(10_000), {"campaign": Price(9_000, subsidy_fen=1_000)})
    choice = bench.router.choose(sale(), our_discount)
    assert chosen(choice) == ("plain", Why.BEST_VALUE)
    costs = {each.account.id: (each.fee_fen, each.subsidy_fen) for each in choice.candidates}
    assert costs == {"campaign": (34, 1_000), "plain": (39, 0)}


def test_failing_over_keeps_the_price_and_leaves_those_that_were_tried() -> None:
    bench = Bench(account("a", rate=0), account("b", rate=1), account("cheaper", rate=2), account("d", rate=3))
    prices = Prices(Price(10_000), {"cheaper": Price(9_999)})
    assert choose(bench, prices=prices, without=frozenset({"a"}), payable_fen=10_000) == ("b", Why.BEST_VALUE)
    tried = frozenset({"a", "b"})
    assert choose(bench, prices=prices, without=tried, payable_fen=10_000) == ("d", Why.BEST_VALUE)
    assert choose(bench, prices=prices, without=tried | {"d"}, payable_fen=10_000) == (None, Why.NONE)


def test_an_order_is_kept_whatever_the_value_and_goes_on_by_value() -> None:
    rule = {"when": "true", "order": ["dear", "dearer"]}
    bench = Bench(
        account("cheap", rate=0), account("cheaper", rate=1), account("dear"), account("dearer"), compiled=policy(rule)
    )
    assert choose(bench) == ("dear", Why.ORDER)
    bench.health.of("dear").state = BreakerState.OPEN
    assert choose(bench) == ("dearer", Why.ORDER)
    bench.health.of("dearer").in_flight = 64
    assert choose(bench) == ("cheap", Why.BEST_VALUE)


@pytest.mark.parametrize(("within", "expected"), [("0.0018", Why.PREFERENCE), ("0.0017", Why.BEST_VALUE)])
def test_a_preference_holds_up_to_its_price(within: str, expected: Why) -> None:
    rule = {"when": "true", "prefer": ["dear"], "within": within}
    bench = Bench(account("dear", rate=3_800), account("cheap", rate=2_000), compiled=policy(rule, **NO_EXPLORATION))
    assert choose(bench) == ("dear" if expected is Why.PREFERENCE else "cheap", expected)


def test_without_a_preferred_account_the_best_is_chosen() -> None:
    rule = {"when": "true", "prefer": ["dear"], "within": "1"}
    bench = Bench(account("dear"), account("cheap", rate=0), compiled=policy(rule, **NO_EXPLORATION))
    assert choose(bench, without=frozenset({"dear"})) == ("cheap", Why.BEST_VALUE)


def test_the_first_rule_that_steers_decides_and_every_exclusion_holds() -> None:
    bench = Bench(
        account("a"),
        account("b"),
        account("c", rate=0),
        compiled=policy(
            {"when": "payment.amount > 1000000", "order": ["c"]},
            {"when": "payment.amount > 5000", "exclude": ["c"]},
            {"when": "payment.wallet == 'wechat'", "order": ["b"]},
            {"when": "true", "order": ["a"]},
        ),
    )
    choice = bench.router.choose(sale(), FULL)
    assert chosen(choice) == ("b", Why.ORDER)
    assert choice.rules == ("rule-1", "rule-2", "rule-3")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=150, max_size=200))
def test_of_any_hundred_payments_of_a_split_each_account_has_its_share(others: list[tuple[bool, bool]]) -> None:
    """Sales of other wallets' rules, explanations and payments with a member down come in between."""
    rule = {"when": "payment.store_id == 's'", "split": {"a": 70, "b": 30}}
    bench = Bench(account("a", rate=9_000), account("b"), account("c", rate=0), compiled=policy(rule))
    turns = []
    for number, (is_other, is_down) in enumerate(others):
        bench.router.explain(sale(f"x{number}", store_id="s"), FULL)
        if is_other:
            choose(bench, sale(f"o{number}"))
        if is_down:
            bench.health.of("b").state = BreakerState.OPEN
            assert choose(bench, sale(f"d{number}", store_id="s")) == ("a", Why.SPLIT)
            bench.health.of("b").state = BreakerState.CLOSED
        turns.append(choose(bench, sale(f"s{number}", store_id="s")))
    for first in range(len(turns) - 99):
        assert Counter(turns[first : first + 100]) == {("a", Why.SPLIT): 70, ("b", Why.SPLIT): 30}


def test_a_split_without_members_goes_by_value() -> None:
    rule = {"when": "true", "split": {"a": 70, "b": 30}}
    bench = Bench(account("c"), compiled=policy(rule, **NO_EXPLORATION))
    assert choose(bench) == ("c", Why.BEST_VALUE)


def test_a_half_open_account_is_tried_by_as_many_payments_as_it_lets_through() -> None:
    bench = Bench(account("a"), account("b", rate=9_000), compiled=policy(**NO_EXPLORATION))
    bench.health.half_open("b", probes=3)
    whys = [choose(bench, sale(f"p{number}")) for number in range(5)]
    assert whys == [("b", Why.PROBE)] * 3 + [("a", Why.BEST_VALUE)] * 2


def test_nobody_pays_more_for_a_probe_nor_risks_a_payment_that_has_failed_once() -> None:
    bench = Bench(account("a"), account("b"), account("c"), compiled=policy(**NO_EXPLORATION))
    bench.health.half_open("b", probes=3)
    dearer_there = Prices(Price(10_000), {"a": Price(9_000), "c": Price(9_000)})
    assert choose(bench, prices=dearer_there) == ("a", Why.BEST_VALUE)
    assert choose(bench, without=frozenset({"a"}), payable_fen=10_000) == ("c", Why.BEST_VALUE)
    assert bench.health.reserved == []


def test_where_nothing_else_is_left_a_payment_tries_what_was_down() -> None:
    bench = Bench(account("a"), account("b"))
    bench.health.of("a").state = BreakerState.OPEN
    bench.health.half_open("b", probes=1)
    assert choose(bench, without=frozenset({"c"})) == ("b", Why.PROBE)
    choice = bench.router.choose(sale(), FULL)
    assert (chosen(choice), choice.is_momentary) == ((None, Why.NONE), True)


@pytest.mark.parametrize(
    "action", [{"order": ["b", "a"]}, {"prefer": ["a", "b"], "within": "1"}, {"split": {"a": 50, "b": 50}}]
)
def test_a_rules_own_accounts_are_probed_and_no_others(action: dict[str, Any]) -> None:
    bench = Bench(account("a"), account("b"), account("c", rate=0), compiled=policy({"when": "true", **action}))
    bench.health.half_open("b", probes=1)
    bench.health.half_open("c", probes=1)
    assert choose(bench) == ("b", Why.PROBE)
    assert choose(bench)[0] == "a"
    assert [cell.account_id for cell in bench.health.reserved] == ["b"]


def test_all_down_is_momentary_and_takes_nothing() -> None:
    bench = Bench(account("a"), account("b"), compiled=policy({"when": "true", "split": {"a": 50, "b": 50}}))
    for name in "ab":
        bench.health.of(name).state = BreakerState.OPEN
    choice = bench.router.choose(sale(), FULL)
    assert (choice.account, choice.is_momentary) == (None, True)


def test_explaining_says_what_choosing_would_and_changes_nothing() -> None:
    rule = {"when": "payment.store_id == 's'", "split": {"a": 70, "b": 30}}
    bench = Bench(account("a"), account("b"), account("c", rate=0), compiled=policy(rule, exploration="0.1"))
    bench.health.half_open("c", probes=2)
    for number in range(200):
        asked = sale(f"p{number}", store_id="s" if number % 2 else None)
        explained = {chosen(bench.router.explain(asked, FULL)) for _ in range(3)}
        assert explained == {choose(bench, asked)}
    assert len(bench.health.reserved) == 2


@given(st.integers(0, 1_000), st.sampled_from(["0", "0.001", "0.01"]), st.sampled_from([0.5, 0.9]))
def test_exploring_gives_up_no_more_than_the_policys_share(first: int, share: str, success: float) -> None:
    bench = Bench(account("a"), account("b"), compiled=policy(exploration=share))
    bench.health.of("a").success, bench.health.of("b").success = 0.99, success
    bench.health.of("b").spread = 0.3
    whys = Counter(choose(bench, sale(f"pay_{first}_{number}"))[1] for number in range(600))
    assert whys[Why.EXPLORING] * (0.99 - success) <= float(share) * 600 + 1e-9
    assert set(whys) <= {Why.EXPLORING, Why.BEST_VALUE}


@pytest.mark.parametrize(("share", "tried"), [("0.0001", True), ("0", False)])
def test_an_account_that_looks_as_good_is_tried_unless_exploring_is_off(share: str, tried: bool) -> None:
    bench = Bench(account("a"), account("b"), compiled=policy(exploration=share))
    bench.health.of("a").spread = bench.health.of("b").spread = 0.01
    found = Counter(choose(bench, sale(f"pay_{number}")) for number in range(2_000))
    assert (found["b", Why.EXPLORING] > 25) is tried
    assert found["a", Why.BEST_VALUE] > 1_800


def test_exploring_finds_the_account_of_which_little_is_known() -> None:
    bench = Bench(account("known"), account("unknown", rate=3_900), compiled=policy(exploration="0.1"))
    bench.health.of("unknown").spread = 0.3
    for number in range(3_000):
        choose(bench, sale(f"warm{number}"))
    found = Counter(choose(bench, sale(f"pay_{number}")) for number in range(3_000))
    assert found["unknown", Why.EXPLORING] > 50
    assert found["known", Why.BEST_VALUE] > 2_600


def test_nobody_pays_more_for_exploring() -> None:
    bench = Bench(account("campaign"), account("dearer"), compiled=policy(exploration="0.1"))
    bench.health.of("dearer").spread = 0.5
    prices = Prices(Price(10_000), {"campaign": Price(9_000)})
    assert {choose(bench, sale(f"pay_{number}"), prices)[0] for number in range(2_000)} == {"campaign"}


STATES = st.sampled_from([*BreakerState, BreakerState.CLOSED, BreakerState.CLOSED])
ACCOUNTS = st.lists(
    st.builds(
        account,
        st.sampled_from("abcdef"),
        rate=st.integers(0, 10_000),
        priority=st.integers(0, 3),
        merchant_id=st.sampled_from([None, None, None, SHOP, "mer_other"]),
        status=st.sampled_from([AccountStatus.ENABLED, AccountStatus.ENABLED, AccountStatus.DRAINING]),
    ),
    unique_by=lambda each: each.id,
    max_size=6,
)
RULES = st.lists(
    st.sampled_from(
        [
            {"when": "payment.amount > 20000", "exclude": ["a", "b"]},
            {"when": "payment.amount < 30000", "order": ["c", "a"]},
            {"when": "payment.hour < 12", "prefer": ["b", "d"], "within": "0.001"},
            {"when": "payment.store_id == 's'", "split": {"a": 20, "e": 80}},
        ]
    ),
    max_size=4,
)
ASKED = st.lists(
    st.builds(
        lambda number, amount_fen, store_id: sale(f"pay_{number}", amount_fen, store_id=store_id),
        st.integers(0, 10_000),
        st.integers(1, 40_000),
        st.sampled_from([None, "s"]),
    ),
    min_size=1,
    max_size=20,
)
STANDINGS = st.lists(st.tuples(STATES, st.floats(0, 1), st.integers(0, 3), st.booleans()), min_size=6, max_size=6)


def set_up(accounts: list[Account], rules: list[Any], standings: list[tuple[Any, ...]]) -> Bench:
    bench = Bench(*accounts, compiled=policy(*rules, exploration="0.1"))
    for each, (state, success, probes, is_full) in zip(sorted(accounts, key=lambda a: a.id), standings, strict=False):
        standing = bench.health.of(each.id)
        standing.state, standing.success, standing.spread = state, success, 0.1
        standing.probes_free = probes if state is BreakerState.HALF_OPEN else 0
        standing.in_flight = 64 if is_full else 0
    return bench


@given(ACCOUNTS, RULES, STANDINGS, ASKED, st.randoms())
def test_the_same_state_and_sales_give_the_same_choices_however_accounts_are_listed(
    accounts: list[Account], rules: list[Any], standings: list[Any], asked: list[Sale], chance: Any
) -> None:
    first = set_up(accounts, rules, standings)
    chance.shuffle(accounts)
    second = set_up(accounts, rules, standings)
    for each in asked:
        prices = Prices.full(each.amount_fen)
        assert first.router.choose(each, prices).to_json() == second.router.choose(each, prices).to_json()


@given(ACCOUNTS, RULES, STANDINGS, ASKED, st.frozensets(st.sampled_from("abcdef"), max_size=2))
def test_nobody_is_chosen_who_was_ruled_out(
    accounts: list[Account], rules: list[Any], standings: list[Any], asked: list[Sale], without: frozenset[str]
) -> None:
    bench = set_up(accounts, rules, standings)
    own = any(each.merchant_id == SHOP and each.status is AccountStatus.ENABLED for each in accounts)
    for each in asked:
        excluded = bench.policies.current.guide(each).excluded
        probes = {found.id: bench.health.of(found.id).probes_free for found in accounts}
        choice = bench.router.choose(each, Prices.full(each.amount_fen), without=without)
        if choice.account is None:
            continue
        standing = bench.health.of(choice.account.id)
        assert choice.account.id not in excluded | without
        assert choice.account.merchant_id == (SHOP if own else None)
        assert choice.account.status is AccountStatus.ENABLED
        assert standing.in_flight < standing.in_flight_max
        is_probe = standing.state is BreakerState.HALF_OPEN and probes[choice.account.id] > 0
        assert standing.state is BreakerState.CLOSED or (is_probe and choice.why is Why.PROBE)
        assert choice.candidates[0].account is choice.account
        values = [found.value_fen for found in choice.candidates[1:] if found.value_fen is not None]
        assert all(earlier >= later for earlier, later in pairwise(values))


@given(ACCOUNTS, STANDINGS, ASKED)
def test_without_rules_probes_and_exploration_nothing_is_worth_more_than_what_is_chosen(
    accounts: list[Account], standings: list[Any], asked: list[Sale]
) -> None:
    bench = set_up(accounts, [], standings)
    bench.policies.current = policy(**NO_EXPLORATION)
    for each in asked:
        choice = bench.router.choose(each, Prices.full(each.amount_fen))
        if choice.why is Why.BEST_VALUE:
            values = [found.value_fen for found in choice.candidates if found.value_fen is not None]
            assert values[0] == max(values)


def test_a_new_policy_holds_at_once() -> None:
    bench = Bench(account("a"), account("b"))
    assert choose(bench) == ("a", Why.BEST_VALUE)
    bench.policies.current = policy({"when": "true", "order": ["b"]}, version=2)
    choice = bench.router.choose(sale(), FULL)
    assert (chosen(choice), choice.policy_version) == (("b", Why.ORDER), 2)


def test_a_probe_is_of_the_sales_own_wallet_and_method() -> None:
    bench = Bench(account("a"))
    bench.health.half_open("a", probes=1)
    assert choose(bench, sale(at=NOON)) == ("a", Why.PROBE)
    assert bench.health.reserved == [Cell("a", sale().wallet, sale().method)]
