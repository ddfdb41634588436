"""The rule set in force in this process.  What is published is taken over in the background, the old one serves on."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.kernel.metrics import RISK_LOAD_FAILURES, RISK_VERSION
from gateway.kernel.secrets import Vault
from risk.model.book import ModelBook
from risk.rules.artefact import let_go
from risk.rules.compiled import NO_RULES, PART_RULES, CompiledSet
from risk.rules.fetching import SQL, fetched

RETRY_S: Final = 0.5
"""After trouble with the database."""
FAILED_RETRY_S: Final = (10.0, 600.0)
"""After trouble with the set itself, at first and at most: to compile a large one costs a minute of a core."""
GRACE_S: Final = 5.0
"""A set that was followed by another may still be judging: no decision takes as long."""

_log: Final = logging.getLogger("mashang.risk")


class RuleBook:
    """One per process; `reload` is told of every change of the directory (RevisionWatch).

    `current` is replaced, never changed: whoever decides takes it once.
    """

    def __init__(self, pool: asyncpg.Pool, vault: Vault, models: ModelBook) -> None:
        self._pool = pool
        self._vault = vault
        self._models = models
        self._asked = 0
        self._news = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._letting_go: set[asyncio.Task[None]] = set()
        self.current = NO_RULES

    async def load(self) -> None:
        """Have the set in force; at the start.

        Raises what the database raises, and RuleSetError where this code cannot read the rules in force: a process that
        would screen nothing must not take the place of one that does.
        """
        await self._take_over()

    async def reload(self) -> None:
        """Something in the directory has changed.  Returns at once."""
        self._asked += 1
        self._news.set()
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())

    async def aclose(self) -> None:
        """Take over no more."""
        tasks = [*self._letting_go, *([] if self._following is None else [self._following])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        """Take over what is in force until nothing was published meanwhile; through any trouble."""
        answered, pause_s = -1, FAILED_RETRY_S[0]
        while answered != self._asked:
            asked = self._asked
            self._news.clear()
            try:
                await self._take_over()
                answered = asked
            except (*BROKEN, asyncpg.PostgresError) as error:
                _log.warning("the risk rules could not be read", extra={"error": type(error).__name__})
                await asyncio.sleep(RETRY_S)
            except Exception:
                RISK_LOAD_FAILURES.inc()
                _log.exception("a rule set cannot be used: the one before stays in force")
                await self._wait(pause_s)
                pause_s = min(2 * pause_s, FAILED_RETRY_S[1])

    async def _wait(self, pause_s: float) -> None:
        """Until then, or until something changes."""
        try:
            async with asyncio.timeout(pause_s):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _take_over(self) -> None:
        version: int = await self._pool.fetchval(SQL["in_force"])
        if version == self.current.version:
            return
        compiled = await fetched(self._pool, self._vault, version)
        scorer = await self._models.load(compiled.model)
        before = [self.current]
        self.current = compiled if scorer is None else compiled.with_model(scorer.names, scorer.calls)
        RISK_VERSION.set(version)
        _log.info("a rule set is in force", extra={"version": version, "rules": len(compiled.codes)})
        self._let_go(before)

    def _let_go(self, held: list[CompiledSet]) -> None:
        if len(held[0].codes) < PART_RULES:
            return
        task = asyncio.create_task(_let_go_later(held))
        self._letting_go.add(task)
        task.add_done_callback(self._letting_go.discard)


async def _let_go_later(held: list[CompiledSet]) -> None:
    await asyncio.sleep(GRACE_S)
    await asyncio.to_thread(let_go, held)
