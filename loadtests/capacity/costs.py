"""What a payment costs on the node: the figures that the simulation runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.database.lingering import Lingering


class Role(StrEnum):
    """Who uses the processors, under the names that the benchmark has for them."""

    GATEWAY = "gateway"
    WORKER = "worker"
    POSTGRESQL = "PostgreSQL"
    VALKEY = "Valkey"
    SIMULATORS = "simulators"
    GENERATOR = "generator"


INTENT: Final = "intent"
OUTCOME: Final = "outcome"
PIPELINE: Final = "valkey"
WRITING: Final = (INTENT, OUTCOME)
"""The statements that end in a commit; the others read before the price is made."""

PHASE_SHARES: Final = (0.3, 0.25, 0.2, 0.25)
"""How a payment's gateway CPU is spread: until the claim, until the intent, until the request, until the answer.

Only the order of things within a payment hangs on it, no sum: the tests move it to the extremes.
"""


@dataclass(frozen=True, slots=True)
class Linear:
    """Seconds of CPU: for a payment, for a batch, and for each time that the process is woken."""

    payment_s: float
    batch_s: float = 0.0
    wake_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Costs:
    """All costs of a payment, and how its work is cut into batches.

    `statements` are rows per payment by statement: 1 for the two that write, less for those that only some payments
    ask.  `commands` are Valkey's per payment.
    """

    by_role: Mapping[Role, Linear]
    gateway_pipeline_s: float
    """Of the gateway for one round trip to Valkey."""
    statements: Mapping[str, float]
    commands: float
    commit_s: float
    """Of the disk for one flush of the WAL; commits that wait share the next one."""
    idle_share: Mapping[Role, float]
    """Of one processor, while nobody pays: timers, polls, heartbeats."""
    channel_s: tuple[float, float] = (0.05, 0.1)
    standby_s: float = 0.0
    """After that, until a synchronous standby has it; nobody else waits meanwhile."""
    linger_s_max: float = 0.005
    rows_max: int = 128
    policy: type[Lingering] = Lingering
    """How long a batch waits for company; the gateway's own, unless it is asked what if."""
