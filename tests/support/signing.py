"""Signs requests by hand, as PRODUCT.md and docs/signing.md have it, not by the gateway's own code."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from gateway.merchants.store import NewKey


def sign(key: NewKey, method: str, target: str, body: bytes = b"", **changes: str) -> dict[str, str]:
    """The headers of a request with that body; `changes` are a timestamp, nonce or key id of another kind."""
    timestamp, nonce = changes.get("timestamp", str(int(time.time()))), changes.get("nonce", secrets.token_hex(16))
    text = f"{timestamp}\n{nonce}\n{method}\n{target}\n{hashlib.sha256(body).hexdigest()}"
    signature = hmac.new(key.signing_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {
        "Mashang-Key": changes.get("key_id", key.id),
        "Mashang-Timestamp": timestamp,
        "Mashang-Nonce": nonce,
        "Mashang-Signature": f"v1={signature}",
        "Content-Type": "application/json",
    }
