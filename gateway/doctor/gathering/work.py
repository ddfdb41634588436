"""Reads what is under way from PostgreSQL, and knocks at webhook endpoints."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

import asyncpg

from gateway.doctor.gathering.connection import SQL
from gateway.doctor.judging.keys import KeyFacts
from gateway.doctor.judging.work import WorkFacts
from gateway.kernel.clock import utc_now
from gateway.kernel.ids import ulid_time
from gateway.kernel.secrets import SealBroken, Vault
from gateway.settings import Settings
from gateway.webhooks.addresses import AddressRefused, AddressRules, Target
from routing.accounts.store import SQL as ACCOUNTS

_KNOCKED_MAX: Final = 5
_KNOCK_S: Final = 4.0


async def read_work(connection: asyncpg.Connection) -> WorkFacts:
    """All but the way out."""
    row = await connection.fetchrow(SQL["work"])
    balance = await connection.fetchrow(SQL["balance"])
    assert row is not None
    assert balance is not None
    counted = dict(row)
    first = counted.pop("untold_first")
    untold_s = 0.0 if first is None else (utc_now() - ulid_time(first.rpartition("_")[2])).total_seconds()
    return WorkFacts(**counted, **dict(balance), untold_s=max(0.0, untold_s))


async def read_keys(connection: asyncpg.Connection, vault: Vault) -> KeyFacts:
    """Try the key on every account's settings and on some endpoints' secrets."""
    tried = [
        (record["settings_sealed"], record["id"].encode())
        for record in await connection.fetch(ACCOUNTS["all_accounts"])
    ]
    tried += [(row["secret_sealed"], row["id"].encode()) for row in await connection.fetch(SQL["sealed_endpoints"])]
    return KeyFacts(len(tried), sum(_opens(vault, sealed, place) for sealed, place in tried))


async def read_endpoints(connection: asyncpg.Connection) -> list[str]:
    """Addresses to which webhooks go, the newest first."""
    return [row["url"] for row in await connection.fetch(SQL["endpoints"])]


async def knock(facts: WorkFacts, urls: Sequence[str], settings: Settings) -> WorkFacts:
    """Try whether a few of these hosts take a connection; nothing is sent."""
    rules = AddressRules(settings.webhook_networks)
    targets: dict[tuple[str, str, int], Target] = {}
    for url in urls:
        try:
            target = rules.target(url)
        except AddressRefused:
            continue
        targets.setdefault(target.origin, target)
    chosen = list(targets.values())[:_KNOCKED_MAX]
    outcomes = await asyncio.gather(*(_knock(target, rules) for target in chosen))
    return replace(facts, egress=dict(zip([target.authority for target in chosen], outcomes, strict=True)))


async def _knock(target: Target, rules: AddressRules) -> str | None:
    """What kept us from it; the very address that was checked is the one that is connected to."""
    try:
        async with asyncio.timeout(_KNOCK_S):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            address = ip_address(found[0][4][0])
            rules.check(address)
            _, writer = await asyncio.open_connection(str(address), target.port)
            writer.close()
    except AddressRefused as refused:
        return f"the address {refused}"
    except TimeoutError:
        return f"no answer within {_KNOCK_S:g} s"
    except OSError as error:
        return str(error) or type(error).__name__
    return None


def _opens(vault: Vault, sealed: bytes, place: bytes) -> bool:
    try:
        vault.open(sealed, place)
    except SealBroken:
        return False
    return True
