"""What the router chose is counted by account and reason; what it only explained is not its business."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from prometheus_client import REGISTRY

from gateway.kernel.hot_metrics import flush_hot_metrics
from routing.accounts.book import Account, AccountStatus
from routing.accounts.fees import Fee
from routing.accounts.terms import Terms
from routing.channels.base import Wallet
from routing.choice import Candidates, Choice, Reason, Why
from routing.counting import count_choice
from tests.support.fake_channel import FakeChannel


@pytest.fixture(autouse=True)
def flushed() -> Iterator[None]:
    yield
    flush_hot_metrics()


def account(account_id: str) -> Account:
    return Account(
        id=account_id,
        wallets=frozenset({Wallet.WECHAT}),
        status=AccountStatus.ENABLED,
        priority=100,
        terms=Terms(Fee(3_800)),
        channel=FakeChannel(),
        kind="wechat",
    )


def choice(chosen: Account | None, why: Why, ruled_out: Sequence[tuple[Account, Reason]] = ()) -> Choice:
    scored = None if chosen is None else (0.0, 1.0, 0, 0, chosen)
    return Choice(chosen, why, Candidates(scored, [] if scored is None else [scored], ruled_out), 1)


def counted(name: str, **labels: str) -> float:
    flush_hot_metrics()
    return REGISTRY.get_sample_value(f"mashang_routing_{name}_total", labels) or 0.0


def test_a_choice_counts_for_its_account_and_what_decided() -> None:
    before = counted("choices", account="a-1", why="split")
    for why in (Why.SPLIT, Why.SPLIT, Why.PROBE):
        count_choice(choice(account("a-1"), why, [(account("a-2"), Reason.OUTAGE)]))
    assert counted("choices", account="a-1", why="split") - before == 2
    assert counted("choices", account="a-2", why="split") == 0


def test_a_payment_that_nobody_takes_counts_each_reason_once() -> None:
    ruled_out = [(account("a-1"), Reason.OUTAGE), (account("a-2"), Reason.OUTAGE), (account("a-3"), Reason.DRAINING)]
    before = [counted("exhausted", reason=reason) for reason in ("outage", "draining")]
    count_choice(choice(None, Why.NONE, ruled_out))
    assert [counted("exhausted", reason=reason) for reason in ("outage", "draining")] == [each + 1 for each in before]


def test_a_payment_for_which_no_account_is_set_up_has_a_reason_of_its_own() -> None:
    before = counted("exhausted", reason="no_account")
    count_choice(choice(None, Why.NONE))
    assert counted("exhausted", reason="no_account") == before + 1
