"""One value for each payment of a history, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from gateway.kernel.expressions import Value
from risk.backtest.timeline import Bools

Numbers: TypeAlias = npt.NDArray[Any]


class Column(NamedTuple):
    """n values; `known` says where there is one, None: everywhere."""

    values: Numbers
    known: Bools | None = None

    def listed(self, begin: int, end: int) -> list[Any]:
        """Some of them as plain values, None where there is none."""
        found: list[Any] = self.values[begin:end].tolist()
        if self.known is not None:
            for place in np.flatnonzero(~self.known[begin:end]).tolist():
                found[place] = None
        return found

    def floats(self) -> npt.NDArray[np.float64]:
        """As numbers, NaN where there is none."""
        found = self.values.astype(np.float64)
        return found if self.known is None else np.where(self.known, found, np.nan)


def plain_column(values: Sequence[Value | None]) -> Column:
    """A column of values as they were given; None is where there is none."""
    return Column(np.fromiter(values, dtype=object, count=len(values)))
