"""Messages are believed only with a fresh signature under one of the secrets.

The vector is the one of the Standard Webhooks libraries (test suites of standard-webhooks/standard-webhooks).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from gateway.client import WebhookRefused, verify_webhook

VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_HEADERS = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "Webhook-Timestamp": "1614265330",
    "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_BODY = b'{"test": 2432232314}'

SECRET = f"whsec_{base64.b64encode(b'k' * 24).decode()}"
AT = 1_763_784_000
BODY = json.dumps({"id": "evt_1", "type": "payment.succeeded", "sequence": 2, "data": {}}).encode()


def _headers(secret: str = SECRET, body: bytes = BODY, at: int = AT) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"evt_1.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def test_the_vector_of_the_standards_own_libraries_verifies() -> None:
    event = verify_webhook(VECTOR_SECRET, VECTOR_HEADERS, VECTOR_BODY, now_s=1_614_265_330)
    assert event == {"test": 2432232314}


def test_a_message_signed_with_either_secret_of_a_rotation_is_believed() -> None:
    older = f"whsec_{base64.b64encode(b'o' * 24).decode()}"
    both = _headers() | {
        "webhook-signature": f"{_headers(older)['webhook-signature']} {_headers()['webhook-signature']}"
    }
    for secrets in (SECRET, older, [older, SECRET]):
        assert verify_webhook(secrets, both, BODY, now_s=AT)["id"] == "evt_1"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        (_headers(), BODY + b" "),
        (_headers() | {"webhook-id": "evt_2"}, BODY),
        (_headers() | {"webhook-timestamp": str(AT + 1)}, BODY),
        (_headers() | {"webhook-timestamp": "soon"}, BODY),
        (_headers() | {"webhook-signature": _headers()["webhook-signature"].replace("v1,", "v2,")}, BODY),
        (_headers() | {"webhook-signature": ""}, BODY),
        (_headers(f"whsec_{base64.b64encode(b'x' * 24).decode()}"), BODY),
        (_headers(body=b"no json"), b"no json"),
        (_headers(body=b"[]"), b"[]"),
        (_headers() | {"webhook-timestamp": "9" * 5_000}, BODY),
    ],
)
def test_anything_that_does_not_fit_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook(SECRET, headers, body, now_s=AT)


@pytest.mark.parametrize("off_s", [-301, 301])
def test_a_message_of_another_time_is_refused(off_s: int) -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook(SECRET, _headers(), BODY, now_s=AT + off_s)


@pytest.mark.parametrize("secret", ["whsec_ä", "whsec_!!!"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(WebhookRefused, match="secret"):
        verify_webhook(secret, _headers(), BODY, now_s=AT)
