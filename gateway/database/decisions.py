"""What the risk check decided about payments, as the intent statement has it: rows, and arrays of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple


class DecisionRow(NamedTuple):
    """A decision to be written: a tuple, for the fields stand in the order of the statement's arrays.

    `hits` and `shadow` are rules' codes, one a line, None for none; `at` is the database's time (aware) by which the
    payment was screened.  `case_id` is set where the payment is to be reviewed: the case is opened with it.
    """

    version: int
    verdict: str
    score: int
    hits: str | None
    shadow: str | None
    no_discount: bool
    features: str | None
    missed: str | None
    beyond_tolerance: bool
    at: datetime
    case_id: str | None = None


NOTHING_DECIDED: Final[Sequence[Any]] = (None,) * (1 + len(DecisionRow._fields))
"""The arrays where nobody was screened."""


def decision_arguments(screened: Sequence[tuple[str, DecisionRow]]) -> Sequence[Any]:
    """The arrays of decisions: the payments' ids, then the columns."""
    payment_ids, rows = zip(*screened, strict=True)
    return [payment_ids, *zip(*rows, strict=True)]
