"""Signed requests of tills that must not hold a bearer secret in the clear (PRODUCT.md "Authentication"); pure.

The signed text is timestamp, nonce, METHOD, path with its query as sent, and lower-case hex SHA-256 of the body, joined
by single line feeds, none trailing; `v1=` and the lower-case hex HMAC-SHA256 under the key's signing secret.
docs/signing.md has a test vector.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.kernel.errors import NotAuthenticated
from gateway.kernel.ids import is_id

SKEW_S_MAX: Final = 300
_NONCE: Final = re.compile(r"[\x21-\x7e]{1,128}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"v1=[0-9a-f]{64}")
_HEADERS: Final = (b"mashang-key", b"mashang-timestamp", b"mashang-nonce", b"mashang-signature")


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The four headers of a signed request, well-formed but not yet verified."""

    key_id: str
    timestamp: int
    nonce: str
    signature: str


@dataclass(frozen=True, slots=True)
class Signable:
    """What of a request is signed; `target` is the path with its query as sent."""

    method: str
    target: str
    body: bytes = field(repr=False)


def is_signed(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request claims to be signed."""
    return b"mashang-signature" in headers or b"mashang-key" in headers


def read_head(headers: Mapping[bytes, bytes]) -> SignedHead:
    """The headers of a signed request (lower-case names).  Raises NotAuthenticated naming the one that is wrong."""
    key_id, timestamp, nonce, signature = (headers.get(name, b"").decode("latin-1").strip() for name in _HEADERS)
    for name, is_right in (
        ("Mashang-Key", is_id(key_id, "key")),
        ("Mashang-Timestamp", bool(_TIMESTAMP.fullmatch(timestamp))),
        ("Mashang-Nonce", bool(_NONCE.fullmatch(nonce))),
        ("Mashang-Signature", bool(_SIGNATURE.fullmatch(signature))),
    ):
        if not is_right:
            raise NotAuthenticated("incomplete_signature", f"{name} is missing or malformed.", param=name)
    return SignedHead(key_id, int(timestamp), nonce, signature)


def signature(secret: str, timestamp: int, nonce: str, request: Signable) -> str:
    """The value of `Mashang-Signature`."""
    body = hashlib.sha256(request.body).hexdigest()
    text = "\n".join((str(timestamp), nonce, request.method, request.target, body))
    return f"v1={hmac.new(secret.encode(), text.encode('latin-1', 'replace'), hashlib.sha256).hexdigest()}"


def verify(head: SignedHead, secret: str, request: Signable, now_s: float) -> None:
    """Raises NotAuthenticated where the timestamp is too far off or the signature is not that of the request."""
    if abs(now_s - head.timestamp) > SKEW_S_MAX:
        raise NotAuthenticated(
            "stale_signature", "Mashang-Timestamp is more than 300 s off: set the clock.", param="Mashang-Timestamp"
        )
    expected = signature(secret, head.timestamp, head.nonce, request)
    if not hmac.compare_digest(expected, head.signature):
        raise NotAuthenticated(
            "invalid_signature", "Mashang-Signature does not fit the request.", param="Mashang-Signature"
        )
