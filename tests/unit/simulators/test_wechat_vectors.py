"""The WeChat simulator's signing code against the golden vectors."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from routing.simulators.pem import private_key, public_key
from routing.simulators.wechat_notifications import Event, envelope
from routing.simulators.wechat_signing import (
    SIGNTEST,
    call_up_text,
    encrypt,
    fresh,
    open_field,
    read_authorization,
    request_text,
    sign,
    signature_headers,
    verifies,
)
from tests.unit.simulators.vectors import golden, name_of, vectors

KEYS = golden("wechat")["keys"]
SIGNED_RIGHTLY_BUT_REFUSED = {"wechat-res-stale", "wechat-res-future", "wechat-res-wrong-serial"}
"""Refused by the reader for their age or serial; the signature itself is good."""


@pytest.mark.parametrize("vector", vectors("wechat", "request"), ids=name_of)
def test_a_request_of_each_sdk_verifies_and_a_changed_one_does_not(vector: dict[str, Any]) -> None:
    sent, expected = vector["input"], vector["expected"]
    authorization = read_authorization(expected["authorization"])
    assert authorization is not None
    assert (authorization.mchid, authorization.serial_no) == (KEYS["mchid"], KEYS["merchant_serial_no"])
    assert (authorization.timestamp, authorization.nonce) == (sent["timestamp"], sent["nonce"])

    text = request_text(
        sent["method"], sent["path"], authorization.timestamp, authorization.nonce, sent["body"].encode()
    )
    assert text.decode() == expected["canonical"]
    key = public_key(KEYS["merchant_public_key_pem"])
    assert verifies(key, authorization.signature, text)
    assert not verifies(key, authorization.signature, text + b"\n")
    assert not verifies(key, authorization.signature, text.replace(sent["nonce"].encode(), b"0" * len(sent["nonce"])))
    assert not verifies(public_key(KEYS["platform_public_key_pem"]), authorization.signature, text)


@pytest.mark.parametrize("vector", vectors("wechat", "response"), ids=name_of)
def test_an_answer_is_signed_as_the_sdks_accept_it(vector: dict[str, Any]) -> None:
    sent = {name.lower(): value for name, value in vector["input"]["headers"].items()}
    serial = sent["wechatpay-serial"]
    by_certificate = serial == KEYS["platform_certificate_serial_no"]
    pem = KEYS["platform_certificate_private_key_pem" if by_certificate else "platform_private_key_pem"]
    ours = signature_headers(
        private_key(pem), serial, vector["input"]["body"].encode(), sent["wechatpay-timestamp"], sent["wechatpay-nonce"]
    )
    made = {name.decode().lower(): value.decode() for name, value in ours}
    if vector["expected"]["accepted"]:
        assert made == {name: value for name, value in sent.items() if name.startswith("wechatpay-")}
    else:
        same = made["wechatpay-signature"] == sent.get("wechatpay-signature")
        assert same == (vector["id"] in SIGNED_RIGHTLY_BUT_REFUSED)


def test_timestamps_are_good_for_five_minutes() -> None:
    ages = {vector["id"]: vector["input"] for vector in vectors("wechat", "response")}
    for name, is_fresh in (
        ("wechat-res-ok", True),
        ("wechat-res-age-240", True),
        ("wechat-res-stale", False),
        ("wechat-res-future", False),
    ):
        assert fresh(ages[name]["headers"]["Wechatpay-Timestamp"], ages[name]["clock"]) is is_fresh


@pytest.mark.parametrize(
    "vector", [vector for vector in vectors("wechat", "aead") if vector["expected"]["accepted"]], ids=name_of
)
def test_resources_are_encrypted_to_the_very_bytes_that_sdks_decrypt(vector: dict[str, Any]) -> None:
    sealed = vector["input"]
    made = encrypt(KEYS["api_v3_key"], sealed["nonce"], vector["expected"]["plaintext"], sealed["associated_data"])
    assert (made["ciphertext"], made["nonce"]) == (sealed["ciphertext"], sealed["nonce"])


@pytest.mark.parametrize("vector", vectors("wechat", "certificates"), ids=name_of)
def test_the_certificate_download_carries_the_very_bytes_that_an_sdk_reads(vector: dict[str, Any]) -> None:
    [downloaded], [expected] = json.loads(vector["input"]["body"])["data"], vector["expected"]["certificates"]
    sealed = downloaded["encrypt_certificate"]
    assert downloaded["serial_no"] == expected["serial_no"]
    assert encrypt(KEYS["api_v3_key"], sealed["nonce"], expected["pem"], sealed["associated_data"]) == sealed


def accepted(kind: str) -> list[dict[str, Any]]:
    return [vector for vector in vectors("wechat", kind) if vector["expected"]["accepted"]]


@pytest.mark.parametrize("vector", accepted("notification"), ids=name_of)
def test_a_notification_has_the_very_bytes_that_sdks_accept(vector: dict[str, Any]) -> None:
    sent, document = vector["input"]["headers"], json.loads(vector["input"]["body"])
    shown = document["resource"]
    sealed = encrypt(KEYS["api_v3_key"], shown["nonce"], vector["expected"]["plaintext"], shown["associated_data"])
    event = Event(document["id"], document["create_time"], document["event_type"], shown["original_type"])
    body = envelope(event, sealed)
    assert body.decode() == vector["input"]["body"]
    made = signature_headers(
        private_key(KEYS["platform_private_key_pem"]),
        KEYS["platform_public_key_id"],
        body,
        sent["Wechatpay-Timestamp"],
        sent["Wechatpay-Nonce"],
    )
    assert {name.decode(): value.decode() for name, value in made} == sent


@pytest.mark.parametrize(
    "vector", [v for v in vectors("wechat", "notification") if not v["expected"]["accepted"]], ids=name_of
)
def test_a_notification_that_must_be_refused_differs_from_ours_in_what_is_wrong_with_it(vector: dict[str, Any]) -> None:
    sent, body = vector["input"]["headers"], vector["input"]["body"].encode()
    ours = signature_headers(
        private_key(KEYS["platform_private_key_pem"]),
        KEYS["platform_public_key_id"],
        body,
        sent["Wechatpay-Timestamp"],
        sent["Wechatpay-Nonce"],
    )
    made = {name.decode(): value.decode() for name, value in ours}
    different = {name for name in made if made[name] != sent[name]}
    assert (
        different
        == {
            "wechat-ntf-tampered": {"Wechatpay-Signature"},
            "wechat-ntf-signtest": {"Wechatpay-Signature"},
            "wechat-ntf-other-key": {"Wechatpay-Signature"},
            "wechat-ntf-wrong-serial": {"Wechatpay-Serial"},
            "wechat-ntf-bad-cipher": set(),
            "wechat-ntf-stale": set(),
        }[vector["id"]]
    )
    assert sent["Wechatpay-Signature"].startswith(SIGNTEST) is (vector["id"] == "wechat-ntf-signtest")


@pytest.mark.parametrize("vector", vectors("wechat", "callup"), ids=name_of)
def test_a_call_up_of_each_sdk_verifies_and_a_changed_one_does_not(vector: dict[str, Any]) -> None:
    sent, expected = vector["input"], vector["expected"]
    text = call_up_text(sent["appId"], sent["timeStamp"], sent["nonceStr"], sent["package"])
    assert text.decode() == expected["canonical"]
    assert sign(private_key(KEYS["merchant_private_key_pem"]), text).decode() == expected["paySign"]
    key = public_key(KEYS["merchant_public_key_pem"])
    assert verifies(key, base64.b64decode(expected["paySign"]), text)
    other = call_up_text(sent["appId"], sent["timeStamp"], sent["nonceStr"], f"{sent['package']}1")
    assert not verifies(key, base64.b64decode(expected["paySign"]), other)


@pytest.mark.parametrize("vector", vectors("wechat", "oaep"), ids=name_of)
def test_a_sensitive_field_of_each_sdk_opens(vector: dict[str, Any]) -> None:
    sealed = base64.b64decode(vector["input"]["ciphertext"])
    assert open_field(private_key(KEYS["platform_private_key_pem"]), sealed) == vector["expected"]["plaintext"]
    with pytest.raises(ValueError, match="ecrypt"):
        open_field(private_key(KEYS["platform_certificate_private_key_pem"]), sealed)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer x",
        'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="1",serial_no="s"',
        'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="x",serial_no="s",signature="AAAA"',
        'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="1",serial_no="s",signature="?"',
    ],
)
def test_a_malformed_authorization_is_none(header: str) -> None:
    assert read_authorization(header) is None
