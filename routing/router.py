"""Chooses the channel account for a payment: the merchant's own, else the platform's, enabled, by priority."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from routing.accounts import Account, AccountBook, AccountStatus
from routing.channels.base import Wallet

Ranking = Mapping[tuple[str | None, Wallet], Sequence[Account]]
"""The accounts by owner (None: the platform) and wallet, best first."""


def rank(accounts: Iterable[Account]) -> Ranking:
    """Rank the enabled accounts; the same accounts give the same order however they are listed."""
    ranked: dict[tuple[str | None, Wallet], list[Account]] = defaultdict(list)
    for account in sorted(accounts, key=lambda account: (account.priority, account.id)):
        if account.status is AccountStatus.ENABLED:
            for wallet in account.wallets:
                ranked[account.merchant_id, wallet].append(account)
    return dict(ranked)


class Router:
    """Ranks the accounts of the book, once for each time that it was read."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book
        self._ranking: Ranking = {}
        self._version = -1

    def candidates(self, wallet: Wallet, merchant_id: str) -> Sequence[Account]:
        """The accounts that can take this wallet for this merchant now, best first.

        A merchant with enabled accounts of its own for the wallet uses those only; any other uses the platform's.
        """
        if self._version != self._book.version:
            self._version, self._ranking = self._book.version, rank(self._book)
        return self._ranking.get((merchant_id, wallet)) or self._ranking.get((None, wallet), ())
