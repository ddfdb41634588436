"""The street with the merchant's server and the processes that die and come back: what breaks, and how it is mended."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import httpx
import redis

from tests.fuzz.sales import Sale, Street
from tests.fuzz.truth import dossier, unfinished
from tests.fuzz.world import World
from tests.support.channels import QUICK_RHYTHM
from tests.support.shop_day.hooks import Hooks
from tests.support.till import WALLETS

END_S: Final = 60.0
"""Within so long after the faults every sale comes to its end, on a machine that runs other tests besides."""


class Town:
    """The street, the merchant's server, and the processes that die and come back."""

    def __init__(self, world: World, street: Street, hooks: Hooks, redis_url: str, wall: str) -> None:
        self.world = world
        self.street = street
        self.hooks = hooks
        self.stack = world.stack
        self.wall = wall
        self.examples = 0
        self.screened = 0
        self._redis_url = redis_url

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """In the world's loop."""
        return self.world.run(work)

    def flush_valkey(self) -> None:
        """Everything in it is forgotten."""
        with redis.Redis.from_url(self._redis_url) as client:
            client.flushdb()

    def mend(self) -> None:
        """Every process runs, no channel has faults, the merchant's server answers."""
        self.hooks.is_away = False
        self.stack.simulators.clear_faults()
        for child in (*self.stack.gateways, *self.stack.workers):
            if child.running:
                child.send(signal.SIGCONT)
            else:
                self.stack.restart(child)
        for wallet in WALLETS:
            self.change_account(wallet, status="enabled")

    def change_account(self, wallet: str, **changes: Any) -> None:
        """Change the account of a channel by the admin API."""
        self._administer("PATCH", f"/admin/v1/channel_accounts/{wallet}_direct", changes)

    def rotate(self, wallet: str, *, to_next: bool) -> None:
        """Give an account the credentials that its simulator knows for the time after a rotation, or those before."""
        simulators = self.stack.simulators
        [account] = [
            one for one in (simulators.rotated if to_next else simulators.accounts) if one.id == f"{wallet}_direct"
        ]
        settings = {**account.settings, "rhythm": dict(QUICK_RHYTHM)}
        wanted = {"settings": settings, "overlap_hours": 1}
        self._administer("POST", f"/admin/v1/channel_accounts/{wallet}_direct/rotate", wanted)

    def _administer(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.stack.admin_token}"}
        for url in self.stack.urls:
            try:
                answer = httpx.request(method, url + path, json=body, headers=headers, trust_env=False, timeout=20)
            except httpx.TransportError:
                continue  # this one is dead just now
            assert answer.status_code == 200, answer.text
            return

    async def bring_to_an_end(self, sales: list[Sale]) -> None:
        """Let the time of what is open pass, and wait until everything has its end and everybody knows of it."""
        deadline = time.monotonic() + END_S
        waiting = {sale.id: sale for sale in sales}
        while waiting:
            for sale in list(waiting.values()):
                seen = await dossier(self.street, sale, self.hooks)
                left = unfinished(seen)
                assert not left or time.monotonic() < deadline, f"{sale} has no end: {left}\n{seen}"
                if not left:
                    del waiting[sale.id]
                    continue
                if seen.payment["status"] in {"processing", "requires_action"} and not sale.passed:
                    await self.street.expire(sale)
                await self.street.clock.let_refunds_rest(sale.id)
                await self.street.clock.look_now(sale.id)
                await self.street.pool.execute("UPDATE callbacks SET next_at = now() WHERE payment_id = $1", sale.id)
                await self.street.pool.execute("UPDATE webhook_queue SET next_at = now() WHERE lease_until IS NULL")
            await asyncio.sleep(0.2)
