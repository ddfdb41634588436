"""Where an address leads: the hosts of a store's address, and what is inside of this machine or of a network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.database.valkey_address import Address

_NOT_REAL: Final = frozenset({"example", "invalid", "test", "localhost", "local", "internal", "lan", "home", "onion"})
"""Top-level domains that no customer and no channel reaches (RFC 2606, RFC 6761, RFC 6762)."""
_EXAMPLES: Final = ("example.com", "example.net", "example.org")
_LOOPBACK_NAMES: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_NO: Final = frozenset({"0", "f", "false", "n", "no"})
"""What redis-py reads as no, in any case."""
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""No domain ends so: 127.1 and 0x7f.1 are ways to write an IPv4 address."""


@dataclass(frozen=True, slots=True)
class Store:
    """An address of PostgreSQL or Valkey: its hosts (none for a unix socket), and what it says of TLS."""

    hosts: tuple[str, ...]
    password: str
    user: str
    is_verified: bool
    has_certificate: bool = False
    """Whether we show a certificate of our own, where the server asks for it (Valkey only)."""

    @property
    def is_local(self) -> bool:
        """Whether nothing of it leaves this machine."""
        return all(is_loopback(host) for host in self.hosts)

    @classmethod
    def of_postgres(cls, url: str, environment: Mapping[str, str] = os.environ) -> Self:
        """As asyncpg reads it: what the address leaves out, the PG… variables say."""
        located, _, query = url.partition("://")[2].partition("?")
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        account, _, places = located.partition("/")[0].rpartition("@")
        user, _, password = account.partition(":")
        places = places or asked.get("host", "") or environment.get("PGHOST", "")
        hosts = tuple(
            _host(place) for place in unquote(places).split(",") if place and not place.startswith(("/", "@"))
        )
        mode = asked.get("sslmode") or environment.get("PGSSLMODE", "prefer")
        return cls(
            hosts=hosts,
            password=unquote(password) or asked.get("password", "") or environment.get("PGPASSWORD", ""),
            user=unquote(user) or asked.get("user", "") or environment.get("PGUSER", ""),
            is_verified=mode == "verify-full",
        )

    @classmethod
    def of_valkey(cls, url: str) -> Self:
        """Of every form that MASHANG_REDIS_URL takes.  Raises ValueError for another one."""
        address = Address.of(url)
        if address.kind:
            hosts = tuple(host for host, _ in address.nodes)
            return cls(hosts, address.password or "", address.user or "", address.is_tls)
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return cls((), "", "", is_verified=False)
        asked = parse_qs(parts.query)
        lax = asked.get("ssl_cert_reqs", ["required"])[0] != "required"
        lax = lax or asked.get("ssl_check_hostname", ["true"])[0].lower() in _NO
        is_verified = parts.scheme == "rediss" and not lax
        host = parts.hostname or asked.get("host", ["localhost"])[0]
        password = unquote(parts.password or "") or asked.get("password", [""])[0]
        user = unquote(parts.username or "")
        return cls((host,), password, user, is_verified, has_certificate=is_verified and "ssl_certfile" in asked)


def is_loopback(host: str) -> bool:
    """Whether that is this machine itself."""
    if host.lower().rstrip(".") in _LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def unreachable_reason(url: str) -> str | None:
    """Why customers and channels could not reach a public address, or should not; None where nothing is wrong."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https":
        return "it is not https"
    if parts.username or parts.query or parts.fragment or " " in url:
        return "it has a space, a user, a query or a fragment"
    try:
        return None if ip_address(host).is_global else "its host is inside of a network"
    except ValueError:
        pass
    _, dot, domain = host.rpartition(".")
    if not dot or domain in _NOT_REAL or _NUMBER.fullmatch(domain) or is_loopback(host):
        return "its host is no name that the public internet knows"
    if any(host == name or host.endswith(f".{name}") for name in _EXAMPLES):
        return "its host is an example of the documentation"
    return None


def _host(place: str) -> str:
    """The host of HOST:PORT; an IPv6 address stands in brackets."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]
