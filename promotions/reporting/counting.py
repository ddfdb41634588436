"""What is asked of campaigns and not paid: counted in this process, and added to `campaign_hours` every few seconds.

A process that is killed takes its last seconds with it.  What was paid needs no counting: it stands in `redemptions`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import named_statements
from promotions.offer import Considered, Reason

FLUSH_S: Final = 3.0
SQL: Final = named_statements("promotions.reporting", "statements.sql")

_log: Final = logging.getLogger("mashang.campaigns")


class What(StrEnum):
    """What is counted beside the reasons of offer.Reason (which are counted under their own names)."""

    CONSIDERED = "considered"
    """A payment for which the campaign was looked at."""
    QUOTED = "quoted"
    """A quote that would have had it."""
    QUOTE_REFUSED = "quote_refused"
    """A quote that would not have had it."""


class Counting:
    """The counts of one process that are not written yet."""

    def __init__(self) -> None:
        self._unwritten: Counter[tuple[str, str]] = Counter()
        self._payments: dict[tuple[str, Reason], int] = {}
        """By campaign and what became of it; what is written of them is worked out for many at once."""

    def count(self, campaign_id: str, what: str) -> None:
        """Count one of a campaign: a What, or the reason of a refusal."""
        self._unwritten[campaign_id, what] += 1

    def count_payment(self, considered: Iterable[Considered]) -> None:
        """The campaigns that a payment's final price was made from: once for each payment."""
        payments = self._payments
        for campaign_id, _, reason, _, _ in considered:
            each = campaign_id, reason
            payments[each] = payments.get(each, 0) + 1  # a fifth of the time of a Counter's `update`

    def count_quote(self, considered: Iterable[Considered]) -> None:
        """The campaigns of a quote."""
        for row in considered:
            applied = row.reason is Reason.APPLIED
            self._unwritten[row.campaign_id, What.QUOTED if applied else What.QUOTE_REFUSED] += 1

    async def flush(self, pool: asyncpg.Pool) -> None:
        """Add what was counted, under the database's hour.

        Where the statement fails its counts are kept; if it was carried out all the same, they count twice.
        """
        self._add_payments()
        if not self._unwritten:
            return
        written, self._unwritten = self._unwritten, Counter()
        keys = sorted(written)  # in one order everywhere: two processes never wait for each other in a circle
        columns = ([key[0] for key in keys], [str(key[1]) for key in keys], [written[key] for key in keys])
        try:
            await pool.execute(SQL["add_counts"], *columns)
        except BaseException:
            self._unwritten.update(written)
            raise

    def _add_payments(self) -> None:
        payments, self._payments = self._payments, {}
        for (campaign_id, reason), number in payments.items():
            self._unwritten[campaign_id, What.CONSIDERED] += number
            if reason is not Reason.APPLIED:
                self._unwritten[campaign_id, reason] += number

    async def run(self, pool: asyncpg.Pool) -> None:
        """Write every few seconds, through any trouble; once more when cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await self._try_to_flush(pool)
        finally:
            await self._try_to_flush(pool)

    async def _try_to_flush(self, pool: asyncpg.Pool) -> None:
        try:
            await self.flush(pool)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("what was asked of campaigns could not be written", extra={"error": type(error).__name__})
        except Exception:  # were this loop to end, the reports would stand still
            _log.exception("what was asked of campaigns could not be written")


async def forget_hours(pool: asyncpg.Pool) -> None:
    """Forget hours long past, some at a time."""
    await pool.execute(SQL["forget_hours"])


COUNTING: Final = Counting()
"""This process's, as its metrics are."""

count = COUNTING.count
count_payment = COUNTING.count_payment
count_quote = COUNTING.count_quote
