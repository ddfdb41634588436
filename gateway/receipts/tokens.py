"""The token of a receipt's public link: derived from the payment, so that it needs no row and cannot be guessed.

The payment's 26 letters, and 16 letters (80 bits) of a keyed hash of them.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from gateway.kernel.ids import ULID_LENGTH, is_id
from gateway.kernel.secrets import Vault

_TAG_BYTES: Final = 10
_LENGTH: Final = ULID_LENGTH + 16
_PLACE: Final = b"link of a receipt:"


def receipt_token(vault: Vault, payment_id: str) -> str:
    """What stands behind `/r/` in the link of this payment's receipt."""
    return f"{payment_id.removeprefix('pay_')}{_tag(vault, payment_id)}"


def payment_of_token(vault: Vault, token: str) -> str | None:
    """The payment whose receipt has this link; None for a token that is not of our making."""
    payment_id = f"pay_{token[:ULID_LENGTH]}"
    if not (token.isascii() and len(token) == _LENGTH and is_id(payment_id, "pay")):
        return None
    tag = token[ULID_LENGTH:]
    return payment_id if hmac.compare_digest(tag.encode(), _tag(vault, payment_id).encode()) else None


def _tag(vault: Vault, payment_id: str) -> str:
    return base64.b32encode(vault.keyed_hash(_PLACE + payment_id.encode())[:_TAG_BYTES]).decode()
