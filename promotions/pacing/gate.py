"""Who is let through while a campaign is paced: a share of its customers, the same ones as long as the share stands.

A customer who was let through stays so when the share rises; which customers come first is drawn anew for each campaign
and day, so that nobody is always last.
"""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import Final

_DRAWS: Final = 1 << 32


def is_let_through(campaign_id: str, day: date, who: str, share: float) -> bool:
    """Whether `who` (the customer's hash, or of an unknown one the order's key) is among the share (0 to 1)."""
    if share >= 1.0:
        return True
    drawn = blake2b(f"{campaign_id}\n{day}\n{who}".encode(), digest_size=4).digest()
    return int.from_bytes(drawn) < share * _DRAWS
