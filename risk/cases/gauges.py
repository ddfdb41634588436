"""How the queue stands: open and overdue cases by kind, and how long the oldest has waited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from risk.cases.case import Kind
from risk.cases.store import SQL, Database


class Standing(NamedTuple):
    """Of one kind; `oldest_s` is how long the oldest open case has waited for a verdict."""

    open: int = 0
    overdue: int = 0
    oldest_s: float = 0.0


async def measured(database: Database) -> Mapping[Kind, Standing]:
    """Of every kind, those without an open case too."""
    found = {kind: Standing() for kind in Kind}
    for record in await database.fetch(SQL["gauges"]):
        found[Kind(record["kind"])] = Standing(record["open"], record["overdue"], record["oldest_s"])
    return found
