"""Features that are asked for when a payment comes in, and waited for when it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from gateway.kernel.expressions import Value
from risk.facts import Facts
from risk.rules.compiled import CompiledSet

Features: TypeAlias = Mapping[str, Value | None]
"""By the names of fields and calls; what is left out is null."""


class FeaturesAway(Exception):
    """Whoever holds them cannot be asked now."""


class Asked(Protocol):
    """A question on its way; nobody has to wait for the answer."""

    async def features(self, timeout_s: float) -> Features:
        """The answer, at once where it has come.  Raises FeaturesAway, and TimeoutError where it does not come."""


class Velocities(Protocol):
    """What customers, devices, terminals … did lately (`risk.velocity.reading.Velocities`)."""

    def begin(self, compiled: CompiledSet, facts: Facts, *, look: bool = False) -> Asked:
        """Count the payment, unless it is only a look, and ask what was counted.  Raises FeaturesAway."""
