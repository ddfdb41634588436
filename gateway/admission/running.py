"""Keeps admission going: measures the event loop's lateness, moves the limit, shares quotas, tells the metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from gateway.admission.admission import Admission
from gateway.admission.sharing import INTERVAL_S, QuotaSharing
from gateway.kernel.metrics import ADMISSION_BEGINNING, ADMISSION_LIMIT, ADMISSION_OWN_SECONDS

_TICK_S: Final = 0.05

_log: Final = logging.getLogger("mashang.admission")


async def keep_admitting(admission: Admission, sharing: QuotaSharing) -> None:
    """Run until cancelled, through any trouble."""
    turn_at = time.monotonic() + INTERVAL_S
    lag_s = 0.0
    while True:
        due = time.monotonic() + _TICK_S
        await asyncio.sleep(_TICK_S)
        now = time.monotonic()
        lag_s = max(now - due, lag_s / 2)
        try:
            if admission.limit.step(now, lag_s, admission.peak):
                admission.peak = admission.beginning
            if now >= turn_at:
                turn_at = now + INTERVAL_S
                _tell(admission)
                await sharing.exchange(now)
                admission.turn(now)
        except Exception:  # were this loop to end, the limit would stay where it is for ever
            _log.exception("the admission limit could not be kept")


def _tell(admission: Admission) -> None:
    ADMISSION_LIMIT.set(admission.limit.value)
    ADMISSION_BEGINNING.set(admission.beginning)
    ADMISSION_OWN_SECONDS.set(admission.limit.own_s)
