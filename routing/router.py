"""Chooses the channel account for a payment: the enabled ones that take the wallet, by priority."""

from __future__ import annotations

from routing.accounts import Account, AccountBook, AccountStatus
from routing.channels.base import Wallet


class Router:
    """Ranks the accounts of the book."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book

    def candidates(self, wallet: Wallet) -> list[Account]:
        """The accounts that can take this wallet now, best first; the same state gives the same order."""
        able = [
            account for account in self._book if account.status is AccountStatus.ENABLED and wallet in account.wallets
        ]
        return sorted(able, key=lambda account: (account.priority, account.id))
