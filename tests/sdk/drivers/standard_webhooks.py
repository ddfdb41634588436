"""Driver of standardwebhooks, the specification's own library, unchanged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from exchange import Calls, converse
from standardwebhooks.webhooks import Webhook


def open_client(settings: dict[str, Any]) -> Calls:
    """The calls of one receiver, which knows one secret."""
    webhook = Webhook(settings["secret"])

    def verify(body: str, headers: dict[str, str]) -> Any:
        return webhook.verify(body, headers)

    def sign(message_id: str, timestamp_s: int, body: str) -> str:
        return webhook.sign(message_id, datetime.fromtimestamp(timestamp_s, UTC), body)

    return {"verify": verify, "sign": sign}


if __name__ == "__main__":
    converse(open_client)
