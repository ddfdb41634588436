"""What tells rows that `mashang seed` made from all others."""

from __future__ import annotations

from typing import Final

SEEDED_MERCHANTS: Final = "mer_00000000SEED"
"""What the ids of seeded merchants begin with: a ULID of 1970, which no process makes.  They have no keys, so that
nobody pays there."""
SEEDED_ACCOUNTS: Final = "seeded."
"""What the channel accounts of their payments begin with: no account can be called so (it has a dot)."""


def is_seeded(merchant_id: str) -> bool:
    """Whether the merchant was made by `mashang seed`: no channel's book knows its payments."""
    return merchant_id.startswith(SEEDED_MERCHANTS)
