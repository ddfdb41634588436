"""The channel accounts in use: who can take which wallet's payments, at what fee, each with its live channel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import asyncpg

from gateway.kernel.clock import utc_now
from gateway.kernel.secrets import Vault
from routing.accounts.expiry import tell_expiry
from routing.accounts.store import SQL, AccountRow, AccountStatus, rotate_account, save_account
from routing.accounts.terms import Terms
from routing.channels.base import Channel, Wallet
from routing.channels.facts import methods_of, wallets_of, with_previous_keys
from routing.sale import Method

__all__ = [
    "Account",
    "AccountBook",
    "AccountStatus",
    "ChannelBuilder",
    "Overlap",
    "rotate_account",
    "save_account",
]

_log: Final = logging.getLogger("mashang.accounts")

ChannelBuilder = Callable[[str, str, Mapping[str, Any]], Channel]
"""Makes a channel of an account id, a kind of channel and its settings.  Raises ValueError."""

EVERY_METHOD: Final[Mapping[Wallet, frozenset[Method]]] = MappingProxyType(
    {wallet: frozenset(Method) for wallet in Wallet}
)


@dataclass(frozen=True, slots=True)
class Overlap:
    """The channel with an account's earlier credentials, good until then."""

    channel: Channel
    until: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one channel, ready to be called.  `merchant_id` is None for the platform's own.

    `methods` says what it can do for each wallet that its channel has.
    """

    id: str
    wallets: frozenset[Wallet]
    status: AccountStatus
    priority: int
    terms: Terms
    channel: Channel
    kind: str
    merchant_id: str | None = None
    overlap: Overlap | None = None
    methods: Mapping[Wallet, frozenset[Method]] = field(default_factory=lambda: EVERY_METHOD)

    @property
    def fee_rate_millionths(self) -> int:
        """The plain rate, without bands and promotions."""
        return self.terms.fee.rate_millionths

    def takes(self, wallet: Wallet, method: Method) -> bool:
        """Whether it is set up for this, whatever its status and health."""
        return wallet in self.wallets and method in self.methods[wallet]

    @property
    def previous(self) -> Channel | None:
        """The channel with the earlier credentials while they overlap: it reads what was signed for them."""
        overlap = self.overlap
        return None if overlap is None or overlap.until <= utc_now() else overlap.channel


@dataclass(frozen=True, slots=True)
class _Built:
    """Live channels and the sealed settings that they were made of."""

    sealed: bytes
    previous_sealed: bytes | None
    channel: Channel
    previous: Channel | None


class AccountBook:
    """The accounts as they stand in PostgreSQL, with a live channel for each; read again after every change."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, build: ChannelBuilder) -> None:
        self._pool = pool
        self._vault = vault
        self._build = build
        self._accounts: dict[str, Account] = {}
        self._built: dict[str, _Built] = {}
        self._records: dict[str, asyncpg.Record] = {}
        self.version = 0
        """Rises whenever the accounts have changed."""

    async def reload(self) -> None:
        """Read all accounts; what has not changed stays the same object, and a channel lives as long as its settings.

        An account that cannot be opened takes no other with it: it stays as it was, or is left out.
        """
        accounts: dict[str, Account] = {}
        records: dict[str, asyncpg.Record] = {}
        for record in await self._pool.fetch(SQL["all_accounts"]):
            account_id = record["id"]
            is_same = record == self._records.get(account_id)
            try:
                accounts[account_id] = self._accounts[account_id] if is_same else self._account(AccountRow.of(record))
                records[account_id] = record
            except ValueError as error:  # a broken seal, settings that are wrong, a wallet of a later version
                _log.error("a channel account cannot be opened", extra=_complaint(account_id, error))
                if account_id in self._accounts:
                    accounts[account_id] = self._accounts[account_id]
        if list(map(id, accounts.values())) != list(map(id, self._accounts.values())):
            self.version += 1
        self._accounts, self._records = accounts, records

    def check(self, account_id: str, kind: str, settings: Mapping[str, Any]) -> None:
        """Whether an account would open with these settings.  Raises what the builder raises (ChannelSettingsError)."""
        self._build(account_id, kind, settings)

    def get(self, account_id: str) -> Account | None:
        """The account with that id, whatever its status: old payments finish on the account that took them."""
        return self._accounts.get(account_id)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def _account(self, row: AccountRow) -> Account:
        until = row.previous_until
        previous_sealed = row.previous_settings_sealed if until is not None and until > utc_now() else None
        built = self._built.get(row.id)
        if built is None or (built.sealed, built.previous_sealed) != (row.settings_sealed, previous_sealed):
            built = self._open(row, previous_sealed)
        terms = Terms.of(row.terms, row.fee_rate_millionths)
        wallets = frozenset(Wallet(wallet) for wallet in row.wallets)
        account = Account(
            id=row.id,
            wallets=wallets,
            status=row.status,
            priority=row.priority,
            terms=terms,
            channel=built.channel,
            kind=row.channel,
            merchant_id=row.merchant_id,
            overlap=None if until is None or built.previous is None else Overlap(built.previous, until),
            methods=_methods(row.channel, wallets, terms),
        )
        self._built[row.id] = built
        return account

    def _open(self, row: AccountRow, previous_sealed: bytes | None) -> _Built:
        """Open an account; earlier credentials that do not open any more are no reason to lose the present ones."""
        settings = present = row.settings(self._vault)
        previous = None
        if previous_sealed is not None:
            try:
                earlier = row.previous_settings(self._vault) or {}
                previous = self._build(row.id, row.channel, earlier)
                settings = with_previous_keys(row.channel, settings, earlier)
            except ValueError as error:
                _log.error("an account's earlier credentials cannot be opened", extra=_complaint(row.id, error))
        channel = self._build(row.id, row.channel, settings)
        tell_expiry(row.id, present)
        return _Built(row.settings_sealed, previous_sealed, channel, previous)


def _methods(kind: str, wallets: Iterable[Wallet], terms: Terms) -> Mapping[Wallet, frozenset[Method]]:
    """What the kind of channel can do, as far as the terms allow it; of a kind without facts nothing is ruled out."""
    allowed = frozenset(Method) if terms.methods is None else terms.methods
    has_facts = bool(wallets_of(kind))
    return {wallet: (methods_of(kind, wallet) if has_facts else EVERY_METHOD[wallet]) & allowed for wallet in wallets}


def _complaint(account_id: str, error: ValueError) -> dict[str, str]:
    return {"account": account_id, "reason": str(error) or type(error).__name__}
