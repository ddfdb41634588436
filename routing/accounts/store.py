"""Channel accounts in PostgreSQL: made, changed, their credentials rotated with an overlap; settings sealed at rest.

What an account is at its channel, and whose it is, never changes under its id: old payments would be asked for, and
given back, at an account that never took them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self, TypeAlias, cast

import asyncpg

from gateway.database.pool import Connection, named_statements
from gateway.kernel.secrets import SealBroken, Vault
from routing.accounts.terms import Terms
from routing.channels.base import Wallet
from routing.channels.facts import identity_of

SQL: Final = named_statements("routing.accounts", "accounts.sql")
OVERLAP: Final = timedelta(days=7)
FEE_RATE_MILLIONTHS: Final = 3_800
"""0.38 % is the usual fee of the market."""
PRIORITY: Final = 100
_TRIES: Final = 8
"""Of those who write at once one gets through each time."""

Database: TypeAlias = asyncpg.Pool | Connection


class AccountStatus(StrEnum):
    """Draining accounts take no new payments but finish what they have; disabled ones do neither for new payments."""

    ENABLED = "enabled"
    DRAINING = "draining"
    DISABLED = "disabled"


class AccountIdentityChanged(Exception):
    """An account's channel, merchant and numbers at the channel stay.  `field` names what would have changed."""

    def __init__(self, field_name: str) -> None:
        super().__init__(f"{field_name} never changes under an account's id")
        self.field = field_name


