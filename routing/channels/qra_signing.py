"""The front's MD5 signature: sorted non-empty fields and the merchant's key, in upper-case hex.  CHANNEL-PROTOCOLS 3.6.

The protocol prescribes MD5; a keyed hash of the text beside TLS is what it has.  A value that looks like further
fields (`…&total_fee=1`) would leave open where one field ends, so none is sent and none believed.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import md5
from typing import Final

from routing.channels.wire import Authenticity

SIGN_TYPE: Final = "MD5"
_FURTHER_FIELD: Final = re.compile(r"&[A-Za-z_][A-Za-z0-9_.\-]*=")


def signed_string(fields: Mapping[str, str]) -> str:
    """What is signed, without the key."""
    return "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name] and name != "sign")


def is_ambiguous(fields: Mapping[str, str]) -> bool:
    """Whether a value could be read as the end of its field and the beginning of another one."""
    return any(_FURTHER_FIELD.search(value) for value in fields.values())


class QraSigning:
    """Signs and verifies with the key of one merchant."""

    def __init__(self, key: str) -> None:
        self._key = key

    def signature_of(self, fields: Mapping[str, str]) -> str:
        """32 upper-case hex digits."""
        text = f"{signed_string(fields)}&key={self._key}"
        return md5(text.encode(), usedforsecurity=False).hexdigest().upper()

    def signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields that have a value, with `sign`.  Raises ValueError for values that leave the text ambiguous."""
        filled = {name: value for name, value in fields.items() if value}
        if is_ambiguous(filled):
            raise ValueError("ambiguous")
        return filled | {"sign": self.signature_of(filled)}

    def check(self, fields: Mapping[str, str]) -> Authenticity:
        """What the signature says; it is compared as it is, for the front writes upper case."""
        claimed = fields.get("sign", "")
        if not claimed:
            return Authenticity.UNSIGNED
        is_ours = hmac.compare_digest(claimed.encode(), self.signature_of(fields).encode())
        return Authenticity.VERIFIED if is_ours and not is_ambiguous(fields) else Authenticity.FORGED
