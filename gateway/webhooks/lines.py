"""Who is served next: each line has hands of its own, and lines that are slow or fail cannot take everybody's.

A line is what waits for one endpoint: its first tries, and apart from them its later ones, so that new events never
wait for failed ones.  A line begins with a few hands, gains one with each quick success and loses half with each
failure; one that takes its time, but takes everything, comes to have a middling number.  Lines that have not just
answered quickly share one half of all hands; the other half is for those that have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

QUICK_S: Final = 1.0
"""An answer within this is a quick one: so long at most can a proven line hold a hand that another one waits for."""
_HANDS_FIRST: Final = 4
_HANDS_MIN: Final = 2
_HANDS_SLOW: Final = 16
"""Of a line that succeeds slowly: with answers after two seconds it still gets eight a second."""
_HANDS_MAX: Final = 64
_LINES_MAX: Final = 20_000


class LineKey(NamedTuple):
    """An endpoint, and whether these are its later tries."""

    endpoint_id: str
    again: bool


@dataclass(slots=True)
class _Line:
    """How a line stands: the hands it may have, those at work, and whether its last answer was a quick success."""

    window: int = _HANDS_FIRST
    busy: int = 0
    proven: bool = False


class Lines:
    """All lines that this worker has met; `hands_max` deliveries are under way at once."""

    def __init__(self, hands_max: int) -> None:
        self._hands_max = hands_max
        self._lines: dict[LineKey, _Line] = {}
        self._refused: dict[LineKey, None] = {}
        self._busy = 0
        self._busy_unproven = 0

    @property
    def busy(self) -> int:
        """Deliveries under way."""
        return self._busy

    def shares(self, due: Iterable[LineKey]) -> dict[LineKey, int]:
        """How many more deliveries of each due line may begin now; lines that may have none are left out.

        Where the hands do not suffice for all, those that got none come first the next time.
        """
        free = self._hands_max - self._busy
        free_unproven = min(free, self._hands_max // 2 - self._busy_unproven)
        given: dict[LineKey, int] = {}
        waiting = dict.fromkeys(due)
        for key in [*(key for key in self._refused if key in waiting), *waiting]:
            line = self._lines.get(key) or _Line()
            wanted = line.window - line.busy
            if key in given or wanted <= 0:
                continue
            share = min(wanted, free if line.proven else free_unproven)
            if share <= 0:
                self._refused.setdefault(key)
                continue
            self._refused.pop(key, None)
            given[key] = share
            free -= share
            free_unproven = min(free, free_unproven - (0 if line.proven else share))
        return given

    def begin(self, key: LineKey) -> None:
        """A delivery of that line is under way."""
        if key not in self._lines and len(self._lines) >= _LINES_MAX:
            self._forget_idle()
        line = self._lines.setdefault(key, _Line())
        line.busy += 1
        self._busy += 1
        self._busy_unproven += not line.proven

    def end(self, key: LineKey, *, succeeded: bool, seconds: float) -> None:
        """It is over."""
        line = self._lines[key]
        line.busy -= 1
        self._busy -= 1
        self._busy_unproven -= not line.proven
        was_proven, line.proven = line.proven, succeeded and seconds <= QUICK_S
        if line.proven:
            line.window = min(_HANDS_MAX, line.window + 1)
        elif succeeded:
            line.window += (line.window < _HANDS_SLOW) - (line.window > _HANDS_SLOW)
        else:
            line.window = max(_HANDS_MIN, line.window // 2)
        if line.proven is not was_proven:
            self._busy_unproven += line.busy if was_proven else -line.busy

    def _forget_idle(self) -> None:
        self._refused.clear()
        self._lines = {key: line for key, line in self._lines.items() if line.busy}
