"""Registers the errors that tests plant, each for the check that must find it."""

from __future__ import annotations

from collections.abc import Callable

from gateway.audit.checks import Check
from tests.integration.audit.world import World

Plant = Callable[[World], object]
PLANTS: list[tuple[Check, Plant]] = []


def plants(check: Check) -> Callable[[Plant], Plant]:
    """The function plants an error that this check must find."""

    def register(plant: Plant) -> Plant:
        PLANTS.append((check, plant))
        return plant

    return register
