"""Secrets and signatures of messages, by the Standard Webhooks specification (https://www.standardwebhooks.com).

The signed text is `webhook-id.webhook-timestamp.body`; the key is what stands in base64 behind `whsec_`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  what every secret begins with
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """A new signing secret of 256 bits."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(secrets_in_force: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; one signature for each secret, the newest first."""
    text = b"%b.%d.%b" % (message_id.encode(), timestamp_s, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join([_signature(secret, text) for secret in secrets_in_force]),
    }


def _signature(secret: str, text: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return f"v1,{base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()}"
