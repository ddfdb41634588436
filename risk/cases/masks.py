"""Masks what names a customer: enough is left to recognise, not enough to identify."""

from __future__ import annotations

import ipaddress
from typing import Final

_SHOWN: Final = 2
_HIDDEN_MIN: Final = 2
_V6_GROUPS: Final = 3


def masked_id(text: str) -> str:
    """The last two characters, where at least two others are hidden: `…42` of `c-42`."""
    return f"…{text[-_SHOWN:]}" if len(text) >= _SHOWN + _HIDDEN_MIN else "…"


def masked_bin(text: str) -> str:
    """The first two digits of a card, which tell its scheme: `62…`."""
    return f"{text[:_SHOWN]}…"


def masked_ip(text: str) -> str:
    """Without its host: `203.0.113.…`, `2001:db8:1:…`."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return f"{text.rpartition('.')[0]}.…"
    return f"{':'.join(group.lstrip('0') or '0' for group in address.exploded.split(':')[:_V6_GROUPS])}:…"
