"""The token of a payment's own code: derived from the payment's id, so that it needs no row and cannot be guessed.

`p`, the id's 26 letters, and 16 letters (80 bits) of a keyed hash of the id: 43 letters and digits.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from gateway.kernel.ids import ULID_LENGTH, is_id
from gateway.kernel.secrets import Vault

PREFIX: Final = "p"
_TAG_BYTES: Final = 10
_TAG_LENGTH: Final = 16
_PLACE: Final = b"token of a payment's code:"


def payment_token(vault: Vault, payment_id: str) -> str:
    """What stands behind `/q/` in the code of this payment."""
    return f"{PREFIX}{payment_id.removeprefix('pay_')}{_tag(vault, payment_id)}"


def payment_of_token(vault: Vault, token: str) -> str | None:
    """The payment whose code holds this token; None for a token that is not of our making."""
    payment_id = f"pay_{token[1 : 1 + ULID_LENGTH]}"
    tag = token[1 + ULID_LENGTH :]
    if not (token.isascii() and token.startswith(PREFIX) and len(tag) == _TAG_LENGTH and is_id(payment_id, "pay")):
        return None
    return payment_id if hmac.compare_digest(tag.encode(), _tag(vault, payment_id).encode()) else None


def _tag(vault: Vault, payment_id: str) -> str:
    return base64.b32encode(vault.keyed_hash(_PLACE + payment_id.encode())[:_TAG_BYTES]).decode()
