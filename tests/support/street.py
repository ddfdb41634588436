"""Three campaigns at a time and customers of each, on servers that a test may kill.

One has a budget that runs out, and declines whoever comes too late; one has a share for each customer; and of the
payments of the third every second one fails and gives back what it took.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis

from tests.support.book import ClientBook, PatientTill
from tests.support.discounts import OFF_FEN, PoolView, all_books_agree
from tests.support.gateway import GatewayStack
from tests.support.load import Sale
from tests.support.manager import Manager
from tests.support.servers import TestServers, start_servers
from tests.support.till import new_order

DISCOUNTS: Final = 81
BUDGET_FEN: Final = DISCOUNTS * OFF_FEN + 123
OF_FAILING: Final = 20
SHARE: Final = 3
CUSTOMERS: Final = 6
CHECKS_OF_CUSTOMERS: Final = ("I4.uses", "I4.limits", "I4.customer")


@dataclass(frozen=True, slots=True)
class Stores:
    """The module's own durable servers."""

    servers: TestServers
    folder: Path
    database_url: str
    redis_url: str

    @property
    def client(self) -> redis.Redis:
        """Of Valkey; close it."""
        return redis.Redis.from_url(self.redis_url, socket_timeout=5)

    @property
    def files(self) -> Path:
        """Valkey's append-only files."""
        return self.folder / "valkey" / "appendonlydir"

    async def start_valkey(self) -> None:
        """Start it again and wait until it answers."""
        self.servers.valkey.start()
        await asyncio.to_thread(self.servers.valkey.wait_ready)


@contextmanager
def start_stores(folder: Path) -> Iterator[Stores]:
    """Durable servers with an empty database."""
    with start_servers(folder, durable=True) as servers:
        servers.migrate_template()
        yield Stores(servers, folder, servers.clone_database(), servers.empty_redis())


@dataclass(slots=True)
class Street:
    """Three campaigns, and customers of each; `whose` tells whose an order is."""

    declining: str
    shared: str
    failing: str
    whose: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def open(cls, manager: Manager) -> Street:
        """The campaigns in force at every gateway."""
        declining = await manager.start(
            condition="payment.wallet == 'wechat'",
            limits={"budget": BUDGET_FEN},
            slices=2,
            when_exhausted="decline",
        )
        shared = await manager.start(
            condition="payment.wallet == 'alipay'", limits={"per_customer": {"lifetime": SHARE}}
        )
        failing = await manager.start(
            condition="payment.wallet == 'unionpay'", limits={"budget": OF_FAILING * OFF_FEN + 123}
        )
        return cls(declining, shared, failing)

    def order(self, number: int) -> dict[str, Any]:
        """Half of the customers come for the first campaign."""
        match number % 4:
            case 0 | 1:
                return new_order("wechat")
            case 2:
                order = new_order("alipay", customer={"id": f"{self.shared}-{number // 4 % CUSTOMERS}"})
                self.whose[order["merchant_order_no"]] = order["customer"]["id"]
                return order
            case _:
                return new_order("unionpay", "9001" if number // 4 % 2 else None)


@dataclass(slots=True)
class Scene:
    """A running stack with its three campaigns, and what looks at it."""

    stack: GatewayStack
    manager: Manager
    till: PatientTill
    pool: PoolView
    book: ClientBook
    street: Street

    async def audit(self, *checks: str) -> None:
        """All books agree."""
        await all_books_agree(self.stack.database_url, self.stack.simulators, self.book, *checks)


async def wait_for(condition: Callable[[], bool], timeout_s: float = 25) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def of_wallet(sales: list[Sale], wallet: str) -> list[Sale]:
    return [sale for sale in sales if sale.payment["wallet"] == wallet]
