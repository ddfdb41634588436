"""Whatever is lost, late, dead or asleep, and whoever acts at the same moment: the money ends where we say it is."""

from __future__ import annotations

import itertools
import os
import time

import pytest

from tests.fuzz.small_truth import wrongs
from tests.fuzz.small_world import small_world
from tests.fuzz.values import MINUTES

FIRST_SEED = int(os.environ.get("FUZZ_SEED") or 1)
WORLDS = 24


async def ended_rightly(database_url: str, seed: int) -> None:
    async with small_world(database_url, seed) as world:
        await world.live()
        await world.come_to_an_end()
        found = await wrongs(world)
        assert not found, "\n".join([f"FUZZ_SEED={seed}", *found, *world.town.story])


@pytest.mark.slow
@pytest.mark.timeout(120 + 120 * MINUTES)
async def test_every_small_world_ends_rightly(database_url: str) -> None:
    began = time.monotonic()
    for number in itertools.count():
        if number >= WORLDS and time.monotonic() >= began + 60 * MINUTES:
            break
        await ended_rightly(database_url, FIRST_SEED + number)
