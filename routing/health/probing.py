"""Asks accounts whose breaker is open whether they answer again, by a query that moves no money."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.clock import utc_now
from gateway.kernel.money import Money
from routing.accounts.book import Account, AccountStatus
from routing.channels.base import CallLimits, ChannelError, ChannelOrder, ChannelRejected
from routing.health.health import Health
from routing.health.verdicts import Verdict, verdict_of

_LOOK_S: Final = 0.25
_ASK_S: Final = 1.0
"""Each account is asked so often, by all processes together."""
_TIMEOUT_S: Final = 2.0
_AT_ONCE_MAX: Final = 32

_log: Final = logging.getLogger("mashang.health")


class Accounts(Protocol):
    """What is needed of the AccountBook."""

    def get(self, account_id: str) -> Account | None:
        """The account with that id."""


class Prober:
    """One per process.  Whoever takes an account's turn in Valkey asks it; without Valkey each process asks."""

    def __init__(
        self, book: Accounts, health: Health, valkey: Valkey, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._book = book
        self._health = health
        self._valkey = valkey
        self._clock = clock
        self._asked_at: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Ask for ever; queries under way end with it."""
        try:
            while True:
                await asyncio.sleep(_LOOK_S)
                self.look()
        finally:
            for task in list(self._asking.values()):
                task.cancel()

    def look(self) -> None:
        """Begin to ask the accounts that are due, those first that were not asked for longest."""
        now = self._clock()
        open_accounts = sorted(self._health.open_accounts(), key=lambda account_id: self._asked_at.get(account_id, 0.0))
        self._asked_at = {id_: at for id_, at in self._asked_at.items() if now < at + 60.0}
        for account_id in open_accounts:
            if account_id in self._asking:
                self._health.asked(account_id)
            elif len(self._asking) < _AT_ONCE_MAX and now >= self._asked_at.get(account_id, 0.0) + _ASK_S:
                self._asked_at[account_id] = now
                task = asyncio.create_task(self._ask(account_id))
                self._asking[account_id] = task
                task.add_done_callback(partial(self._answered, account_id))

    def _answered(self, account_id: str, _: asyncio.Task[None]) -> None:
        del self._asking[account_id]

    async def _ask(self, account_id: str) -> None:
        try:
            account = self._book.get(account_id)
            if account is None or account.status is AccountStatus.DISABLED:
                return
            self._health.asked(account_id)
            if not await self._is_our_turn(account_id):
                return
            if await _answers(account):
                self._health.alive(account_id)
            else:
                self._health.dead(account_id)
        except Exception:
            _log.exception("a channel account could not be asked whether it answers")

    async def _is_our_turn(self, account_id: str) -> bool:
        key = f"health:asked:{account_id}"
        try:
            return bool(await self._valkey.call("SET", key, 1, "NX", "PX", round(_ASK_S * 900)))
        except (ValkeyAway, RedisError):
            return True


async def _answers(account: Account) -> bool:
    """Whether the channel answers a query for an order that does not exist."""
    order = ChannelOrder(f"probe{secrets.token_hex(10)}", utc_now(), Money(1))
    try:
        async with asyncio.timeout(_TIMEOUT_S + 1.0):
            await account.channel.query(order, CallLimits(_TIMEOUT_S))
    except ChannelRejected as error:
        return verdict_of(error) is not Verdict.FAULT
    except (ChannelError, TimeoutError):
        return False
    return True
