"""What rules an account out, each with its reason; what is worked out once is worked out again when it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.accounts.book import Account, AccountStatus
from routing.channels.base import Wallet
from routing.choice import MOMENTARY, Reason
from routing.eligibility import Taken
from routing.health.standing import BreakerState
from routing.sale import Method, Price, Prices, Sale
from tests.support.routing import NOON, SHOP, Bench, account, policy, sale

NIGHT = {"hours": {"timezone": "Asia/Shanghai", "open": [{"from": "22:00", "until": "06:00"}]}}
CLOSED_FROM_ONE = {"maintenance": [{"from": "2026-11-20T13:00:00+08:00", "until": "2026-11-20T14:00:00+08:00"}]}


def reasons(bench: Bench, asked: Sale, prices: Prices | None = None, **more: Any) -> dict[str, Reason | None]:
    """By account: why not."""
    choice = bench.router.choose(asked, prices or Prices.full(asked.amount_fen), **more)
    return {each.account.id: each.reason for each in choice.candidates}


@pytest.mark.parametrize(
    ("ruled_out", "asked", "reason"),
    [
        (account("a", status=AccountStatus.DISABLED), sale(), Reason.DISABLED),
        (account("a", status=AccountStatus.DRAINING), sale(), Reason.DRAINING),
        (account("a", {"merchants": ["mer_other"]}), sale(), Reason.OTHER_MERCHANT),
        (account("a", {"limits": {"payment_min_fen": 101}}), sale(amount_fen=100), Reason.BELOW_MINIMUM),
        (account("a", {"limits": {"payment_max_fen": 99}}), sale(amount_fen=100), Reason.ABOVE_MAXIMUM),
        (
            account("a", {"limits": {"static_code_max_fen": 99}}),
            sale(amount_fen=100, is_static_code=True),
            Reason.STATIC_CODE_LIMIT,
        ),
        (account("a", {"limits": {"day_fen": 1_099}}), sale(amount_fen=100), Reason.DAY_LIMIT),
        (account("a", {"limits": {"month_fen": 5_099}}), sale(amount_fen=100), Reason.MONTH_LIMIT),
        (account("a", NIGHT), sale(), Reason.CLOSED_NOW),
        (account("a", CLOSED_FROM_ONE), sale(at=NOON + timedelta(hours=1)), Reason.MAINTENANCE),
    ],
)
def test_each_filter_has_its_reason(ruled_out: Account, asked: Sale, reason: Reason) -> None:
    bench = Bench(ruled_out, account("b"))
    bench.takings.now(a=Taken(1_000, 5_000))
    choice = bench.router.choose(asked, Prices.full(asked.amount_fen))
    assert choice.account is not None
    assert choice.account.id == "b"
    assert [(each.account.id, each.reason) for each in choice.candidates] == [("b", None), ("a", reason)]


@pytest.mark.parametrize(
    ("terms", "asked"),
    [
        ({"limits": {"payment_min_fen": 100, "payment_max_fen": 100}}, sale(amount_fen=100)),
        ({"limits": {"static_code_max_fen": 100}}, sale(amount_fen=100, is_static_code=True)),
        ({"limits": {"static_code_max_fen": 99}}, sale(amount_fen=100)),
        ({"limits": {"day_fen": 1_100}}, sale(amount_fen=100)),
        ({"limits": {"month_fen": 5_100}}, sale(amount_fen=100)),
        ({"merchants": [SHOP]}, sale()),
        (NIGHT, sale(at=NOON + timedelta(hours=10))),
        (CLOSED_FROM_ONE, sale(at=NOON + timedelta(hours=2))),
    ],
)
def test_up_to_its_bounds_an_account_takes_the_sale(terms: Mapping[str, Any], asked: Sale) -> None:
    bench = Bench(account("a", terms))
    bench.takings.now(a=Taken(1_000, 5_000))
    assert reasons(bench, asked) == {"a": None}


def test_limits_are_of_what_the_customer_pays() -> None:
    bench = Bench(account("a", {"limits": {"payment_max_fen": 90}}))
    assert reasons(bench, sale(amount_fen=100), Prices(Price(90, 10))) == {"a": None}
    assert reasons(bench, sale(amount_fen=100), Prices(Price(90), {"a": Price(91)})) == {"a": Reason.ABOVE_MAXIMUM}


def test_health_policy_and_failing_over_have_their_reasons() -> None:
    rule = {"when": "true", "exclude": ["excluded"]}
    names = ("down", "full", "excluded", "tried", "dearer", "good")
    bench = Bench(*[account(name) for name in names], compiled=policy(rule))
    bench.health.of("down").state = BreakerState.OPEN
    bench.health.of("full").in_flight = 64
    prices = Prices(Price(10_000), {"dearer": Price(10_001)})
    assert reasons(bench, sale(), prices, without=frozenset({"tried"}), payable_fen=10_000) == {
        "good": None,
        "down": Reason.OUTAGE,
        "full": Reason.AT_CAPACITY,
        "excluded": Reason.EXCLUDED_BY_POLICY,
        "tried": Reason.TRIED_BEFORE,
        "dearer": Reason.OTHER_PRICE,
    }


def test_what_lacks_the_wallet_or_method_is_no_candidate_but_is_explained() -> None:
    barcode_only = {Wallet.WECHAT: frozenset({Method.BARCODE})}
    bench = Bench(account("a", wallets=frozenset({Wallet.ALIPAY})), account("b", methods=barcode_only), account("c"))
    asked = sale(method=Method.PAGE)
    assert reasons(bench, asked) == {"c": None}
    explained = bench.router.explain(asked, Prices.full(10_000))
    assert {each.account.id: each.reason for each in explained.candidates} == {
        "c": None,
        "a": Reason.WALLET_NOT_TAKEN,
        "b": Reason.METHOD_NOT_TAKEN,
    }


def test_a_merchant_with_an_account_of_its_own_uses_only_that() -> None:
    bench = Bench(account("platform", priority=0, rate=0), account("own", merchant_id=SHOP, priority=9))
    assert reasons(bench, sale()) == {"own": None, "platform": Reason.MERCHANT_HAS_OWN}
    assert reasons(bench, sale(merchant_id="mer_other")) == {"platform": None}


def test_nobody_uses_or_sees_the_account_of_another_merchant() -> None:
    bench = Bench(account("other", merchant_id="mer_other"))
    assert reasons(bench, sale()) == {}
    assert list(bench.router.explain(sale(), Prices.full(10_000)).candidates) == []
    assert not bench.router.takes(Wallet.WECHAT, Method.BARCODE, SHOP)


def test_an_own_account_that_is_not_enabled_leaves_the_platforms() -> None:
    bench = Bench(account("own", merchant_id=SHOP, status=AccountStatus.DRAINING), account("platform"))
    assert reasons(bench, sale()) == {"platform": None, "own": Reason.DRAINING}


def test_an_own_account_for_one_wallet_or_method_leaves_the_others_to_the_platform() -> None:
    wallets = frozenset({Wallet.WECHAT, Wallet.ALIPAY})
    own = account("own", merchant_id=SHOP, methods={Wallet.WECHAT: frozenset({Method.BARCODE})})
    bench = Bench(own, account("platform", wallets=wallets))
    assert reasons(bench, sale()) == {"own": None, "platform": Reason.MERCHANT_HAS_OWN}
    assert reasons(bench, sale(wallet=Wallet.ALIPAY)) == {"platform": None}
    assert reasons(bench, sale(method=Method.PAGE)) == {"platform": None}


def test_a_change_of_the_book_is_seen_at_once() -> None:
    bench = Bench(account("first"))
    assert reasons(bench, sale()) == {"first": None}
    bench.book.now(account("second"))
    assert reasons(bench, sale()) == {"second": None}
    assert bench.router.takes(Wallet.WECHAT, Method.BARCODE, SHOP)


def test_sums_count_once_they_are_read_anew() -> None:
    bench = Bench(account("a", {"limits": {"day_fen": 10_000}}))
    assert reasons(bench, sale()) == {"a": None}
    bench.takings.now(a=Taken(1, 1))
    assert reasons(bench, sale()) == {"a": Reason.DAY_LIMIT}


@pytest.mark.parametrize("minutes", [59, 60, 119, 120])
def test_maintenance_begins_and_ends_to_the_minute_whatever_was_asked_before(minutes: int) -> None:
    bench = Bench(account("a", CLOSED_FROM_ONE))
    expected = Reason.MAINTENANCE if 60 <= minutes < 120 else None
    for before in (0, 90, 150):
        reasons(bench, sale(at=NOON + timedelta(minutes=before)))
        assert reasons(bench, sale(at=NOON + timedelta(minutes=minutes))) == {"a": expected}


def test_whether_a_wallet_is_taken_is_a_matter_of_set_up_not_of_health_or_hour() -> None:
    bench = Bench(account("a", NIGHT))
    bench.health.of("a").state = BreakerState.OPEN
    assert bench.router.takes(Wallet.WECHAT, Method.BARCODE, SHOP)
    assert not bench.router.takes(Wallet.ALIPAY, Method.BARCODE, SHOP)
    bench.book.now(account("a", {"merchants": ["mer_other"]}))
    assert not bench.router.takes(Wallet.WECHAT, Method.BARCODE, SHOP)
    assert bench.router.takes(Wallet.WECHAT, Method.BARCODE, "mer_other")
    bench.book.now(account("a", status=AccountStatus.DRAINING))
    assert not bench.router.takes(Wallet.WECHAT, Method.BARCODE, SHOP)


LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "payment_min_fen": st.integers(1, 150),
        "payment_max_fen": st.integers(150, 300),
        "day_fen": st.integers(1, 1_000),
        "month_fen": st.integers(1, 5_000),
        "static_code_max_fen": st.integers(1, 300),
    },
)
TERMS = st.builds(
    lambda limits, merchants, more: {"limits": limits, "merchants": merchants, **more},
    LIMITS,
    st.none() | st.just([SHOP]) | st.just(["mer_other"]),
    st.sampled_from([{}, NIGHT, CLOSED_FROM_ONE]),
)
ACCOUNTS = st.lists(
    st.builds(
        account,
        st.text("abcdef", min_size=1, max_size=3),
        TERMS,
        wallets=st.frozensets(st.sampled_from([Wallet.WECHAT, Wallet.ALIPAY])),
        merchant_id=st.sampled_from([None, None, SHOP, "mer_other"]),
        status=st.sampled_from(AccountStatus),
    ),
    unique_by=lambda each: each.id,
    max_size=6,
)
SALES = st.builds(
    lambda minutes, **more: sale(at=NOON + timedelta(minutes=minutes), **more),
    st.integers(-12 * 60, 12 * 60),
    amount_fen=st.integers(1, 400),
    merchant_id=st.sampled_from([SHOP, "mer_other", "mer_third"]),
    is_static_code=st.booleans(),
)
TAKEN = st.builds(lambda day, more: Taken(day, day + more), st.integers(0, 1_200), st.integers(0, 5_000))


def can_take(each: Account, asked: Sale, taken: Taken, has_own: bool) -> bool:
    """The filters one by one, without anything worked out before."""
    limits, fen = each.terms.limits, asked.amount_fen
    bounds = [(limits.payment_max_fen, 0), (limits.day_fen, taken.day_fen), (limits.month_fen, taken.month_fen)]
    if asked.is_static_code:
        bounds.append((limits.static_code_max_fen, 0))
    owner = {asked.merchant_id} if has_own else {None}
    return (
        each.merchant_id in owner
        and each.status is AccountStatus.ENABLED
        and asked.wallet in each.wallets
        and (each.terms.merchants is None or asked.merchant_id in each.terms.merchants)
        and each.terms.is_open(asked.at)
        and not each.terms.is_maintained(asked.at)
        and fen >= limits.payment_min_fen
        and all(bound is None or before + fen <= bound for bound, before in bounds)
    )


@given(ACCOUNTS, st.lists(SALES, min_size=1, max_size=4), st.lists(TAKEN, min_size=6, max_size=6))
def test_exactly_those_that_can_are_able_however_often_it_is_asked(
    accounts: list[Account], sales: list[Sale], takings: list[Taken]
) -> None:
    bench = Bench(*accounts)
    taken = {each.id: sums for each, sums in zip(accounts, takings, strict=False)}
    bench.takings.now(**taken)
    for asked in [*sales, *reversed(sales)]:
        own = [each for each in accounts if each.merchant_id == asked.merchant_id and asked.wallet in each.wallets]
        has_own = any(each.status is AccountStatus.ENABLED for each in own)
        able = {each.id for each in accounts if can_take(each, asked, taken[each.id], has_own)}
        found = reasons(bench, asked)
        assert {account_id for account_id, reason in found.items() if reason is None} == able
        assert not MOMENTARY & set(found.values())
