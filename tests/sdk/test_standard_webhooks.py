"""Webhooks held against standardwebhooks 1.1.0, the specification's own library: it verifies what we sign, and signs
what our client verifies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from gateway.client.webhooks import verify_webhook
from gateway.webhooks.signing import new_secret, signed_headers
from tests.sdk.harness import Sdk, opened_sdk, python_driver

pytestmark = pytest.mark.sdk

SECRET = new_secret()
EVENT = "evt_01JD5ZV8X9N1S4D7F2G5H8J3KM"
BODY = json.dumps(
    {"id": EVENT, "type": "payment.succeeded", "data": {"description": "热拿铁 latte"}}, ensure_ascii=False
)


@pytest.fixture(scope="module")
def sdk() -> Iterator[Sdk]:
    with opened_sdk(python_driver("webhooks", "standard_webhooks.py"), {"secret": SECRET}) as opened:
        yield opened


def headers(*secrets: str, timestamp_s: int | None = None) -> dict[str, str]:
    return signed_headers(secrets, EVENT, timestamp_s or int(time.time()), BODY.encode())


def test_a_message_of_ours_is_verified(sdk: Sdk) -> None:
    assert sdk.ask("verify", body=BODY, headers=headers(SECRET)) == json.loads(BODY)


def test_a_message_signed_with_two_secrets_is_verified_whichever_the_receiver_knows(sdk: Sdk) -> None:
    sdk.ask("verify", body=BODY, headers=headers(SECRET, new_secret()))
    sdk.ask("verify", body=BODY, headers=headers(new_secret(), SECRET))


@pytest.mark.parametrize("change", ["body", "webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_message_that_was_changed_is_refused(sdk: Sdk, change: str) -> None:
    signed, body = headers(SECRET), BODY
    if change == "body":
        body = BODY.replace("succeeded", "failed")
    elif change == "webhook-timestamp":
        signed[change] = str(int(signed[change]) + 1)
    else:
        signed[change] = headers(new_secret())[change] if change == "webhook-signature" else "evt_other"
    assert sdk.call("verify", body=body, headers=signed).raised == "WebhookVerificationError"


def test_an_old_message_is_refused(sdk: Sdk) -> None:
    old = headers(SECRET, timestamp_s=int(time.time()) - 301)
    assert sdk.call("verify", body=BODY, headers=old).raised == "WebhookVerificationError"


def test_a_message_that_the_library_signed_is_verified_by_our_client(sdk: Sdk) -> None:
    now = int(time.time())
    signature = sdk.ask("sign", message_id=EVENT, timestamp_s=now, body=BODY)
    assert signature == headers(SECRET, timestamp_s=now)["webhook-signature"]
    sent = {"webhook-id": EVENT, "webhook-timestamp": str(now), "webhook-signature": signature}
    assert verify_webhook(SECRET, sent, BODY.encode()) == json.loads(BODY)
