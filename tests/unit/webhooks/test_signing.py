"""Signatures: the specification's own example, and what a receiver verifies."""

from __future__ import annotations

import base64

import pytest

from gateway.client.errors import WebhookRefused
from gateway.client.webhooks import verify_webhook
from gateway.webhooks.signing import SECRET_PREFIX, new_secret, signed_headers


def test_a_signature_is_that_of_the_standard_webhooks_libraries() -> None:
    """The vector that the libraries of the specification are tested with."""
    headers = signed_headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_new_each_time_and_of_the_specifications_form() -> None:
    secrets = {new_secret() for _ in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        assert 24 <= len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)) <= 64


def test_while_secrets_overlap_either_of_them_verifies_and_no_third_one() -> None:
    newest, older, other = (new_secret() for _ in range(3))
    headers = signed_headers([newest, older], "evt_1", 1_700_000_000, b"{}")
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (newest, older):
        verify_webhook(secret, headers, b"{}", now_s=1_700_000_000)
    with pytest.raises(WebhookRefused):
        verify_webhook(other, headers, b"{}", now_s=1_700_000_000)


@pytest.mark.parametrize(
    "change", [{"webhook-id": "evt_2"}, {"webhook-timestamp": "1700000001"}, {"webhook-signature": "v1,AAAA"}]
)
def test_nothing_that_is_signed_can_be_changed(change: dict[str, str]) -> None:
    secret = new_secret()
    headers = signed_headers([secret], "evt_1", 1_700_000_000, b'{"a":1}')
    verify_webhook(secret, headers, b'{"a":1}', now_s=1_700_000_000)
    with pytest.raises(WebhookRefused):
        verify_webhook(secret, headers | change, b'{"a":1}', now_s=1_700_000_000)
    with pytest.raises(WebhookRefused):
        verify_webhook(secret, headers, b'{"a":2}', now_s=1_700_000_000)
