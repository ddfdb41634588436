"""Whether this process may go by what Valkey says: the epoch, and the signs that Valkey lost or brought back something.

The worker raises a generation every second, in PostgreSQL first and then in every lane.  Each answer to a reservation
carries its lane's heartbeat.  One that is missing, lower than seen before, of another server, or more than three
generations behind PostgreSQL's fences this process: it goes by PostgreSQL alone until the epoch rises there (beating.py
raises it on the same signs), or until that lane is found to be well again, as after a worker that was merely late.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple, Self

from promotions.budget.lanes import LANES

BEHIND_MAX: Final = 3
"""Generations, of a second each."""


class Sign(StrEnum):
    """Why Valkey is not believed."""

    LOST = "lost"
    """A heartbeat is gone: FLUSHALL, a server that came back empty."""
    OLDER_SNAPSHOT = "older_snapshot"
    """A heartbeat is lower than one seen before."""
    RUN_ID_CHANGED = "run_id_changed"
    """Another server, or the same started anew: a failover, a restart; its last writes may be missing."""
    BEHIND = "behind"
    """Valkey did not hear of the last generations: it hung, was cut off, or shows an older state."""


class Beat(NamedTuple):
    """A lane's heartbeat as stored."""

    generation: int
    run_id: bytes
    epoch: int

    @classmethod
    def of(cls, raw: bytes | None) -> Self | None:
        """Read it; None where there is none, or what somebody else has put there."""
        try:
            generation, run_id, epoch = (raw or b"").split(b":")
            return cls(int(generation), run_id, int(epoch))
        except ValueError:
            return None


class PoolState(NamedTuple):
    """The row of pool_state."""

    epoch: int
    generation: int


class Trust:
    """What this process knows of the pool; `learn` with each poll of PostgreSQL, `hear` with each answer of Valkey."""

    def __init__(self) -> None:
        self.epoch = 0
        self.generation = 0
        self.sign: Sign | None = None
        """Set while this process is fenced."""
        self.doubted_lane = 0
        self._raw: list[bytes | None] = [None] * LANES
        self._beats: list[Beat | None] = [None] * LANES

    @property
    def is_given(self) -> bool:
        """Whether Valkey is asked at all."""
        return self.sign is None and self.epoch > 0

    def learn(self, state: PoolState) -> None:
        """PostgreSQL's epoch and generation; with a new epoch everything begins anew."""
        if state.epoch != self.epoch:
            self.epoch, self.sign = state.epoch, None
            self._raw, self._beats = [None] * LANES, [None] * LANES
        self.generation = max(self.generation, state.generation)

    def hear(self, lane: int, raw: bytes | None) -> bool:
        """Whether an answer with this heartbeat is to be believed; fences where it shows a sign of loss."""
        known = self._beats[lane]
        if known is not None and raw == self._raw[lane] and known.generation >= self.generation - BEHIND_MAX:
            return True
        beat = Beat.of(raw)
        if beat is not None and beat.epoch != self.epoch:
            return False  # one of the two has just been told; the next poll settles it
        self.sign = sign_of(beat, known, self.generation)
        if self.sign is not None:
            self.doubted_lane = lane
            return False
        self._raw[lane], self._beats[lane] = raw, beat
        return True

    def hear_again(self, raw: bytes | None) -> None:
        """The heartbeat of the lane that was doubted: where it is well, so is the pool."""
        self.sign, before = None, self.sign
        if not self.hear(self.doubted_lane, raw):
            self.sign = self.sign or before


def sign_of(beat: Beat | None, known: Beat | None, generation: int) -> Sign | None:
    """What a heartbeat shows, by the last one known of its lane and PostgreSQL's generation; None where all is well."""
    if beat is None:
        return Sign.LOST
    if known is not None and beat.run_id != known.run_id:
        return Sign.RUN_ID_CHANGED
    if known is not None and beat.generation < known.generation:
        return Sign.OLDER_SNAPSHOT
    if beat.generation < generation - BEHIND_MAX:
        return Sign.BEHIND
    return None
