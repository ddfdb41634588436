"""Who the client is: a bearer key, or a key id and a signing secret with which every request is signed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Identity(Protocol):
    """Adds to a request what tells who sends it."""

    def headers(self, method: str, target: str, body: bytes) -> Mapping[str, str]:
        """The headers for one sending; `target` is the path with its query as sent."""


@dataclass(frozen=True, slots=True)
class BearerKey:
    """`Authorization: Bearer sk_…`."""

    api_key: str = field(repr=False)

    def headers(self, method: str, target: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002  as Identity has it
        """The same for every request."""
        return {"Authorization": f"Bearer {self.api_key}"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """HMAC-SHA256 over time, nonce, method, target and body; the secret itself is never sent."""

    key_id: str
    signing_secret: str = field(repr=False)

    def headers(self, method: str, target: str, body: bytes) -> Mapping[str, str]:
        """New for every sending: the gateway takes a nonce only once."""
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        text = "\n".join((timestamp, nonce, method, target, hashlib.sha256(body).hexdigest()))
        signature = hmac.new(self.signing_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return {
            "Mashang-Key": self.key_id,
            "Mashang-Timestamp": timestamp,
            "Mashang-Nonce": nonce,
            "Mashang-Signature": f"v1={signature}",
        }
