"""The worker's loop over customers' profiles: it goes on through trouble, and says how far behind they are."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import pytest

from gateway.kernel.metrics import RISK_PROFILES_BEHIND
from gateway.workers import profiling
from gateway.workers.profiling import keep_profiles
from risk.profiles.following import Following


class Troubled(Following):
    """The database is away at first, then something is wrong that nobody thought of; then all is well."""

    steps = 0

    async def step(self) -> bool:
        Troubled.steps += 1
        if Troubled.steps == 1:
            raise asyncpg.PostgresConnectionError("gone")
        if Troubled.steps == 2:
            raise ZeroDivisionError
        self.behind_s = 2.5
        return Troubled.steps < 10


async def test_the_loop_goes_on_through_trouble_and_without_a_pause_where_more_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(profiling, "Following", Troubled)
    monkeypatch.setattr(profiling, "_PAUSE_S", 0.01)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await keep_profiles(None, lambda: True)  # type: ignore[arg-type]
    assert Troubled.steps > 10
    assert RISK_PROFILES_BEHIND._value.get() == 2.5


async def test_while_no_rule_asks_nothing_is_followed_and_then_all_that_was_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps, are_asked_for = [], asyncio.Event()

    class Counted(Following):
        async def step(self) -> bool:
            steps.append(are_asked_for.is_set())
            return False

    looks = 0

    def asked() -> bool:
        nonlocal looks
        looks += 1
        if looks == 20:
            are_asked_for.set()
        return are_asked_for.is_set()

    monkeypatch.setattr(profiling, "Following", Counted)
    monkeypatch.setattr(profiling, "_PAUSE_S", 0.001)
    RISK_PROFILES_BEHIND.set(7)
    keeping = asyncio.create_task(keep_profiles(None, asked))  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        while not looks:  # noqa: ASYNC110 the loop tells nobody
            await asyncio.sleep(0)
        assert RISK_PROFILES_BEHIND._value.get() == 0
        await are_asked_for.wait()
        while len(steps) < 3:  # noqa: ASYNC110 the loop tells nobody
            await asyncio.sleep(0)
    keeping.cancel()
    assert all(steps)
