"""Which account takes a wallet: the enabled ones, by priority, always in the same order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.accounts import Account, AccountStatus
from routing.channels.base import Wallet
from routing.router import Router
from tests.support.fake_channel import FakeChannel

accounts = st.lists(
    st.builds(
        Account,
        id=st.text("abcdef", min_size=1, max_size=4),
        wallets=st.frozensets(st.sampled_from(Wallet)),
        status=st.sampled_from(AccountStatus),
        priority=st.integers(0, 3),
        fee_rate_millionths=st.just(3_800),
        channel=st.builds(FakeChannel),
    ),
    unique_by=lambda account: account.id,
    max_size=8,
)


@given(accounts, st.sampled_from(Wallet), st.randoms())
def test_the_same_accounts_give_the_same_order_however_they_are_listed(book: Any, wallet: Wallet, chance: Any) -> None:
    ranked = Router(book).candidates(wallet)
    chance.shuffle(book)
    assert Router(book).candidates(wallet) == ranked
    assert [(account.priority, account.id) for account in ranked] == sorted(
        (account.priority, account.id)
        for account in book
        if account.status is AccountStatus.ENABLED and wallet in account.wallets
    )


@pytest.mark.parametrize("status", [AccountStatus.DRAINING, AccountStatus.DISABLED])
def test_an_account_that_is_not_enabled_takes_no_new_payment(status: AccountStatus) -> None:
    account = Account("a", frozenset({Wallet.WECHAT}), status, 1, 0, FakeChannel())
    book: Any = [account]
    assert Router(book).candidates(Wallet.WECHAT) == []
