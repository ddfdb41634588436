"""The timer that is set again and again: it calls once, at the moment that was noted last."""

from __future__ import annotations

import asyncio
import time
import weakref

from gateway.kernel.lazy_timer import LazyTimer


class Bell:
    """Notes when it was rung."""

    def __init__(self) -> None:
        self.timer = LazyTimer(self.ring)
        self.rung_s: list[float] = []
        self.was_rung = asyncio.Event()

    def ring(self) -> None:
        self.rung_s.append(time.monotonic())
        self.was_rung.set()


async def test_it_calls_once_when_its_time_has_come() -> None:
    bell, began = Bell(), time.monotonic()
    bell.timer.set(0.02)
    await bell.was_rung.wait()
    assert bell.rung_s[0] - began >= 0.02
    await later(0.04)
    assert len(bell.rung_s) == 1


async def test_setting_it_anew_puts_it_off() -> None:
    bell, began = Bell(), time.monotonic()
    bell.timer.set(0.02)
    bell.timer.set(0.08)
    await bell.was_rung.wait()
    assert bell.rung_s[0] - began >= 0.08


async def test_it_can_be_set_to_an_earlier_moment() -> None:
    bell = Bell()
    bell.timer.set(60.0)
    bell.timer.set(0.01)
    async with asyncio.timeout(10):
        await bell.was_rung.wait()
    await later(0.02)
    assert len(bell.rung_s) == 1


async def test_one_that_was_cleared_calls_nothing_and_can_be_set_again() -> None:
    bell = Bell()
    bell.timer.set(0.01)
    bell.timer.clear()
    await later(0.03)
    assert not bell.rung_s
    bell.timer.set(0.01)
    async with asyncio.timeout(10):
        await bell.was_rung.wait()


async def test_one_that_is_closed_calls_nothing_and_holds_nobody() -> None:
    bell = Bell()
    seen = weakref.ref(bell)
    bell.timer.set(0.01)
    bell.timer.close()
    await later(0.03)
    assert not bell.rung_s
    del bell
    assert seen() is None


async def later(seconds: float) -> None:
    """Until a timer of the event loop that was set after all others so far has gone off."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, done.set)
    await done.wait()
