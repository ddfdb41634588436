"""Runs every examination at once, each within its time; one that fails or hangs takes no other with it."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg
from redis.exceptions import RedisError

from gateway.database.batches import BROKEN
from gateway.doctor.finding import Area, Finding, Scribe
from gateway.doctor.gathering.address import gather_address
from gateway.doctor.gathering.channels import reach_channels, read_accounts
from gateway.doctor.gathering.connection import looking
from gateway.doctor.gathering.machine import gather_machine
from gateway.doctor.gathering.postgresql import gather_postgresql
from gateway.doctor.gathering.valkey import gather_valkey
from gateway.doctor.gathering.work import knock, read_endpoints, read_keys, read_work
from gateway.doctor.judging.address import judge_address
from gateway.doctor.judging.channels import judge_channels
from gateway.doctor.judging.keys import judge_keys
from gateway.doctor.judging.machine import judge_machine
from gateway.doctor.judging.postgresql import judge_postgresql
from gateway.doctor.judging.settings import judge_settings, judge_stored
from gateway.doctor.judging.valkey import judge_valkey
from gateway.doctor.judging.work import judge_books, judge_webhooks, judge_worker
from gateway.kernel.secrets import Vault
from gateway.production.places import is_loopback
from gateway.production.rules import settings_reasons
from gateway.production.stored import Stored, stored_reasons
from gateway.settings import Environment, Settings

_FAILED: Final = (*BROKEN, asyncpg.PostgresError, RedisError)
_STORE_ADVICE: Final = {
    Area.POSTGRESQL: "Look at MASHANG_DATABASE_URL, the server, and the network between.",
    Area.VALKEY: "Look at MASHANG_REDIS_URL, the server, and the network between.",
}

Examine = Callable[["Visit"], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Visit:
    """What is to be looked at.  `processes` run over all machines; `trust` replaces the system's certificates.

    `told` hears of each area that is done.
    """

    settings: Settings
    processes: int = 2
    timeout_s: float = 15.0
    settings_only: bool = False
    trust: ssl.SSLContext | None = None
    told: Callable[[Area], None] = lambda _: None

    @property
    def vault(self) -> Vault:
        """The installation's keys."""
        return Vault(self.settings.master_key_bytes)


def visit(wanted: Visit) -> list[Finding]:
    """Every finding, by area; takes no longer than `timeout_s`."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # what is given up in mid-air is told as a finding
    found = _settings(wanted)
    if not wanted.settings_only:
        found += asyncio.run(_examine_all(wanted))
    order = list(Area)
    return sorted(found, key=lambda finding: order.index(finding.area))


def _settings(wanted: Visit) -> list[Finding]:
    is_production = wanted.settings.environment is Environment.PRODUCTION
    return judge_settings(settings_reasons(wanted.settings), is_production=is_production)


async def _examine_all(wanted: Visit) -> list[Finding]:
    deadline = time.monotonic() + wanted.timeout_s
    runs: list[Coroutine[Any, Any, list[Finding]]] = [
        _examined(area, examine, wanted, deadline) for area, examine in _EXAMINATIONS
    ]
    return [finding for found in await asyncio.gather(*runs) for finding in found]


async def _examined(area: Area, examine: Examine, wanted: Visit, deadline: float) -> list[Finding]:
    scribe = Scribe(area)
    try:
        async with asyncio.timeout(deadline - time.monotonic()) as bound:
            return await examine(wanted)
    except _FAILED as error:
        if bound.expired():
            return [scribe.not_checked("answer", f"no answer within {wanted.timeout_s:g} s")]
        return [_away(scribe, error)]
    except Exception as error:  # a bug of one examination is not the deployment's
        return [scribe.not_checked("examination", f"it failed with {type(error).__name__}: report this")]
    finally:
        wanted.told(area)


def _away(scribe: Scribe, error: BaseException) -> Finding:
    """A store that does not answer is a problem of its own area, and for the others a reason not to look."""
    told = f"{type(error).__name__}: {error}".rstrip(": ")
    if scribe.area in _STORE_ADVICE:
        return scribe.problem("reachable", told, _STORE_ADVICE[scribe.area])
    return scribe.not_checked("reachable", f"PostgreSQL could not be asked ({type(error).__name__})")


async def _stored(wanted: Visit) -> list[Finding]:
    async with looking(wanted.settings) as connection:
        stored = await Stored.read(connection, wanted.vault)
    # The accounts have an area of their own, which says more of them.
    return judge_stored(stored_reasons(replace(stored, accounts=())))


async def _postgresql(wanted: Visit) -> list[Finding]:
    async with looking(wanted.settings) as connection:
        return judge_postgresql(await gather_postgresql(connection, wanted.settings, wanted.processes))


async def _valkey(wanted: Visit) -> list[Finding]:
    return judge_valkey(await gather_valkey(wanted.settings))


async def _keys(wanted: Visit) -> list[Finding]:
    async with looking(wanted.settings) as connection:
        return judge_keys(await read_keys(connection, wanted.vault))


async def _channels(wanted: Visit) -> list[Finding]:
    async with looking(wanted.settings) as connection:
        accounts = await read_accounts(connection, wanted.vault)
    return judge_channels(await reach_channels(accounts, wanted.trust))


async def _webhooks(wanted: Visit) -> list[Finding]:
    async with looking(wanted.settings) as connection:
        facts, urls = await read_work(connection), await read_endpoints(connection)
    return judge_webhooks(await knock(facts, urls, wanted.settings))


async def _worker(wanted: Visit) -> list[Finding]:
    async with looking(wanted.settings) as connection:
        return judge_worker(await read_work(connection))


async def _books(wanted: Visit) -> list[Finding]:
    async with looking(wanted.settings) as connection:
        return judge_books(await read_work(connection))


async def _machine(wanted: Visit) -> list[Finding]:
    return judge_machine(gather_machine(wanted.settings, wanted.processes))


async def _address(wanted: Visit) -> list[Finding]:
    facts = await gather_address(wanted.settings, wanted.trust)
    found = judge_address(facts)
    if is_loopback(facts.reached.host.partition(":")[0]) and facts.reached.failure is None:
        return [finding for finding in found if finding.check not in {"metrics", "admin"}]
    return found


_EXAMINATIONS: Final[tuple[tuple[Area, Examine], ...]] = (
    (Area.SETTINGS, _stored),
    (Area.POSTGRESQL, _postgresql),
    (Area.VALKEY, _valkey),
    (Area.KEYS, _keys),
    (Area.CHANNELS, _channels),
    (Area.WEBHOOKS, _webhooks),
    (Area.WORKER, _worker),
    (Area.BOOKS, _books),
    (Area.MACHINE, _machine),
    (Area.ADDRESS, _address),
)
