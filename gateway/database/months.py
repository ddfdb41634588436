"""Statements about rows of one month name that month's partitions, not the tables that are divided by months.

PostgreSQL then neither sets up the scans of all other months each time, nor looks for the partition of each row: a
statement costs the same however many months are kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_DIVIDED: Final = re.compile(r"\b(FROM|JOIN|UPDATE|INTO) (payments|attempts|events|transfers|risk_decisions)\b")
_MONTHS_MAX: Final = 16
"""Of each statement: those of this month, and of the few before and after it."""


@lru_cache(maxsize=_MONTHS_MAX * 8)
def of_month(statement: str, month: str) -> str:
    """The statement over the partitions of a month as `month_of` gives it; without one, over the tables themselves.

    It raises UndefinedTableError where that month has no partitions of its own.
    """
    return _DIVIDED.sub(rf"\1 \2_{month}", statement) if month else statement
