"""Every callback is found by its key or because it is due, however many others are in the inbox."""

from __future__ import annotations

import pytest

from gateway.callbacks.inbox import SQL
from tests.integration.callbacks.conftest import Room
from tests.support.plans import conditions, generic_plan


@pytest.mark.parametrize("name", ["finish", "put_off"])
async def test_one_callback_is_found_by_its_key(room: Room, name: str) -> None:
    found = conditions(await generic_plan(room.pool, SQL[name]), "callbacks")
    assert all("payment_id =" in condition and "notification_id =" in condition for condition in found), found


async def test_what_is_due_is_found_by_its_time(room: Room) -> None:
    found = conditions(await generic_plan(room.pool, SQL["lease"]), "callbacks")
    assert all("next_at <=" in condition or "notification_id =" in condition for condition in found), found


async def test_old_messages_are_found_by_their_time(room: Room) -> None:
    found = conditions(await generic_plan(room.pool, SQL["drop_bodies"]), "callbacks")
    assert all("received_at <" in condition or "notification_id =" in condition for condition in found), found


async def test_the_attempt_of_a_callback_is_found_by_its_payment(room: Room) -> None:
    for name in ("take_in", "origin"):
        found = conditions(await generic_plan(room.pool, SQL[name]), "attempts")
        assert found
        assert all("payment_id =" in condition for condition in found), found