class AccountInUse(Exception):
    """Others kept changing the account in the same moments; nothing was changed by this call."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it is stored.  While `previous_until` lies ahead, the earlier settings are good as well.

    `terms` is the document that `Terms.of` reads; None where there is nothing but the plain rate.
    """

    id: str
    channel: str
    wallets: tuple[str, ...]
    merchant_id: str | None
    status: AccountStatus
    priority: int
    fee_rate_millionths: int
    terms: Mapping[str, Any] | None
    settings_sealed: bytes = field(repr=False)
    previous_settings_sealed: bytes | None = field(repr=False)
    previous_until: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: asyncpg.Record) -> Self:
        """Raises ValueError for a status of a later version."""
        columns = {name: record[name] for name in cls.__slots__}
        terms = None if record["terms"] is None else json.loads(record["terms"])
        wallets, status = tuple(record["wallets"]), AccountStatus(record["status"])
        return cls(**columns | {"wallets": wallets, "status": status, "terms": terms})

    def settings(self, vault: Vault) -> dict[str, Any]:
        """The settings, opened.  Raises SealBroken."""
        return _opened(vault, self.id, self.settings_sealed)

    def previous_settings(self, vault: Vault) -> dict[str, Any] | None:
        """The earlier settings, opened; None where nothing was rotated.  Raises SealBroken."""
        sealed = self.previous_settings_sealed
        return None if sealed is None else _opened(vault, self.id, sealed)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made: whose it is (None: the platform's), and on which terms."""

    id: str
    channel: str
    wallets: tuple[Wallet, ...]
    settings: Mapping[str, Any] = field(repr=False)
    merchant_id: str | None = None
    status: AccountStatus = AccountStatus.ENABLED
    priority: int = PRIORITY
    fee_rate_millionths: int = FEE_RATE_MILLIONTHS
    terms: Mapping[str, Any] | None = None


async def create_account(database: Database, vault: Vault, new: NewAccount) -> AccountRow | None:
    """Write a new account; None where the id is taken.

    Raises TermsError, and ForeignKeyViolationError for an unknown merchant.
    """
    record = await database.fetchrow(
        SQL["insert_account"],
        new.id,
        new.channel,
        [str(wallet) for wallet in new.wallets],
        new.merchant_id,
        new.status,
        new.priority,
        new.fee_rate_millionths,
        _sealed(vault, new.id, new.settings),
        _written(new.terms),
    )
    return None if record is None else AccountRow.of(record)


async def save_account(
    database: Database,
    vault: Vault,
    account_id: str,
    *,
    channel: str,
    wallets: Iterable[Wallet],
    settings: Mapping[str, Any],
    merchant_id: str | None = None,
    fee_rate_millionths: int = FEE_RATE_MILLIONTHS,
    priority: int = PRIORITY,
    terms: Mapping[str, Any] | None = None,
) -> AccountRow:
    """Write an account, or its new settings and terms; its status stays, and without new `terms` so do they.

    Raises AccountIdentityChanged, AccountInUse, TermsError.
    """
    new = NewAccount(
        account_id,
        channel,
        tuple(wallets),
        settings,
        merchant_id,
        priority=priority,
        fee_rate_millionths=fee_rate_millionths,
        terms=terms,
    )
    for _ in range(_TRIES):
        row = await find_account(database, account_id)
        if row is None:
            saved = await create_account(database, vault, new)
        else:
            _check_identity(vault, row, channel, merchant_id, settings)
            record = await database.fetchrow(
                SQL["replace_account"],
                account_id,
                row.settings_sealed,
                _sealed(vault, account_id, settings),
                [str(wallet) for wallet in new.wallets],
                priority,
                fee_rate_millionths,
                _written(terms),
            )
            saved = None if record is None else AccountRow.of(record)
        if saved is not None:
            return saved
    raise AccountInUse


async def rotate_account(
    database: Database,
    vault: Vault,
    account_id: str,
    settings: Mapping[str, Any],
    overlap: timedelta = OVERLAP,
) -> AccountRow | None:
    """Replace an account's credentials; the earlier ones stay good for what the channel signed, as long as `overlap`.

    The same settings again change nothing: a repeated request must not push the earlier credentials out.  None where
    there is no such account.  Raises AccountIdentityChanged, AccountInUse.
    """
    for _ in range(_TRIES):
        row = await find_account(database, account_id)
        if row is None:
            return None
        _check_identity(vault, row, row.channel, row.merchant_id, settings)
        if _known_settings(vault, row) == dict(settings):
            return row
        sealed = _sealed(vault, account_id, settings)
        record = await database.fetchrow(SQL["rotate_account"], account_id, row.settings_sealed, sealed, overlap)
        if record is not None:
            return AccountRow.of(record)
    raise AccountInUse


async def change_account(
    database: Database,
    account_id: str,
    *,
    status: AccountStatus | None = None,
    priority: int | None = None,
    fee_rate_millionths: int | None = None,
    terms: Mapping[str, Any] | None = None,
) -> AccountRow | None:
    """Change what an account is given; None leaves one as it is, `terms` are replaced whole.

    None where there is no such account.  Raises TermsError.
    """
    record = await database.fetchrow(
        SQL["change_account"], account_id, status, priority, fee_rate_millionths, _written(terms)
    )
    return None if record is None else AccountRow.of(record)


async def find_account(database: Database, account_id: str) -> AccountRow | None:
    """The account with that id."""
    record = await database.fetchrow(SQL["find_account"], account_id)
    return None if record is None else AccountRow.of(record)


async def list_accounts(
    database: Database, limit: int, *, merchant_id: str | None = None, starting_after: str | None = None
) -> list[AccountRow]:
    """Accounts by id, of one merchant or of all."""
    records = await database.fetch(SQL["list_accounts"], merchant_id, starting_after, limit)
    return [AccountRow.of(record) for record in records]


async def forget_previous(database: Database) -> None:
    """Forget earlier credentials whose overlap is over."""
    if await database.fetchval(SQL["has_past_overlap"]):
        await database.execute(SQL["forget_previous"])


def _check_identity(
    vault: Vault, row: AccountRow, channel: str, merchant_id: str | None, settings: Mapping[str, Any]
) -> None:
    """Raises AccountIdentityChanged.  Settings that nobody can open any more have no identity to keep."""
    if row.channel != channel:
        raise AccountIdentityChanged("channel")
    if row.merchant_id != merchant_id:
        raise AccountIdentityChanged("merchant_id")
    known = _known_settings(vault, row)
    if known is None:
        return
    before, after = identity_of(channel, known), identity_of(channel, settings)
    for name, value in before.items():
        if after[name] != value:
            raise AccountIdentityChanged(f"settings.{name}")


def _known_settings(vault: Vault, row: AccountRow) -> dict[str, Any] | None:
    try:
        return row.settings(vault)
    except SealBroken:
        return None


def _written(terms: Mapping[str, Any] | None) -> str | None:
    """Terms as they are stored.  Raises TermsError: what cannot be read is never written."""
    if terms is None:
        return None
    Terms.of(terms, FEE_RATE_MILLIONTHS)
    return json.dumps(dict(terms))


def _sealed(vault: Vault, account_id: str, settings: Mapping[str, Any]) -> bytes:
    return vault.seal(json.dumps(dict(settings)).encode(), account_id.encode())


def _opened(vault: Vault, account_id: str, sealed: bytes) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(vault.open(sealed, account_id.encode())))
