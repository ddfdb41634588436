"""A payer is sent to an account that can take him, stays with it while it can, and goes to another when it cannot."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.codes.routes import Destination, destination, keeps, refusal_of_typed
from gateway.codes.targets import Target
from gateway.codes.visits import Visitor
from gateway.http.services import Services
from gateway.kernel.failures import FailureCode
from routing.accounts.book import Account, AccountStatus
from routing.channels.base import Wallet
from routing.health.standing import BreakerState
from routing.sale import Cell, Method
from tests.support.routing import Bench, account, policy
from tests.unit.codes.targets import TOKEN, of_code, of_payment, opened, payment

PAGES = {Wallet.WECHAT: frozenset(Method)}
NO_PAGES = {Wallet.WECHAT: frozenset({Method.BARCODE, Method.QRCODE})}
TARGETS = pytest.mark.parametrize("target", [of_code(), of_code(amount_fen=1_250), of_payment(payment())])


class Corner:
    """A router over these accounts, and the payers at its pages."""

    def __init__(self, *accounts: Account, **more: Any) -> None:
        self.bench = Bench(*accounts, **more)
        by_id = {each.id: each for each in accounts}
        self.services = cast("Services", SimpleNamespace(router=self.bench.router, accounts=by_id))

    def sent_to(self, target: Target, wallet: Wallet = Wallet.WECHAT, seed: str = TOKEN) -> str | None:
        found = destination(self.services, target, wallet, seed).account
        return None if found is None else found.id

    def kept_at(self, target: Target, account_id: str) -> str | None:
        found = keeps(self.services, target, Visitor(Wallet.WECHAT, account_id, "", "payer"))
        return None if found is None else found.id

    def breaker(self, account_id: str, state: BreakerState) -> None:
        self.bench.health.standing(Cell(account_id, Wallet.WECHAT, Method.PAGE)).state = state


def page_account(account_id: str, **more: Any) -> Account:
    return account(account_id, **{"methods": PAGES, **more})


@TARGETS
def test_a_payer_is_sent_to_the_best_account_that_has_pages(target: Target) -> None:
    corner = Corner(account("front", rate=0, methods=NO_PAGES), page_account("dear"), page_account("cheap", rate=2_000))
    assert corner.sent_to(target) == "cheap"
    assert corner.kept_at(target, "front") is None


@TARGETS
def test_an_identified_payer_stays_though_another_account_is_better(target: Target) -> None:
    corner = Corner(page_account("dear"), page_account("cheap", rate=0))
    assert corner.sent_to(target) == "cheap"
    assert corner.kept_at(target, "dear") == "dear"


@TARGETS
def test_he_goes_to_another_account_where_his_own_is_out_disabled_or_gone(target: Target) -> None:
    corner = Corner(page_account("own"), page_account("other"), page_account("off", status=AccountStatus.DISABLED))
    corner.breaker("own", BreakerState.OPEN)
    assert [corner.kept_at(target, name) for name in ("own", "off", "gone", "other")] == [None, None, None, "other"]
    assert corner.sent_to(target) == "other"


@TARGETS
def test_where_nobody_can_take_him_he_is_told_whether_to_come_back(target: Target) -> None:
    only = Corner(page_account("only"))
    only.breaker("only", BreakerState.OPEN)
    assert destination(only.services, target, Wallet.WECHAT, TOKEN) == Destination(None, is_momentary=True)
    front = Corner(account("front", methods=NO_PAGES))
    assert destination(front.services, target, Wallet.WECHAT, TOKEN) == Destination(None, is_momentary=False)
    assert destination(only.services, target, Wallet.ALIPAY, TOKEN) == Destination(None, is_momentary=False)


@pytest.mark.parametrize("make", [of_payment, of_code])
def test_an_open_order_keeps_its_wallets_payers_at_its_own_account(make: Any) -> None:
    corner = Corner(page_account("wechat_direct"), page_account("cheap", rate=0))
    target = make(opened())
    corner.breaker("wechat_direct", BreakerState.OPEN)
    assert corner.sent_to(target) == "wechat_direct"
    assert corner.kept_at(target, "wechat_direct") == "wechat_direct"
    assert corner.kept_at(target, "cheap") is None


def test_an_open_order_of_another_wallet_or_of_an_account_that_is_gone_binds_nobody() -> None:
    corner = Corner(page_account("cheap", rate=0), page_account("dear"))
    assert corner.sent_to(of_payment(opened(wallet="alipay"))) == "cheap"
    assert corner.sent_to(of_payment(opened(account_id="gone"))) == "cheap"


def test_a_limit_of_static_codes_holds_on_their_pages_and_not_on_those_of_other_payments() -> None:
    limited = page_account("limited", terms={"limits": {"static_code_max_fen": 1_000}}, rate=0)
    corner = Corner(limited, page_account("dear"))
    assert corner.sent_to(of_code(amount_fen=1_000)) == "limited"
    assert corner.sent_to(of_code(amount_fen=1_001)) == "dear"
    assert corner.kept_at(of_code(amount_fen=1_001), "limited") is None
    assert corner.sent_to(of_payment(payment())) == "limited"


def test_payers_who_are_sent_take_turns_and_those_who_look_again_do_not() -> None:
    rule = {"when": "payment.method == 'page'", "split": {"a": 70, "b": 30}}
    corner = Corner(page_account("a"), page_account("b"), compiled=policy(rule))
    sent: list[str | None] = []
    for number in range(100):
        sent.append(corner.sent_to(of_code(), seed=f"sale-{number}"))
        assert [corner.kept_at(of_code(), name) for name in ("a", "b")] == ["a", "b"]
    assert Counter(sent) == {"a": 70, "b": 30}


@pytest.mark.parametrize(
    ("amount_fen", "refusal"),
    [
        (1_000, None),
        (1_001, FailureCode.LIMIT_EXCEEDED),
        (9, FailureCode.LIMIT_EXCEEDED),
        (777, FailureCode.NO_CHANNEL),
    ],
)
def test_what_a_customer_types_has_to_be_within_the_limits_of_his_account(
    amount_fen: int, refusal: FailureCode | None
) -> None:
    limits = {"limits": {"static_code_max_fen": 1_000, "payment_min_fen": 10}}
    rule = {"when": "payment.amount == 777", "exclude": ["limited"]}
    corner = Corner(page_account("limited", terms=limits), page_account("wide"), compiled=policy(rule))
    visitor = Visitor(Wallet.WECHAT, "limited", "", "payer")
    assert refusal_of_typed(corner.services, of_code(), visitor, amount_fen) is refusal
    other = Visitor(Wallet.WECHAT, "wide", "", "payer")
    assert refusal_of_typed(corner.services, of_code(), other, amount_fen) is None


def test_an_outage_is_no_reason_to_refuse_an_amount_and_an_account_that_is_gone_is() -> None:
    corner = Corner(page_account("own"))
    corner.breaker("own", BreakerState.OPEN)
    asked = [
        refusal_of_typed(corner.services, of_code(), Visitor(Wallet.WECHAT, name, "", "p"), 1)
        for name in ("own", "gone")
    ]
    assert asked == [None, FailureCode.NO_CHANNEL]
