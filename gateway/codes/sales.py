"""One sale at a static code: minted with the page, so that tapping twice, or a lost answer, makes one payment.

`sale` is 26 letters of a ULID and 16 of a keyed hash over it and the code: nobody can make one up, or use it at another
code.  The payment's order number is `Q-` and the ULID.
"""

from __future__ import annotations

import base64
import hmac
import time
from typing import Final

from gateway.kernel.ids import ULID_LENGTH, is_id, new_ulid, ulid_time
from gateway.kernel.secrets import Vault

_TAG_BYTES: Final = 10
_LENGTH: Final = ULID_LENGTH + 16
SALE_S: Final = 7_200
"""A page that was left open for longer begins no payment: it is opened again."""
TYPED_FEN_MAX: Final = 5_000_000
"""¥50,000: what a customer can type at a static code.  More is a slip of the thumb."""


def new_sale(vault: Vault, token: str) -> str:
    """A new sale at the code."""
    ulid = new_ulid()
    return f"{ulid}{_tag(vault, token, ulid)}"


def order_no_of_sale(vault: Vault, token: str, sale: str) -> str | None:
    """The order number of a sale; None for one that was not minted here for this code."""
    ulid, tag = sale[:ULID_LENGTH], sale[ULID_LENGTH:]
    if len(sale) != _LENGTH or not sale.isascii() or not is_id(f"sale_{ulid}", "sale"):
        return None
    return f"Q-{ulid}" if hmac.compare_digest(tag.encode(), _tag(vault, token, ulid).encode()) else None


def may_begin(vault: Vault, token: str, sale: str) -> bool:
    """Whether a payment may still be begun for the sale: it is of this code, and not old."""
    if order_no_of_sale(vault, token, sale) is None:
        return False
    return time.time() - ulid_time(sale[:ULID_LENGTH]).timestamp() < SALE_S


def _tag(vault: Vault, token: str, ulid: str) -> str:
    hashed = vault.keyed_hash(f"sale {ulid} at {token}".encode())
    return base64.b32encode(hashed[:_TAG_BYTES]).decode()
