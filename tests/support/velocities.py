"""Payments, rule sets that ask for velocities, and the counters in a Valkey."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from gateway.database.valkey import Valkey
from gateway.kernel.expressions import Value
from gateway.kernel.expressions.fields import call_name
from gateway.kernel.secrets import Vault
from risk.facts import CodeType, Facts
from risk.velocity.calling import Calling
from risk.velocity.reading import Velocities
from risk.velocity.spec import Metric, Series, Velocity, key_of, window_s_of
from risk.velocity.telling import Telling
from tests.support.rows import settings

NOON: Final = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
PATIENCE_S: Final = 10.0
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a rule set asks for."""

    velocities: tuple[tuple[str, Velocity], ...]
    needs_travel: bool = False


def name_of(metric: str, key: str, window: str) -> str:
    """How values name the call."""
    return call_name("velocity", (str(metric), key, window))


def compiled(*asked: tuple[str, str, str], needs_travel: bool = False) -> Compiled:
    """A rule set that asks for metrics, keys and windows."""
    velocities = ((name_of(*each), Velocity(Metric(each[0]), key_of(each[1]), window_s_of(each[2]))) for each in asked)
    return Compiled(tuple(velocities), needs_travel)


def payment(after_s: float = 0.0, amount_fen: int = 1_000, **named: Any) -> Facts:
    """A payment so many seconds after noon, of an order and a customer of its own unless they are named."""
    number = next(_NUMBERS)
    given: dict[str, Any] = {
        "merchant_id": "mer_a",
        "order_key": f"order {number}",
        "customer": f"{number:032x}",
        "at": NOON + timedelta(seconds=after_s),
        **named,
    }
    return Facts(amount_fen=amount_fen, method="barcode", code_type=CodeType.BARCODE, timezone="Asia/Shanghai", **given)


@dataclass(slots=True)
class Counters:
    """The counters of one process."""

    valkey: Valkey
    calling: Calling
    velocities: Velocities
    in_force: Compiled
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        self.telling = Telling(self.calling, _VAULT, lambda: self.in_force)

    @classmethod
    def at(cls, redis_url: str, in_force: Compiled, timeout_s: float = 5.0) -> Counters:
        """Of the Valkey there."""
        valkey = Valkey(settings("postgresql://nobody@/none", redis_url, redis_timeout_s=timeout_s))
        calling = Calling(valkey)
        return cls(valkey, calling, Velocities(calling, _VAULT), in_force)

    async def count(self, facts: Facts, *, look: bool = False) -> Mapping[str, Value | None]:
        """Count a payment and wait for what is known."""
        return await self.velocities.begin(self.in_force, facts, look=look).features(PATIENCE_S)

    async def one(self, facts: Facts, *, look: bool = False) -> Value | None:
        """The only value that is asked for."""
        (value,) = (await self.count(facts, look=look)).values()
        return value

    async def each(self, payments: Sequence[Facts]) -> list[Value | None]:
        """The only value, of payments one after the other."""
        return [await self.one(facts) for facts in payments]

    async def tell(self, series: Series, facts: Facts, identity: str, after_s: float, amount_fen: int = 1_000) -> bool:
        """Tell of it so many seconds after noon."""
        return await self.telling.tell(series, facts, identity, amount_fen, NOON + timedelta(seconds=after_s))

    async def keys(self) -> list[bytes]:
        """Where the entities are."""
        found: list[bytes] = await self.valkey.call("KEYS", "risk:*")
        return found


_VAULT: Final = Vault(bytes(32))
Opening: TypeAlias = Callable[[Compiled], Counters]
"""Opens the counters of a process with a rule set in force."""
