"""Shifts the wall clock of a Python process by CLOCK_SHIFT_S seconds; on its path, Python imports this by itself.

The monotonic clock stays as it is, as it does when an administrator or NTP sets a clock.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

from gateway.kernel import clock

_SHIFT_S = int(os.environ["CLOCK_SHIFT_S"])
_true_time, _true_time_ns = time.time, time.time_ns

time.time = lambda: _true_time() + _SHIFT_S
time.time_ns = lambda: _true_time_ns() + _SHIFT_S * 1_000_000_000
clock.utc_now = lambda: datetime.now(UTC) + timedelta(seconds=_SHIFT_S)
