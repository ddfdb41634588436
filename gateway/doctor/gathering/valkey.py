"""Reads the facts of each server that holds keys."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import redis.asyncio as redis
from redis.exceptions import AuthenticationError, RedisError

from gateway.database.valkey_address import Address, Node, client_of, close
from gateway.doctor.judging.valkey import ValkeyFacts, ValkeyServer
from gateway.settings import Settings

_TIMEOUT_S: Final = 3.0
_LAG: Final = re.compile(r"(?:^|,)lag=(\d+)")
_CONFIGURED: Final = ("appendfsync", "maxmemory-policy", "appendonly")


async def gather_valkey(settings: Settings) -> ValkeyFacts:
    """Raises RedisError or OSError where no server answers."""
    address = Address.of(settings.redis_url.get_secret_value())
    if address.is_cluster:
        return await _cluster(address)
    async with _client(address) as client:
        servers = [await _server(client, "the server")]
    there = [await _answers(address, node) for node in address.nodes]
    return ValkeyFacts(servers, form=address.kind, sentinels=(sum(there), len(there)))


async def _cluster(address: Address) -> ValkeyFacts:
    """Its masters, as the first node that answers knows them."""
    failure: Exception | None = None
    for node in address.nodes:
        try:
            async with _client(address, node) as client:
                state = _state_of(await _asked(client, "CLUSTER INFO"))
                slots = await _asked(client, "CLUSTER SLOTS")
                break
        except (RedisError, OSError) as error:
            failure = error
    else:
        assert failure is not None
        raise failure
    servers = []
    for host, port in _masters(slots):
        async with _client(address, (host, port)) as client:
            servers.append(await _server(client, f"{host}:{port}"))
    return ValkeyFacts(servers, form="cluster", cluster_state=state)


async def _server(client: redis.Redis, name: str) -> ValkeyServer:
    info: Mapping[str, Any] = await client.info()
    offset_s, round_trip_ms = await _clock(client)
    configured = await _configured(client)
    kind = "valkey" if "valkey_version" in info else "redis"
    policy = configured.get("maxmemory-policy") or info.get("maxmemory_policy")
    return ValkeyServer(
        name=name,
        kind=kind,
        version=str(info.get(f"{kind}_version", "0")),
        policy=None if policy is None else str(policy),
        append_only=bool(info["aof_enabled"]) if "aof_enabled" in info else None,
        append_fsync=configured.get("appendfsync"),
        append_failing=info.get("aof_last_write_status", "ok") != "ok",
        role=str(info.get("role", "?")),
        replica_lags_s=_lags(info),
        memory_bytes=int(info.get("used_memory", 0)),
        memory_max_bytes=int(info["maxmemory"]) if "maxmemory" in info else None,
        evicted=int(info.get("evicted_keys", 0)),
        clock_offset_s=offset_s,
        round_trip_ms=round_trip_ms,
        runs_scripts=await _runs_scripts(client),
    )


async def _clock(client: redis.Redis) -> tuple[float, float]:
    """Its clock less ours (s), and a round trip (ms): the shortest of three."""
    found = []
    for _ in range(3):
        sent, began = time.time(), time.monotonic()
        seconds, micros = await client.time()
        took = time.monotonic() - began
        found.append((took * 1_000, seconds + micros / 1e6 - sent - took / 2))
    round_trip_ms, offset_s = min(found)
    return offset_s, round_trip_ms


async def _configured(client: redis.Redis) -> dict[str, str]:
    """What CONFIG tells; nothing where a provider forbids it."""
    try:
        found = await client.config_get(*_CONFIGURED)
    except RedisError:
        return {}
    return {_text(name): _text(value) for name, value in found.items()}


async def _runs_scripts(client: redis.Redis) -> bool:
    """A script that touches no key."""
    try:
        return bool(await _asked(client, "EVAL", "return 1", 0) == 1)
    except RedisError:
        return False


async def _answers(address: Address, node: Node) -> bool:
    """Whether that sentinel does."""
    scheme = "rediss" if address.is_tls else "redis"
    host = f"[{node[0]}]" if ":" in node[0] else node[0]
    client = client_of(Address(f"{scheme}://{host}:{node[1]}"), _TIMEOUT_S)
    try:
        return bool(await client.ping())
    except AuthenticationError:  # it wants a password of its own: it is there
        return True
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()


@asynccontextmanager
async def _client(address: Address, node: Node | None = None) -> AsyncIterator[redis.Redis]:
    client = client_of(address, _TIMEOUT_S, node)
    try:
        yield client
    finally:
        await close(client)


async def _asked(client: redis.Redis, *command: Any) -> Any:
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]


def _lags(info: Mapping[str, Any]) -> list[float]:
    """The lag (s) of each replica; redis-py reads `slave0` into a mapping, or leaves it text."""
    lags = []
    for number in range(int(info.get("connected_slaves", 0))):
        entry = info.get(f"slave{number}", "")
        if isinstance(entry, Mapping):
            lags.append(float(entry.get("lag", 0)))
        elif match := _LAG.search(str(entry)):
            lags.append(float(match[1]))
    return lags


def _state_of(answer: Any) -> str:
    if isinstance(answer, Mapping):
        return str(answer.get("cluster_state", "?"))
    return _text(answer).partition("cluster_state:")[2].split()[0]


def _masters(slots: Any) -> list[Node]:
    """Who has slots; as CLUSTER SLOTS answers, or as redis-py makes a mapping of it."""
    if isinstance(slots, Mapping):
        return sorted({(_text(entry["primary"][0]), int(entry["primary"][1])) for entry in slots.values()})
    return sorted({(_text(entry[2][0]), int(entry[2][1])) for entry in slots})


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
