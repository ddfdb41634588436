"""What production refuses of the database: simulators as channels, the demo's merchants, secrets of another key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import asyncpg

from gateway.database.pool import Connection, named_statements
from gateway.kernel.secrets import SealBroken, Vault
from gateway.production.reasons import Reason
from routing.channels.settings import ChannelSettingsError, SettingsReader

SQL: Final = named_statements("gateway.production", "statements.sql")
DEMO_MERCHANTS: Final = ("demo", "demo kiosk")
"""What `mashang dev` calls the merchants that it makes."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account that is not disabled.  `settings` are None where the master key does not open them."""

    id: str
    channel: str
    settings: Mapping[str, Any] | None = field(repr=False)

    def inner_addresses(self) -> list[str]:
        """The settings that hold an address which is not public https, such as a simulator's."""
        return [name for name in sorted(self.settings or {}) if self._is_inner(name)]

    def _is_inner(self, name: str) -> bool:
        value = (self.settings or {})[name]
        if not isinstance(value, str) or not value.startswith(("http://", "https://")):
            return False
        try:
            SettingsReader(self.channel, {name: value}, public_only=True).url(name)
        except ChannelSettingsError:
            return True
        return False


@dataclass(frozen=True, slots=True)
class DemoMerchant:
    """A merchant of `mashang dev` with keys that are good."""

    id: str
    name: str
    keys: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the rules look at."""

    accounts: Sequence[StoredAccount] = ()
    demo_merchants: Sequence[DemoMerchant] = ()

    @classmethod
    async def read(cls, database: asyncpg.Pool | Connection, vault: Vault) -> Self:
        """Read it.  A database without the tables raises UndefinedTableError."""
        accounts = [_opened(vault, record) for record in await database.fetch(SQL["accounts"])]
        merchants = await database.fetch(SQL["demo_keys"], list(DEMO_MERCHANTS))
        return cls(accounts, [DemoMerchant(row["id"], row["name"], row["keys"]) for row in merchants])


def stored_reasons(stored: Stored) -> list[Reason]:
    """All that is wrong with it."""
    return [*_sealed(stored), *_simulators(stored), *_demo(stored)]


def _sealed(stored: Stored) -> Iterator[Reason]:
    """One broken account is the others' business no more than its own; a key that opens none is the wrong key."""
    if stored.accounts and all(account.settings is None for account in stored.accounts):
        yield Reason(
            "MASHANG_MASTER_KEY",
            f"It opens none of the {len(stored.accounts)} channel accounts in this database.",
            "Set the key with which this database was written; without it nothing sealed comes back.",
        )


def _simulators(stored: Stored) -> Iterator[Reason]:
    for account in stored.accounts:
        names = account.inner_addresses()
        if names:
            yield Reason(
                f"channel account {account.id}",
                f"Its {', '.join(names)} is no public https address: a simulator's, or one inside.",
                "Begin with a database of its own for production; where this one must be kept, let a development "
                f"gateway do: mashang routing disable {account.id}",
            )


def _demo(stored: Stored) -> Iterator[Reason]:
    for merchant in stored.demo_merchants:
        yield Reason(
            f"merchant {merchant.id}",
            f"“{merchant.name}” is a merchant of mashang dev, with {merchant.keys} keys that are good.",
            "Begin with a database of its own for production, or revoke these keys: "
            f"POST /admin/v1/merchants/{merchant.id}/keys/KEY/revoke of a development gateway.",
        )


def _opened(vault: Vault, record: asyncpg.Record) -> StoredAccount:
    try:
        settings = json.loads(vault.open(record["settings_sealed"], record["id"].encode()))
    except (SealBroken, ValueError):
        settings = None
    return StoredAccount(record["id"], record["channel"], settings)
