"""Verifies the gateway's webhooks by the Standard Webhooks specification (https://www.standardwebhooks.com).

    event = verify_webhook("whsec_…", request.headers, await request.body())

Pass the raw body: a parsed and re-written one has another signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, cast

from gateway.client.errors import WebhookRefused
from gateway.client.objects import Message

_PREFIX: Final = "whsec_"
_TIMESTAMP_DIGITS_MAX: Final = 12


class Headers(Protocol):
    """The headers of a request as any framework has them, their names in any case."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Names and values."""


def verify_webhook(
    secrets: str | Sequence[str],
    headers: Headers,
    body: bytes,
    *,
    tolerance_s: float = 300.0,
    now_s: float | None = None,
) -> Message:
    """The message, if one of the secrets signed it at most `tolerance_s` ago.  Raises WebhookRefused.

    Give both secrets while one replaces the other.  Events may come twice and out of order: `id` and `sequence` tell.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (found.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not message_id or not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > _TIMESTAMP_DIGITS_MAX:
        raise WebhookRefused("webhook-id or webhook-timestamp is missing or malformed")
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > tolerance_s:
        raise WebhookRefused("the message is too old, or the clocks differ")
    text = f"{message_id}.{timestamp}.".encode() + body
    expected = [_signature(secret, text) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    sent = [part for part in signatures.split(" ") if part.startswith("v1,")]
    if not any(hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in sent):
        raise WebhookRefused("the signature does not fit")
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise WebhookRefused("the body is no JSON object")
    return cast("Message", message)


def _signature(secret: str, text: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise WebhookRefused("the secret is not of the form whsec_…") from None
    return f"v1,{base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()}"
