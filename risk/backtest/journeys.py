"""Where a customer paid last, and how fast he came from there: the fields that come with the velocities live."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from risk.backtest.column import Column
from risk.backtest.history import History
from risk.backtest.timeline import NOBODY, Grouped
from risk.fields import TRAVEL_FIELDS
from risk.velocity.travel import REACH_S, values_of


def travel_columns(history: History) -> Mapping[str, Column | None]:
    """Both columns; None where the history has no places."""
    count, places = len(history), history.places
    if not places:
        return dict.fromkeys(TRAVEL_FIELDS)
    somewhere = np.fromiter((place is not None for place in places), np.bool_, count)
    group = Grouped(history.timeline, np.where(somewhere, history.codes(("customer",)), NOBODY))
    before, at_ms = group.previous(), history.timeline.at_ms
    elapsed_ms = at_ms - at_ms[np.maximum(before, 0)]
    made = {name: np.full(count, None, dtype=object) for name in TRAVEL_FIELDS}
    for place in np.flatnonzero((before != NOBODY) & (elapsed_ms < REACH_S * 1_000)).tolist():
        for name, value in values_of(places[before[place]], places[place], int(elapsed_ms[place])).items():
            made[name][place] = value
    return {name: Column(values) for name, values in made.items()}
