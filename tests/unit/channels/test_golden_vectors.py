"""Signatures of all channels agree with vectors that unmodified public SDKs made or judged."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from routing.channels.alipay_notifications import read_notification as read_alipay_notification
from routing.channels.alipay_signing import open_answer, request_string, signature_of
from routing.channels.base import ChannelUnknown
from routing.channels.notifications import NotificationRefused
from routing.channels.qra_signing import QraSigning
from routing.channels.qra_signing import signed_string as qra_signed_string
from routing.channels.qra_xml import read as read_qra
from routing.channels.qra_xml import write as write_qra
from routing.channels.rsa import load_private_key, load_public_key
from routing.channels.settings import AlipaySettings, WechatSettings
from routing.channels.unionpay_files import entries, inflated
from routing.channels.unionpay_notifications import read_form
from routing.channels.unionpay_signing import (
    CertificateSigning,
    KeyedHashSigning,
    Signing,
    parse_answer,
    signed_string,
    without_blanks,
)
from routing.channels.wechat_notifications import NotificationReader as WechatNotifications
from routing.channels.wechat_signing import AnswerVerifier, RequestSigner, open_sealed
from routing.channels.wire import Authenticity
from tests.unit.channels.vectors import alipay_settings, keys, name_of, vectors, wechat_settings

WECHAT = keys("wechat")
ALIPAY = keys("alipay")
UNIONPAY = keys("unionpay")


def _attributes(authorization: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="([^"]*)"', authorization))


@pytest.mark.parametrize("vector", vectors("wechat", "request"), ids=name_of)
async def test_wechat_requests_are_signed_as_the_sdks_sign_them(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    signer = RequestSigner(
        WECHAT["mchid"],
        WECHAT["merchant_serial_no"],
        WECHAT["merchant_private_key_pem"],
        clock=lambda: float(given["timestamp"]),
    )
    header = await signer.authorization(given["method"], given["path"], given["body"].encode(), given["nonce"])
    assert _attributes(header) == _attributes(expected["authorization"])
    assert header.startswith("WECHATPAY2-SHA256-RSA2048 ")


@pytest.mark.parametrize("vector", vectors("wechat", "response"), ids=name_of)
def test_wechat_answers_are_judged_as_the_sdks_judge_them(vector: dict[str, Any]) -> None:
    given = vector["input"]
    verifier = AnswerVerifier(wechat_settings()["platform_public_keys"], clock=lambda: given["clock"])
    headers = {name.lower(): value for name, value in given["headers"].items()}
    verified = verifier.check(headers, given["body"].encode()) is Authenticity.VERIFIED
    assert verified is vector["expected"]["accepted"]


WECHAT_REASONS = {
    "wechat-ntf-tampered": "signature",
    "wechat-ntf-signtest": "probe",
    "wechat-ntf-wrong-serial": "unknown_key",
    "wechat-ntf-other-key": "signature",
    "wechat-ntf-bad-cipher": "sealed",
    "wechat-ntf-stale": "stale",
}


@pytest.mark.parametrize("vector", vectors("wechat", "notification"), ids=name_of)
def test_wechat_notifications_are_read_or_refused_as_by_the_sdks(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    settings = WechatSettings(**wechat_settings())
    verifier = AnswerVerifier(settings.platform_public_keys, clock=lambda: given["clock"])
    reader = WechatNotifications(settings, verifier)
    headers = {name.lower(): value for name, value in given["headers"].items()}
    if not expected["accepted"]:
        with pytest.raises(NotificationRefused, match=f"^{WECHAT_REASONS[vector['id']]}$"):
            reader.read(headers, given["body"].encode())
        return
    told, resource = reader.read(headers, given["body"].encode()), expected["resource"]
    assert (told.order_no, told.refund_no) == (resource["out_trade_no"], resource.get("out_refund_no"))
    report = told.trade or told.refund
    assert report is not None
    assert report.amount_fen == resource["amount"]["refund" if told.refund else "total"]


@pytest.mark.parametrize("vector", vectors("wechat", "aead"), ids=name_of)
def test_wechat_resources_open_as_the_sdks_open_them(vector: dict[str, Any]) -> None:
    key = WECHAT["api_v3_key"].encode()
    if vector["expected"]["accepted"]:
        assert open_sealed(vector["input"], key).decode() == vector["expected"]["plaintext"]
    else:
        with pytest.raises(ValueError, match="does not open"):
            open_sealed(vector["input"], key)


@pytest.mark.parametrize("vector", vectors("wechat", "certificates"), ids=name_of)
def test_wechat_certificates_open_as_the_sdks_open_them_and_verify(vector: dict[str, Any]) -> None:
    named = {
        item["serial_no"]: open_sealed(item["encrypt_certificate"], WECHAT["api_v3_key"].encode()).decode()
        for item in json.loads(vector["input"]["body"])["data"]
    }
    assert named == {item["serial_no"]: item["pem"] for item in vector["expected"]["certificates"]}
    assert AnswerVerifier(named)


@pytest.mark.parametrize("vector", vectors("wechat", "callup"), ids=name_of)
def test_wechat_pages_are_called_up_as_the_sdks_call_them_up(vector: dict[str, Any]) -> None:
    given = vector["input"]
    signer = RequestSigner(
        WECHAT["mchid"],
        WECHAT["merchant_serial_no"],
        WECHAT["merchant_private_key_pem"],
        clock=lambda: float(given["timeStamp"]),
    )
    called = signer.call_up(given["appId"], given["package"], given["nonceStr"])
    assert called == given | {"paySign": vector["expected"]["paySign"]}


@pytest.mark.parametrize(
    "header", [f"wechatpay-{part}" for part in ("timestamp", "nonce", "signature", "serial", "signature-type")]
)
@pytest.mark.parametrize("value", [None, "", "x", "9" * 400, "²", "é"])
def test_wechat_needs_every_signature_header_and_survives_any_content(header: str, value: str | None) -> None:
    given = next(vector["input"] for vector in vectors("wechat", "response") if vector["id"] == "wechat-res-ok")
    verifier = AnswerVerifier(wechat_settings()["platform_public_keys"], clock=lambda: given["clock"])
    headers: dict[str, str] = {name.lower(): text for name, text in given["headers"].items()}
    headers.pop(header)
    if value is not None:
        headers[header] = value
    assert verifier.check(headers, given["body"].encode()) is Authenticity.FORGED


def test_wechat_without_any_signature_header_is_unsigned() -> None:
    verifier = AnswerVerifier(wechat_settings()["platform_public_keys"])
    assert verifier.check({"content-type": "application/json"}, b"{}") is Authenticity.UNSIGNED


@pytest.mark.parametrize("vector", vectors("alipay", "request"), ids=name_of)
async def test_alipay_requests_are_signed_as_the_sdks_sign_them(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    params = given["params"]
    assert request_string(params) == expected["string"]
    key = load_private_key(ALIPAY["app_private_key_pem"])
    assert await signature_of(params, key, given.get("charset", "utf-8")) == expected["sign"]


@pytest.mark.parametrize("vector", vectors("alipay", "response"), ids=name_of)
def test_alipay_answers_are_judged_as_the_sdks_judge_them(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    body = base64.b64decode(given["body_base64"]) if "body_base64" in given else given["body"].encode()
    key = load_public_key(ALIPAY["alipay_public_key_pem"])
    opened = open_answer(body, given["method"], key, given.get("charset", "utf-8"))
    assert (opened.authenticity is Authenticity.VERIFIED) is expected["accepted"]
    if expected["accepted"]:
        assert opened.node == expected["node"]


@pytest.mark.parametrize("vector", vectors("alipay", "notification"), ids=name_of)
def test_alipay_notifications_are_read_or_refused_as_by_the_sdks(vector: dict[str, Any]) -> None:
    settings = AlipaySettings(**(alipay_settings() | {"seller_id": "2088201916734621"}))
    key, body = load_public_key(ALIPAY["alipay_public_key_pem"]), vector["input"]["body"].encode()
    if not vector["expected"]["accepted"]:
        with pytest.raises(NotificationRefused, match=r"^signature$"):
            read_alipay_notification(body, settings, key)
        return
    told, fields = read_alipay_notification(body, settings, key), vector["expected"]["fields"]
    assert (told.order_no, told.refund_no) == (fields["out_trade_no"], fields.get("out_biz_no"))
    if told.trade is not None:
        assert told.trade.amount_fen == 1280


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"a":1}',
        b'{"alipay_trade_query_response":1}',
        b'{"alipay_trade_query_response":{}',
        b'{"alipay_trade_query_response":{},"alipay_trade_query_response":{}}',
        b'{"alipay_trade_query_response":{}} x',
        b'{"alipay_trade_query_response":{}\xff}',
        b'{"alipay_trade_query_response":' + b"[" * 100_000,
        b"<html>",
    ],
)
def test_alipay_text_without_one_clear_node_is_no_answer(body: bytes) -> None:
    with pytest.raises(ChannelUnknown):
        open_answer(body, "alipay.trade.query", load_public_key(ALIPAY["alipay_public_key_pem"]))


def _unionpay_signing(vector: dict[str, Any]) -> Signing:
    signer = vector["input"].get("signer")
    if signer == "secure_key" or (signer is None and "check_cn" not in vector["input"]):
        return KeyedHashSigning(UNIONPAY["secure_key"])
    own = "merchant2" if signer == "merchant2" else "merchant"
    return CertificateSigning(
        signing_certificate_pem=UNIONPAY[f"{own}_certificate_pem"],
        signing_private_key_pem=UNIONPAY[f"{own}_private_key_pem"],
        root_certificate_pem=UNIONPAY["root_certificate_pem"],
        middle_certificate_pem=UNIONPAY["middle_certificate_pem"],
        allowed_signer="" if vector["input"].get("check_cn", True) else "00040000:SIGN",
    )


def _is_spoken(vector: dict[str, Any]) -> bool:
    """Version 5.0.0 (SHA-1) and signMethod 12 (SM3) are not spoken by the adapter."""
    return not any(word in vector["id"] for word in ("5.0.0", "sm3"))


@pytest.mark.parametrize("vector", [item for item in vectors("unionpay", "sign") if _is_spoken(item)], ids=name_of)
async def test_unionpay_requests_are_signed_as_the_official_sdk_signs_them(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    sent = await _unionpay_signing(vector).signed(given["fields"], given["encoding"])
    assert sent == expected["fields"]
    assert signed_string(sent) == expected["string"]


@pytest.mark.parametrize("vector", vectors("unionpay", "response"), ids=name_of)
def test_unionpay_answers_are_judged_as_the_official_sdk_judges_them(vector: dict[str, Any]) -> None:
    given = vector["input"]
    raw = base64.b64decode(given["body_base64"]) if "body_base64" in given else given["body"].encode()
    fields = parse_answer(raw.decode(given["encoding"]))
    verified = _unionpay_signing(vector).check(fields, given["encoding"]) is Authenticity.VERIFIED
    assert verified is (vector["expected"]["accepted"] and _is_spoken(vector))


def test_unionpay_answers_of_the_other_sign_method_are_refused() -> None:
    """Whoever knows neither key must not choose the weaker check."""
    certificate = next(item for item in vectors("unionpay", "response") if item["id"] == "unionpay-res-ok")
    keyed = next(item for item in vectors("unionpay", "response") if item["id"] == "unionpay-res-sha256")
    for answer, other in ((certificate, keyed), (keyed, certificate)):
        fields = parse_answer(answer["input"]["body"])
        assert _unionpay_signing(other).check(fields) is Authenticity.FORGED


def test_a_unionpay_certificate_is_trusted_only_while_it_is_valid() -> None:
    vector = next(item for item in vectors("unionpay", "response") if item["id"] == "unionpay-res-ok")
    fields = parse_answer(vector["input"]["body"])
    now = [1_795_308_596.0]
    signing = CertificateSigning(
        signing_certificate_pem=UNIONPAY["merchant_certificate_pem"],
        signing_private_key_pem=UNIONPAY["merchant_private_key_pem"],
        root_certificate_pem=UNIONPAY["root_certificate_pem"],
        middle_certificate_pem=UNIONPAY["middle_certificate_pem"],
        clock=lambda: now[0],
    )
    assert signing.check(fields) is Authenticity.VERIFIED
    now[0] = 4_000_000_000.0  # 2096, after the certificate's end: the kept verdict does not outlive it
    assert signing.check(fields) is Authenticity.FORGED
    now[0] = 0.0
    assert signing.check(fields) is Authenticity.FORGED


@pytest.mark.parametrize("vector", vectors("unionpay", "parse"), ids=name_of)
def test_unionpay_text_is_parsed_as_the_official_sdk_parses_it(vector: dict[str, Any]) -> None:
    if vector["expected"].get("error"):
        with pytest.raises(ValueError, match="name"):
            parse_answer(vector["input"]["text"])
    else:
        assert parse_answer(vector["input"]["text"]) == vector["expected"]["fields"]


def test_unionpay_text_with_a_repeated_name_is_refused() -> None:
    with pytest.raises(ValueError, match="repeated"):
        parse_answer("respCode=01&respCode=00")


def test_blank_unionpay_fields_are_not_sent() -> None:
    assert without_blanks({"a": " 1 ", "b": "  ", "c": ""}) == {"a": "1"}


@pytest.mark.parametrize("vector", vectors("unionpay", "file"), ids=name_of)
def test_unionpay_files_are_unpacked_as_the_official_sdk_unpacks_them(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    content = inflated(given["fileContent"])
    if "text" in expected:
        assert content.decode(given["encoding"]) == expected["text"]
    else:
        assert content == base64.b64decode(expected["file_base64"])
        assert entries(content) == {name: base64.b64decode(raw) for name, raw in expected["entries"].items()}


@pytest.mark.parametrize("vector", vectors("unionpay", "notification"), ids=name_of)
def test_unionpay_notifications_are_read_as_the_official_sdk_reads_them(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    fields, encoding = read_form(given["body"].encode())
    accepted = _unionpay_signing(vector).check(fields, encoding) is Authenticity.VERIFIED
    assert accepted is expected["accepted"]
    if accepted:
        assert (fields, encoding) == (expected["fields"], given["encoding"].lower())
        assert signed_string(fields) == expected["string"]


@pytest.mark.parametrize("vector", vectors("unionpay", "qra_sign"), ids=name_of)
def test_requests_of_the_front_are_signed_and_written_as_the_sdk_does(vector: dict[str, Any]) -> None:
    given, expected = vector["input"]["fields"], vector["expected"]
    sent = QraSigning(UNIONPAY["qra_key"]).signed(given)
    assert qra_signed_string(sent) == expected["string"]
    assert sent["sign"] == expected["sign"]
    written = write_qra(sent)
    assert read_qra(written) == read_qra(expected["xml"].encode()) == sent
    assert sorted(written) == sorted(expected["xml"].encode())  # the same elements; their order is free


@pytest.mark.parametrize("vector", vectors("unionpay", "qra_response"), ids=name_of)
def test_answers_and_notifications_of_the_front_are_judged_as_the_sdk_judges_them(vector: dict[str, Any]) -> None:
    fields = read_qra(vector["input"]["body"].encode())
    accepted = QraSigning(UNIONPAY["qra_key"]).check(fields) is Authenticity.VERIFIED
    assert accepted is vector["expected"]["accepted"]
    if accepted:
        assert fields == vector["expected"]["fields"]
