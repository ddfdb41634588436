"""The line that `make load` shows each second."""

from __future__ import annotations

from typing import Final

from loadtests.load.tally import Tally

_BEHIND_S: Final = 3
"""The second that is shown is over, and all processes have reported of it."""
_SMOOTHED_S: Final = 5


def live_line(tally: Tally, now_s: float, load: str) -> str:
    """Payments/s and answer times of the last five seconds that are known, and the sums of what went wrong."""
    first_s, to_s = min(tally.seconds), int(now_s) - _BEHIND_S + 1
    shown_s = max(1, min(_SMOOTHED_S, to_s - first_s))
    shown, total = tally.between(to_s - shown_s, to_s), tally.total()
    parts = [
        f"{max(0, to_s - first_s):4d} s",
        f"{load:>18}",
        f"{shown.paid / shown_s:7,.1f} payments/s",
        f"p50 {shown.percentile_ms(50):5.0f}  p99 {shown.percentile_ms(99):5.0f} ms",
        f"open {tally.open:,}",
        f"refused {sum(total.refused.values()):,}",
        f"late {total.late:,}",
        f"errors {total.errors:,}",
    ]
    return "  ".join(parts)
