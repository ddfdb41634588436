"""UnionPay's names for a payer: appUserId, and the userAuthCode that a browser brings to the merchant.

Both are base64 as the real ones are, `+`, `/` and `=` included: who forgets to encode them in an address loses them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

_PAYER_BYTES: Final = 12
_PROOF_BYTES: Final = 36
_CODE: Final = re.compile("[0-9A-Za-z+/]{22}==")


def app_user_id(mer_id: str, payer: str) -> str:
    """The payer as one merchant knows them: 64 characters, of use to no other merchant."""
    raw = bytes.fromhex(payer)
    return base64.b64encode(raw + _proof(mer_id, raw)).decode()


def payer_behind(mer_id: str, user_id: str) -> str | None:
    """The payer of an appUserId; None where it is not one of that merchant."""
    try:
        raw = base64.b64decode(user_id, validate=True)
    except (binascii.Error, ValueError):
        return None
    payer, proof = raw[:_PAYER_BYTES], raw[_PAYER_BYTES:]
    return payer.hex() if len(payer) == _PAYER_BYTES and proof == _proof(mer_id, payer) else None


def _proof(mer_id: str, payer: bytes) -> bytes:
    return hashlib.blake2b(payer, digest_size=_PROOF_BYTES, key=mer_id.encode()).digest()


def auth_code_of(grant: str) -> str:
    """A grant (32 hex digits) as the address of the merchant's page carries it."""
    return base64.b64encode(bytes.fromhex(grant)).decode()


def grant_of(auth_code: str) -> str | None:
    """The grant behind a userAuthCode; None where it is none."""
    return base64.b64decode(auth_code).hex() if _CODE.fullmatch(auth_code) else None
