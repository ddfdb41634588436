"""Reads the accounts that are not disabled, and calls each host that they name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

import asyncpg

from gateway.doctor.gathering.tls import Origin, call
from gateway.doctor.judging.channels import AccountFacts, Certificate, ChannelFacts
from gateway.kernel.clock import utc_now
from gateway.kernel.secrets import Vault
from gateway.production.stored import StoredAccount
from routing.accounts.store import SQL, AccountRow, AccountStatus
from routing.channels.base import Transport
from routing.channels.registry import build_channel
from routing.channels.rsa import load_certificate
from routing.channels.transport import HttpTransport

_HOSTS_MAX: Final = 16
_NOT_CALLED: Final = frozenset({"notify_url", "oauth_url", "bridge_url"})
"""Our own address, and what only customers' phones open."""
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"


async def read_accounts(connection: asyncpg.Connection, vault: Vault) -> list[AccountFacts]:
    """Each account that is not disabled, opened."""
    transport = HttpTransport()
    try:
        rows = [AccountRow.of(record) for record in await connection.fetch(SQL["all_accounts"])]
        return [_facts(row, vault, transport) for row in rows if row.status is not AccountStatus.DISABLED]
    finally:
        await transport.aclose()


async def reach_channels(accounts: list[AccountFacts], trust: ssl.SSLContext | None = None) -> ChannelFacts:
    """Call their hosts, at most sixteen, all at once."""
    hosts = sorted({host for account in accounts for host in account.hosts})[:_HOSTS_MAX]
    answers = await asyncio.gather(*(call(Origin.of(host), trust=trust) for host in hosts))
    reached = {answer.reached.host: answer.reached for answer in answers}
    return ChannelFacts(accounts, reached, utc_now())


def _facts(row: AccountRow, vault: Vault, transport: Transport) -> AccountFacts:
    try:
        settings = row.settings(vault)
    except ValueError:
        return AccountFacts(row.id, row.channel, row.status, "the master key does not open its settings", (), (), ())
    problem = None
    try:
        build_channel(row.channel, settings, transport)
    except ValueError as error:  # names the setting, never its value
        problem = str(error)
    inner = StoredAccount(row.id, row.channel, settings).inner_addresses()
    hosts = tuple(sorted(set(_hosts(settings))))
    return AccountFacts(row.id, row.channel, row.status, problem, inner, tuple(_certificates(settings)), hosts)


def _hosts(settings: Mapping[str, Any]) -> Iterator[str]:
    """The origins that this gateway calls, as addresses."""
    for name, value in settings.items():
        if name not in _NOT_CALLED and isinstance(value, str) and value.startswith(("http://", "https://")):
            origin = Origin.of(value)
            yield f"{origin.scheme}://{origin.name}"


def _certificates(settings: Mapping[str, Any]) -> Iterator[Certificate]:
    """The certificates among the settings, those of the platform by their serial too."""
    for name, value in settings.items():
        nested = value if isinstance(value, Mapping) else {"": value}
        for key, text in nested.items():
            if isinstance(text, str) and _CERTIFICATE in text:
                try:
                    yield Certificate(f"{name}.{key}" if key else name, load_certificate(text).not_valid_after_utc)
                except ValueError:
                    continue  # the account does not open, which is told
