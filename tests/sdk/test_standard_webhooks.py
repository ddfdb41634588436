"""Webhooks held against the specification's own libraries, standardwebhooks of PyPI (1.1.0) and of npm (1.1.1): they
verify what we sign and send, and sign what our client verifies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.client.webhooks import verify_webhook
from gateway.webhooks.signing import new_secret, signed_headers
from tests.sdk.harness import Sdk, npm_driver, opened_sdk, python_driver
from tests.support.channels import Simulators
from tests.support.gateway import GatewayStack, start_gateway
from tests.support.receivers import Received, Receiver, start_receiver

pytestmark = pytest.mark.sdk

SECRET = new_secret()
EVENT = "evt_01JD5ZV8X9N1S4D7F2G5H8J3KM"
BODY = json.dumps(
    {"id": EVENT, "type": "payment.succeeded", "data": {"description": "热拿铁 latte"}}, ensure_ascii=False
)


@pytest.fixture(scope="module", params=["python", "npm"])
def library(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The driver of each of the libraries."""
    return npm_driver() if request.param == "npm" else python_driver("webhooks", "standard_webhooks.py")


@contextmanager
def knowing(secret: str, library: tuple[str, ...]) -> Iterator[Sdk]:
    """A receiver that knows that secret."""
    with opened_sdk(library, {"sdk": "webhooks", "secret": secret}) as opened:
        yield opened


@pytest.fixture(scope="module")
def sdk(library: tuple[str, ...]) -> Iterator[Sdk]:
    with knowing(SECRET, library) as opened:
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


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators
) -> Iterator[GatewayStack]:
    """The gateway, which may send to this machine."""
    allowed = {"MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
    folder = tmp_path_factory.mktemp("stack")
    with start_gateway(folder, database_url, redis_url, simulators, settings=allowed) as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """The merchant's server, to which only the gateway posts."""
    with start_receiver() as running:
        yield running


def sent(message: Received) -> dict[str, Any]:
    """A message as the libraries take it."""
    return {"body": message.body.decode(), "headers": dict(message.headers)}


async def test_what_the_gateway_sends_is_verified_by_the_secret_in_force_and_while_two_overlap_by_either(
    stack: GatewayStack, receiver: Receiver, library: tuple[str, ...]
) -> None:
    async with stack.till(stack.new_shop()) as till:
        made = (await till.client.post("/v1/webhook_endpoints", json={"url": receiver.url})).json()
        payment = await till.paid()
        message = await receiver.message_of(payment["id"], "payment.succeeded")
        rotated = (await till.client.post(f"/v1/webhook_endpoints/{made['id']}/rotate_secret", json={})).json()
        payment = await till.paid()
        later = await receiver.message_of(payment["id"], "payment.succeeded")
    changed = sent(message) | {"body": message.body.decode().replace("payment.succeeded", "payment.reversed")}
    with knowing(made["secret"], library) as before, knowing(rotated["secret"], library) as after:
        assert before.ask("verify", **sent(message)) == message.message
        assert before.call("verify", **changed).raised == "WebhookVerificationError"
        assert after.call("verify", **sent(message)).raised == "WebhookVerificationError"
        for one in (before, after):
            assert one.ask("verify", **sent(later))["data"]["id"] == payment["id"]
