"""The channel accounts: who can take which wallet's payments, at what fee, with which credentials (sealed at rest)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import asyncpg

from gateway.kernel.secrets import Vault
from routing.channels.base import Channel, Wallet

_log: Final = logging.getLogger("mashang.accounts")

ChannelBuilder = Callable[[str, str, Mapping[str, Any]], Channel]
"""Makes a channel of an account id, a kind of channel and its settings."""


class AccountStatus(StrEnum):
    """Draining accounts take no new payments but finish what they have; disabled ones do neither for new payments."""

    ENABLED = "enabled"
    DRAINING = "draining"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one channel, ready to be called."""

    id: str
    kind: str
    """Which channel it is at, such as `wechat`."""
    wallets: frozenset[Wallet]
    status: AccountStatus
    priority: int
    fee_rate_millionths: int
    channel: Channel
    previous: Channel | None = None
    """The same account with the credentials that it had before, while both are good."""


async def save_account(
    database: asyncpg.Pool | asyncpg.Connection,
    vault: Vault,
    account_id: str,
    *,
    channel: str,
    wallets: Iterable[Wallet],
    settings: Mapping[str, Any],
    fee_rate_millionths: int = 3_800,
    priority: int = 100,
) -> None:
    """Write an account, or its new settings.  0.38 % is the usual fee of the market."""
    await database.execute(
        "INSERT INTO channel_accounts (id, channel, wallets, priority, fee_rate_millionths, settings_sealed)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET settings_sealed = excluded.settings_sealed,"
        " wallets = excluded.wallets, priority = excluded.priority,"
        " fee_rate_millionths = excluded.fee_rate_millionths, updated_at = now()",
        account_id,
        channel,
        [str(wallet) for wallet in wallets],
        priority,
        fee_rate_millionths,
        vault.seal(json.dumps(dict(settings)).encode(), account_id.encode()),
    )


class AccountBook:
    """The accounts as they stand in PostgreSQL, with a live channel for each; read again after every change."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, build: ChannelBuilder) -> None:
        self._pool = pool
        self._vault = vault
        self._build = build
        self._accounts: dict[str, Account] = {}
        self._sealed: dict[str, bytes] = {}

    async def reload(self) -> None:
        """Read all accounts; a channel is built anew only where its settings have changed.

        An account that cannot be opened takes no other with it: it stays as it was, or is left out.
        """
        accounts: dict[str, Account] = {}
        for record in await self._pool.fetch("SELECT * FROM channel_accounts ORDER BY id"):
            account_id = record["id"]
            try:
                accounts[account_id] = self._account(record)
            except ValueError as error:  # a broken seal, settings that are wrong, a wallet of a later version
                reason = str(error) or type(error).__name__
                _log.error("a channel account cannot be opened", extra={"account": account_id, "reason": reason})
                if account_id in self._accounts:
                    accounts[account_id] = self._accounts[account_id]
        self._accounts = accounts

    def get(self, account_id: str) -> Account | None:
        """The account with that id, whatever its status: old payments finish on the account that took them."""
        return self._accounts.get(account_id)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def _account(self, record: asyncpg.Record) -> Account:
        account_id, sealed = record["id"], record["settings_sealed"]
        known = self._accounts.get(account_id)
        if known is not None and self._sealed.get(account_id) == sealed:
            channel = known.channel
        else:
            settings = json.loads(self._vault.open(sealed, account_id.encode()))
            channel = self._build(account_id, record["channel"], settings)
            self._sealed[account_id] = sealed
        return Account(
            id=account_id,
            kind=record["channel"],
            wallets=frozenset(Wallet(wallet) for wallet in record["wallets"]),
            status=AccountStatus(record["status"]),
            priority=record["priority"],
            fee_rate_millionths=record["fee_rate_millionths"],
            channel=channel,
        )
