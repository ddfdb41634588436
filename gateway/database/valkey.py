"""Valkey: the calls of all waiting requests leave in one pipeline for each server, one round trip at a time.

Valkey is a fast early answer that may be lost at any moment: every caller handles ValkeyAway and goes on by PostgreSQL.
The keys of one call or script lie in one slot of a cluster: a single key, or keys with a common {hash tag}.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Protocol

from redis.exceptions import NoScriptError, RedisError

from gateway.database.valkey_address import Address, client_of
from gateway.database.valkey_cluster import Cluster
from gateway.database.valkey_line import Command, Deferred, Line, ValkeyAway
from gateway.settings import Settings

__all__ = ["Script", "Valkey", "ValkeyAway", "scripts_of"]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the hash that servers know it by."""

    text: str
    sha: str

    def by_hash(self, keys: Sequence[str], arguments: Sequence[Any]) -> Command:
        """The call for a server that has it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)

    def in_full(self, keys: Sequence[str], arguments: Sequence[Any]) -> Command:
        """The call for a server that has forgotten it."""
        return ("EVAL", self.text, len(keys), *keys, *arguments)


def scripts_of(package: str) -> Mapping[str, Script]:
    """The Lua scripts in a package's folder `scripts`, by name."""
    found = {}
    for entry in (files(package) / "scripts").iterdir():
        if entry.name.endswith(".lua"):
            text = entry.read_text(encoding="utf-8")
            found[entry.name.removesuffix(".lua")] = Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324
    return found


_SCRIPTS: Final = scripts_of("gateway.database")


class Servers(Protocol):
    """A single server, or a cluster of them."""

    def submit(self, key: str | None, command: Command | Deferred) -> asyncio.Future[Any]:
        """Queue a command at the server that has the key."""

    def together(self, keys: Sequence[str]) -> list[list[int]]:
        """Which keys one script can have: the places of the keys, group by group."""

    async def aclose(self) -> None:
        """Close every connection."""


class Valkey:
    """The servers that MASHANG_REDIS_URL names, with one pipeline for each in this process."""

    def __init__(self, settings: Settings) -> None:
        address = Address.of(settings.redis_url.get_secret_value())
        timeout_s = settings.redis_timeout_s
        self.is_single = not address.is_cluster
        """Whether one server has every key."""
        self._servers: Servers
        if address.is_cluster:
            self._servers = Cluster(address, timeout_s)
        else:
            self._servers = _Single(Line(client_of(address, timeout_s), timeout_s))

    def submit(self, key: str | None, command: Command | Deferred) -> asyncio.Future[Any]:
        """Send a command with whatever else waits for that server.  Raises ValkeyAway at once where there is none.

        The future raises ValkeyAway, or RedisError for a refused command.
        """
        return self._servers.submit(key, command)

    def together(self, keys: Sequence[str]) -> list[list[int]]:
        """Which of these keys one script can have, by their places: all of them, or in a cluster those of one slot."""
        return self._servers.together(keys)

    async def call(self, *command: Any) -> Any:
        """Send one command, its key in second place.  Raises ValkeyAway, or RedisError for a refused command."""
        return await self._servers.submit(command[1] if len(command) > 1 else None, command)

    async def script(self, script: str | Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script (by name: scripts/NAME.lua here) by its hash, loading it where the server does not have it."""
        chosen = _SCRIPTS[script] if isinstance(script, str) else script
        try:
            return await self._servers.submit(keys[0], chosen.by_hash(keys, arguments))
        except NoScriptError:
            return await self._servers.submit(keys[0], chosen.in_full(keys, arguments))

    async def ping(self) -> bool:
        """Whether a server answers."""
        try:
            await self.call("PING")
        except (ValkeyAway, RedisError):
            return False
        return True

    async def aclose(self) -> None:
        """Close the connections."""
        await self._servers.aclose()


@dataclass(frozen=True, slots=True)
class _Single:
    """One server has every key."""

    line: Line

    def submit(self, key: str | None, command: Command | Deferred) -> asyncio.Future[Any]:  # noqa: ARG002
        return self.line.submit(command)

    def together(self, keys: Sequence[str]) -> list[list[int]]:
        return [list(range(len(keys)))]

    async def aclose(self) -> None:
        await self.line.aclose()
