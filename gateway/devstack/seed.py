"""What a fresh database needs before a first payment: the demo merchant with a key, and the channel accounts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import asyncpg

from gateway.devstack.rules import seed_rules
from gateway.devstack.secrets import MerchantSecrets, StateSecrets, save_secrets
from gateway.kernel.secrets import Vault, secret_hash
from gateway.merchants.store import ALL_SCOPES, create_key, create_merchant, find_holder
from gateway.processes.errors import StackError
from gateway.settings import Settings
from routing.accounts.store import FEE_RATE_MILLIONTHS, AccountIdentityChanged, save_account
from routing.channels.base import Wallet
from routing.simulators.provision import AccountSeed

_PRIORITY_FIRST: Final = 100
_FEE_RATES_MILLIONTHS: Final = {"qra": 6_000}
"""Whoever stands between the gateway and the wallets costs more: the list price, where direct accounts have 0.38 %."""
_EVERYTHING: Final = sorted(ALL_SCOPES)


async def seed_merchant(connection: asyncpg.Connection, vault: Vault, state: Path, kept: StateSecrets) -> StateSecrets:
    """The demo merchant with a key that we know; made anew where this database does not know the key we kept."""
    merchant = await _seeded(connection, vault, "demo", kept.merchant)
    return _kept(state, kept, kept.model_copy(update={"merchant": merchant}))


async def seed_kiosk(database_url: str, vault: Vault, state: Path, kept: StateSecrets) -> tuple[StateSecrets, bool]:
    """The same of a second merchant, at which the demo shows its risk rules; and whether they are in force."""
    connection = await asyncpg.connect(database_url)
    try:
        kiosk = await _seeded(connection, vault, "demo kiosk", kept.kiosk)
        return (
            _kept(state, kept, kept.model_copy(update={"kiosk": kiosk})),
            await seed_rules(connection, vault, kiosk.id),
        )
    finally:
        await connection.close()


async def _seeded(
    connection: asyncpg.Connection, vault: Vault, name: str, known: MerchantSecrets | None
) -> MerchantSecrets:
    if known is not None and await find_holder(connection, secret_hash(known.api_key)):
        # Made by an earlier version, it may lack a scope that has come since: the demo's key may do everything.
        await connection.execute("UPDATE api_keys SET scopes = $2 WHERE id = $1", known.key_id, _EVERYTHING)
        return known
    created = await create_merchant(connection, vault, name)
    key = await create_key(connection, vault, created.merchant.id)
    return MerchantSecrets(
        id=created.merchant.id,
        api_key=key.secret,
        key_id=key.id,
        signing_secret=key.signing_secret,
        webhook_secret=created.webhook_secret,
    )


def _kept(state: Path, before: StateSecrets, kept: StateSecrets) -> StateSecrets:
    if kept != before:
        save_secrets(state, kept)
    return kept


async def seed_accounts(connection: asyncpg.Connection, vault: Vault, accounts: Iterable[AccountSeed]) -> None:
    """The simulators as channel accounts; written at each start, for their addresses may have changed.

    The front is the dearer way, so that payments go to the direct accounts while these do well.
    """
    for place, account in enumerate(accounts):
        try:
            await save_account(
                connection,
                vault,
                account.id,
                channel=account.channel,
                wallets=[Wallet(name) for name in account.wallets],
                settings=account.settings,
                priority=_PRIORITY_FIRST + place,
                fee_rate_millionths=_FEE_RATES_MILLIONTHS.get(account.channel, FEE_RATE_MILLIONTHS),
            )
        except AccountIdentityChanged:
            raise StackError(
                f"The database knows {account.id} as another account than the simulator has now: the simulators' keys "
                "were made anew. Remove the state folder to begin afresh, or put the keys back."
            ) from None


async def seed(settings: Settings, state: Path, kept: StateSecrets, accounts: Iterable[AccountSeed]) -> StateSecrets:
    """Seed what is missing.  Returns the secrets with the demo merchant's."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        vault = Vault(settings.master_key_bytes)
        await seed_accounts(connection, vault, accounts)
        return await seed_merchant(connection, vault, state, kept)
    finally:
        await connection.close()
