"""What `mashang seed` is to make: how many payments of how many merchants over which days, in which chunks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.database.partitions import month_start
from gateway.processes.errors import StackError

CHUNK: Final = 20_000
"""Payments of one commit: what a kill throws away, and what the progress moves by."""
BYTES_PER_PAYMENT: Final = 3_200
"""Measured: 2.9 kB with all indexes where pages are filled to 80 %, computed for 60 % (docs/growing.md)."""
_RESERVE_BYTES: Final = 4 * 1024**3
"""For the write-ahead log, sorting, and whoever else uses the disk."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`payments` of `merchants`, evenly over the `days` before `until`, `chunk` of them in each commit."""

    payments: int
    merchants: int
    days: int
    until: datetime
    chunk: int = CHUNK

    @property
    def begin(self) -> datetime:
        """When the first payment was taken."""
        return self.until - timedelta(days=self.days)

    @property
    def step_ms(self) -> float:
        """Milliseconds between two payments."""
        return self.days * 86_400_000 / self.payments

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """First and last payment of each commit, counted from 0."""
        return [(n, min(n + self.chunk, self.payments) - 1) for n in range(0, self.payments, self.chunk)]

    @property
    def months(self) -> list[datetime]:
        """The first instants of the months that it touches."""
        found = [month_start(self.begin)]
        while (following := month_start(found[-1], 1)) < self.until:
            found.append(following)
        return found

    def first_ms(self, number: int) -> int:
        """The time of a payment (ms since 1970), as the statement computes it."""
        return int(self.begin.timestamp() * 1000) + int(number * self.step_ms)

    def differs_from(self, other: Plan) -> bool:
        """Whether another history is asked for; until when it goes is for whoever begins it."""
        return (self.payments, self.merchants, self.days) != (other.payments, other.merchants, other.days)


def require_space(plan: Plan, done: int, free_bytes: int) -> None:
    """Raises StackError where what is still to be made may not fit; `done` payments are there already."""
    needed = (plan.payments - done) * BYTES_PER_PAYMENT + _RESERVE_BYTES
    if free_bytes < needed:
        raise StackError(
            f"{plan.payments - done:,} payments need {needed / 1e9:.1f} GB of disk (about {BYTES_PER_PAYMENT:,} bytes "
            f"each, and {_RESERVE_BYTES / 1e9:.1f} GB for PostgreSQL's log and others); there are "
            f"{free_bytes / 1e9:.1f} GB. Seed fewer, or make room."
        )
