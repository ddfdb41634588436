"""Random discounts: a keyed hash of who asks draws them, so that asking again draws the same value.

The law (RandomOff): with probability (max − mean) ÷ (max − min) the value is one of min … mean, otherwise one of
mean … max, each as likely as the others of its part.  The expectation is `mean` exactly, whatever the bounds:
(max − mean)(min + mean) ÷ 2 + (mean − min)(mean + max) ÷ 2 = mean × (max − min).
"""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import Final, NamedTuple

from promotions.campaigns.campaign import RandomOff

_BITS: Final = 64
_HALF: Final = (1 << _BITS) - 1


class Asked(NamedTuple):
    """What a value is drawn for: the customer (keyed hash), and how often he has had the campaign on its day."""

    campaign_id: str
    customer: str
    day: date
    number: int


def drawn_fen(benefit: RandomOff, secret: bytes, asked_for: Asked) -> int:
    """The value that is drawn, in fen.  `secret` (16 to 64 bytes) keeps others from foretelling it."""
    asked = f"{asked_for.campaign_id}\n{asked_for.customer}\n{asked_for.day.isoformat()}\n{asked_for.number}".encode()
    drawn = int.from_bytes(blake2b(asked, digest_size=2 * _BITS // 8, key=secret).digest())
    width = benefit.max_fen - benefit.min_fen
    part = (drawn & _HALF) * width >> _BITS
    first, last = part_of(benefit, part)
    return first + ((drawn >> _BITS) * (last - first + 1) >> _BITS)


def part_of(benefit: RandomOff, part: int) -> tuple[int, int]:
    """The first and the last value of the part that one of `max − min` equally likely numbers falls into."""
    if part < benefit.max_fen - benefit.mean_fen:
        return benefit.min_fen, benefit.mean_fen
    return benefit.mean_fen, benefit.max_fen
