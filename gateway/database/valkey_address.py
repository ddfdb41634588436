"""Where Valkey is: the forms of MASHANG_REDIS_URL, and a client for a server.

redis://host:port/0, rediss:// (TLS), unix:///path: one server.
redis+sentinel://host:port,host:port/NAME: the master that these sentinels know as NAME (?db=0 after it).
redis+cluster://host:port,host:port: a cluster, found through any of its nodes (rediss+cluster:// with TLS).
User and password stand before the first host, and are the same at every node.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_SEVERAL: Final = ("cluster", "sentinel")

Node = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Address:
    """`kind` is "" for one server, which `url` names; else "cluster" or "sentinel", which `nodes` name."""

    url: str
    kind: str = ""
    nodes: tuple[Node, ...] = ()
    user: str | None = None
    password: str | None = None
    is_tls: bool = False
    master: str | None = None
    database: int = 0

    @property
    def is_cluster(self) -> bool:
        """Whether keys are spread over several servers."""
        return self.kind == "cluster"

    @classmethod
    def of(cls, url: str) -> Self:
        """Read it.  Raises ValueError."""
        scheme, _, kind = url.partition("://")[0].partition("+")
        if not kind:
            return cls(url)
        if kind not in _SEVERAL or scheme not in {"redis", "rediss"}:
            raise ValueError(f"{scheme}+{kind}:// is no form of a Valkey address")
        # Not urlsplit of the whole: it takes brackets (an IPv6 address) at the beginning of a single host only.
        located, _, asked = url.partition("://")[2].partition("?")
        place, _, path = located.partition("/")
        account, _, hosts = place.rpartition("@")
        user, _, password = account.partition(":")
        port = _PORT if kind == "cluster" else _SENTINEL_PORT
        read = cls(
            url,
            kind,
            tuple(_node(host, port) for host in hosts.split(",") if host),
            unquote(user) or None,
            unquote(password) or None,
            scheme == "rediss",
        )
        if not read.nodes:
            raise ValueError("a Valkey address names at least one host")
        if kind == "cluster":
            return read
        master = path.strip("/")
        if not master:
            raise ValueError("the address of sentinels ends with the name of their master, as in /mymaster")
        return replace(read, master=master, database=int(parse_qs(asked).get("db", ["0"])[0]))


def client_of(address: Address, timeout_s: float, node: Node | None = None) -> redis.Redis:
    """A client of the one server, of the sentinels' master, or of a node of the cluster."""
    common: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "max_connections": 8,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 3,
    }
    if not address.kind:
        client: redis.Redis = redis.from_url(address.url, **common)
        return client
    common |= {"username": address.user, "password": address.password, "ssl": address.is_tls}
    if node is not None:
        return redis.Redis(host=node[0], port=node[1], **common)
    tls = {"ssl": True} if address.is_tls else {}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        list(address.nodes), sentinel_kwargs={"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, **tls}
    )
    assert address.master is not None
    master: redis.Redis = sentinel.master_for(address.master, db=address.database, **{**common, **tls})
    return master


async def close(client: redis.Redis) -> None:
    """Close a client, and with it those of the sentinels that it asks."""
    await client.aclose()
    if isinstance(client.connection_pool, SentinelConnectionPool):
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _node(text: str, port: int) -> Node:
    host, separator, given = text.rpartition(":")
    return (host.strip("[]"), int(given)) if separator else (text, port)
