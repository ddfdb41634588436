"""The timed phases of a payment: each one counts in the metric, and is a span where the payment is traced."""

from __future__ import annotations

import time
from typing import Final

from gateway.kernel.metrics import PHASE_SECONDS
from gateway.kernel.recording import Step, Taken, current_recording


class Phase:
    """One phase."""

    __slots__ = ("_seconds", "_step")

    def __init__(self, step: Step) -> None:
        self._step = step
        self._seconds = PHASE_SECONDS.labels(step.value)

    def ended(self, began_s: float) -> None:
        """It ends now; `began_s` is of the monotonic clock."""
        now_s = time.monotonic()
        self._seconds.observe(now_s - began_s)
        recording = current_recording()
        if recording is not None:
            recording.add(Taken(self._step, began_s, now_s))


CLAIM: Final = Phase(Step.CLAIM)
INTENT: Final = Phase(Step.INTENT)
SHOWN: Final = Phase(Step.SHOWN)
OUTCOME: Final = Phase(Step.OUTCOME)
