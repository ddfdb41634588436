"""Names of the pool's keys.  A lane is a hash tag: a heartbeat and all slices of the lane lie in one cluster slot."""

from __future__ import annotations

import zlib
from datetime import date
from typing import Final, NamedTuple

LANES: Final = 64
_KEPT_MAX: Final = 50_000


class Slice(NamedTuple):
    """A part of what a campaign may give on a day; numbered from 0."""

    campaign_id: str
    day: date
    number: int


class Place(NamedTuple):
    """Where a slice is kept under an epoch."""

    lane: int
    key: str
    beat: str


def beat_key(lane: int) -> str:
    """The heartbeat of a lane, the same under every epoch: "generation:run id of the server:epoch"."""
    return f"pool:{{pool-{lane}}}:beat"


def lane_of(of: Slice) -> int:
    """Spread by a checksum, the same in every process."""
    return zlib.crc32(f"{of.campaign_id}:{of.day}:{of.number}".encode()) % LANES


def place_of(of: Slice, epoch: int) -> Place:
    """The slice's key under an epoch, and the heartbeat beside it."""
    lane = lane_of(of)
    key = f"pool:{epoch}:{{pool-{lane}}}:{of.campaign_id}:{of.day}:{of.number}"
    return Place(lane, key, beat_key(lane))


class Places:
    """The places of the slices in use, worked out once under each epoch."""

    def __init__(self) -> None:
        self._epoch = 0
        self._known: dict[Slice, Place] = {}

    def of(self, of: Slice, epoch: int) -> Place:
        """As place_of says."""
        if epoch != self._epoch or len(self._known) > _KEPT_MAX:
            self._epoch, self._known = epoch, {}
        place = self._known.get(of)
        if place is None:
            place = self._known[of] = place_of(of, epoch)
        return place
