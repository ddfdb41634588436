"""The merchant's own server for webhooks: verifies, remembers, and can be away for a while."""

from __future__ import annotations

from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler
from typing import Any

from gateway.client import Message, WebhookRefused, verify_webhook
from tests.support.receivers import Received, answering

_TAKEN = answering(204)
_REFUSED = answering(400)
_AWAY = answering(500)


class Hooks:
    """What the merchant's server has taken in.  Use as the behaviour of a receiver.

    While it `is_away` it answers 500, and `turned_away` counts.
    """

    def __init__(self) -> None:
        self.secret = ""
        self.is_away = False
        self.turned_away = 0
        self.refused: list[str] = []
        self.accepted: list[Message] = []

    def __call__(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        """Answer one message."""
        if self.is_away:
            self.turned_away += 1
            _AWAY(received, handler)
            return
        try:
            message = verify_webhook(self.secret, received.headers, received.body)
        except WebhookRefused as error:
            self.refused.append(str(error))
            _REFUSED(received, handler)
            return
        self.accepted.append(message)
        _TAKEN(received, handler)

    def times(self) -> Counter[str]:
        """How often each event was taken in, by its id."""
        return Counter(message["id"] for message in tuple(self.accepted))

    def by_payment(self) -> dict[str, list[Message]]:
        """The messages about each payment and its refunds, once each, in the order of their sequence."""
        found: defaultdict[str, dict[str, Message]] = defaultdict(dict)
        for message in tuple(self.accepted):
            data = message["data"]
            found[data.get("payment_id") or data["id"]][message["id"]] = message
        return {
            payment_id: sorted(messages.values(), key=lambda message: message["sequence"])
            for payment_id, messages in found.items()
        }


def reconstructed(messages: list[Message]) -> dict[str, Any]:
    """The payment as a server knows it that has heard of nothing but these, in their order."""
    payment: dict[str, Any] = {}
    refunded = 0
    for message in messages:
        kind, data = message["type"], message["data"]
        if kind == "refund.succeeded":
            refunded += data["amount"]
        elif kind.startswith("payment."):
            payment = dict(data)
    return payment | {"amount_refunded": refunded}
