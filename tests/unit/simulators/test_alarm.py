"""An alarm rings at the earliest of the moments that it was set for, and once."""

from __future__ import annotations

import asyncio

from routing.simulators.alarm import Alarm


async def _in_time(seconds: float) -> None:
    """Return once an alarm of that many seconds would have rung."""
    rung = asyncio.Event()
    Alarm(rung.set).within(seconds)
    await asyncio.wait_for(rung.wait(), 10)


async def test_the_earliest_of_its_moments_counts_and_the_others_are_forgotten() -> None:
    rings: list[None] = []
    alarm = Alarm(lambda: rings.append(None))
    for seconds in (3_600.0, 0.01, 0.02):
        alarm.within(seconds)
    await _in_time(0.04)
    assert rings == [None]


async def test_it_can_be_set_again_after_it_rang() -> None:
    rings: list[None] = []
    alarm = Alarm(lambda: rings.append(None))
    alarm.within(0.0)
    await _in_time(0.01)
    alarm.within(0.0)
    await _in_time(0.01)
    assert rings == [None, None]


async def test_a_silenced_one_does_not_ring() -> None:
    rings: list[None] = []
    alarm = Alarm(lambda: rings.append(None))
    alarm.within(0.01)
    alarm.silence()
    await _in_time(0.03)
    assert rings == []
