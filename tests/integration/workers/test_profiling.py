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
            await keep_profiles(None)  # type: ignore[arg-type]  the steps are played
    assert Troubled.steps > 10
    assert RISK_PROFILES_BEHIND._value.get() == 2.5
