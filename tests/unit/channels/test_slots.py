"""Slots are handed out in order, and none is lost with whoever stopped waiting."""

from __future__ import annotations

import asyncio

import pytest

from routing.channels.slots import Slots


async def test_a_slot_given_to_a_cancelled_waiter_goes_to_the_next() -> None:
    slots = Slots(1, 10)
    await slots.acquire(1)
    first, second = [asyncio.create_task(slots.acquire(1)) for _ in range(2)]
    await asyncio.sleep(0)
    slots.release()  # hands the slot to `first`, which is cancelled before it runs again
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    slots.release()
    await slots.acquire(0.01)


async def test_slots_are_handed_out_in_order_and_none_is_lost() -> None:
    slots = Slots(2, 100)
    order: list[int] = []

    async def hold(number: int) -> None:
        await slots.acquire(1)
        order.append(number)
        await asyncio.sleep(0)
        slots.release()

    await asyncio.gather(*[hold(number) for number in range(50)])
    assert order == list(range(50))
    for _ in range(2):
        await slots.acquire(0.01)
