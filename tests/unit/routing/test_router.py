"""Which account takes a wallet: the merchant's own, else the platform's; enabled, by priority, in one order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.accounts import EVERY_METHOD, Account, AccountStatus
from routing.channels.base import Wallet
from routing.router import Router
from routing.terms import Terms
from tests.support.fake_channel import FakeChannel

OWN, OTHER = "mer_own", "mer_other"
FREE = Terms.of(None, 0)


@dataclass
class Book:
    """The accounts as an `AccountBook` gives them."""

    accounts: list[Account] = field(default_factory=list)
    version: int = 0

    def __iter__(self) -> Any:
        return iter(self.accounts)


def account(
    account_id: str, merchant_id: str | None = None, status: AccountStatus = AccountStatus.ENABLED, priority: int = 1
) -> Account:
    channel: Any = FakeChannel()
    return Account(account_id, frozenset({Wallet.WECHAT}), status, priority, FREE, channel, "wechat", merchant_id)


def candidates(*accounts: Account, merchant_id: str = OWN, wallet: Wallet = Wallet.WECHAT) -> list[str]:
    book: Any = Book(list(accounts))
    return [found.id for found in Router(book).candidates(wallet, merchant_id)]


ACCOUNTS = st.lists(
    st.builds(
        Account,
        id=st.text("abcdef", min_size=1, max_size=4),
        wallets=st.frozensets(st.sampled_from(Wallet)),
        status=st.sampled_from(AccountStatus),
        priority=st.integers(0, 3),
        terms=st.just(FREE),
        channel=st.builds(FakeChannel),
        kind=st.just("wechat"),
        methods=st.just(EVERY_METHOD),
        merchant_id=st.sampled_from([None, OWN, OTHER]),
        overlap=st.none(),
    ),
    unique_by=lambda account: account.id,
    max_size=8,
)


@given(ACCOUNTS, st.sampled_from(Wallet), st.randoms())
def test_the_same_accounts_give_the_same_order_however_they_are_listed(
    accounts: list[Account], wallet: Wallet, chance: Any
) -> None:
    ranked = candidates(*accounts, wallet=wallet)
    chance.shuffle(accounts)
    assert candidates(*accounts, wallet=wallet) == ranked
    able = [found for found in accounts if found.status is AccountStatus.ENABLED and wallet in found.wallets]
    own = [found for found in able if found.merchant_id == OWN]
    chosen = own or [found for found in able if found.merchant_id is None]
    assert ranked == [found.id for found in sorted(chosen, key=lambda found: (found.priority, found.id))]


def test_a_merchant_with_an_account_of_its_own_uses_only_that() -> None:
    platform, own = account("platform", priority=0), account("own", OWN, priority=9)
    assert candidates(platform, own) == ["own"]
    assert candidates(platform, own, merchant_id=OTHER) == ["platform"]


def test_nobody_uses_the_account_of_another_merchant() -> None:
    assert candidates(account("other", OTHER)) == []


@pytest.mark.parametrize("status", [AccountStatus.DRAINING, AccountStatus.DISABLED])
def test_an_account_that_is_not_enabled_takes_no_new_payment(status: AccountStatus) -> None:
    assert candidates(account("a", status=status)) == []
    assert candidates(account("own", OWN, status), account("platform")) == ["platform"]


def test_an_own_account_for_one_wallet_leaves_the_others_to_the_platform() -> None:
    channel: Any = FakeChannel()
    both = Account(
        "platform", frozenset({Wallet.WECHAT, Wallet.ALIPAY}), AccountStatus.ENABLED, 1, FREE, channel, "wechat"
    )
    assert candidates(account("own", OWN), both) == ["own"]
    assert candidates(account("own", OWN), both, wallet=Wallet.ALIPAY) == ["platform"]


def test_a_change_of_the_book_is_seen_at_once() -> None:
    book: Any = Book([account("first")])
    router = Router(book)
    assert [found.id for found in router.candidates(Wallet.WECHAT, OWN)] == ["first"]
    book.accounts, book.version = [account("second")], 1
    assert [found.id for found in router.candidates(Wallet.WECHAT, OWN)] == ["second"]
