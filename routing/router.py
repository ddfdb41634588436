"""Chooses the channel account for a payment: the merchant's own, else the platform's, enabled, by priority."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from routing.accounts import Account, AccountBook, AccountStatus
from routing.channels.base import Wallet
from routing.choice import Candidate, Choice, Reason, Why
from routing.sale import NO_ACCOUNTS, Method, Prices, Sale

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

    def takes(self, wallet: Wallet, method: Method, merchant_id: str) -> bool:  # noqa: ARG002
        """Whether an account is set up for this, whatever its health."""
        return bool(self.candidates(wallet, merchant_id))

    def choose(
        self,
        sale: Sale,
        prices: Prices,
        *,
        without: frozenset[str] = NO_ACCOUNTS,
        payable_fen: int | None = None,
    ) -> Choice:
        """The account to charge: enabled, not tried before, at the same price where one is given; by priority."""
        usable, ruled_out = [], []
        for account in self.candidates(sale.wallet, sale.merchant_id):
            price = prices.on(account.id)
            if account.id in without:
                ruled_out.append(Candidate(account, Reason.TRIED_BEFORE))
            elif payable_fen not in {None, price.payable_fen}:
                ruled_out.append(Candidate(account, Reason.OTHER_PRICE))
            else:
                usable.append(Candidate(account, None, subsidy_fen=price.subsidy_fen))
        chosen = usable[0].account if usable else None
        return Choice(chosen, Why.BEST_VALUE if usable else Why.NONE, (*usable, *ruled_out), policy_version=0)
