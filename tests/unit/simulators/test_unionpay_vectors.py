"""The UnionPay simulator's signing code, and its front, against the golden vectors."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from routing.simulators.books import Books
from routing.simulators.channel import HttpAnswer, HttpRequest
from routing.simulators.pem import private_key
from routing.simulators.unionpay import UnionpayCall, UnionpayChannel
from routing.simulators.unionpay_account import KeyedMerchant, SigningMerchant, UnionpayAccount
from routing.simulators.unionpay_fields import BACK, FILE, QUERY
from routing.simulators.unionpay_signing import (
    digest_hex,
    keyed_hash,
    keyed_verifies,
    raw_answer,
    read_form,
    rsa_sign,
    rsa_verifies,
    signed_text,
)
from tests.unit.simulators.vectors import golden, name_of, vectors

KEYS = golden("unionpay")["keys"]
SIGN_KEY = private_key(KEYS["sign_private_key_pem"])
UNSUPPORTED = {"unionpay-sign-5.0.0", "unionpay-sign-sm3"}
"""Version 5.0.0 (SHA-1) and signMethod 12 (SM3): the simulator refuses them."""
NOT_OURS = {
    "unionpay-res-empty-value": "our answers never hold an empty value",
    "unionpay-res-testcn-lax": "signed by the test environment's certificate",
    "unionpay-res-5.0.0": "SHA-1",
    "unionpay-res-sm3": "SM3",
}
TAMPERED = {"tampered", "respcode", "added", "removed"}
PATHS = {"00": QUERY, "76": FILE}


def certificate_key(name: str) -> RSAPublicKey:
    key = x509.load_pem_x509_certificate(KEYS[name].encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


@pytest.mark.parametrize(
    "vector", [vector for vector in vectors("unionpay", "sign") if vector["id"] not in UNSUPPORTED], ids=name_of
)
def test_a_request_of_the_sdk_verifies_and_a_changed_one_does_not(vector: dict[str, Any]) -> None:
    expected = vector["expected"]
    fields = read_form(expected["form_body"].encode())
    assert fields == expected["fields"]
    assert signed_text(fields) == expected["string"]
    assert digest_hex(fields).decode() == expected["digest_hex"]
    changed = fields | {"orderId": "MS00000000000000"}
    if vector["input"]["signer"] == "secure_key":
        assert keyed_hash(KEYS["secure_key"], fields) == fields["signature"]
        assert keyed_verifies(KEYS["secure_key"], fields)
        assert not keyed_verifies(KEYS["secure_key"], changed)
        assert not keyed_verifies("another", fields)
    else:
        key = certificate_key(f"{vector['input']['signer']}_certificate_pem")
        assert rsa_verifies(key, fields)
        assert not rsa_verifies(key, changed)
        assert not rsa_verifies(certificate_key("sign_certificate_pem"), fields)


@pytest.mark.parametrize("vector", vectors("unionpay", "sign"), ids=name_of)
async def test_the_front_takes_what_the_sdk_sends(vector: dict[str, Any], tmp_path: Path) -> None:
    fields = vector["expected"]["fields"]
    signer = vector["input"]["signer"]
    if signer == "secure_key":
        merchant: SigningMerchant | KeyedMerchant = KeyedMerchant(fields["merId"], KEYS["secure_key"])
    else:
        merchant = SigningMerchant(
            fields["merId"], KEYS[f"{signer}_cert_id"], certificate_key(f"{signer}_certificate_pem")
        )
    account = UnionpayAccount(KEYS["sign_certificate_pem"], SIGN_KEY, {merchant.mer_id: (merchant,)})
    sent = datetime.strptime(fields["txnTime"], "%Y%m%d%H%M%S").replace(tzinfo=timezone(timedelta(hours=8)))
    books = Books(tmp_path / "books.sqlite", lambda: int(sent.timestamp() * 1_000))
    path = PATHS.get(fields["txnType"], BACK)
    request = HttpRequest("POST", path, path, "", {}, vector["expected"]["form_body"].encode())
    read = UnionpayChannel(account, books).read(request)
    books.close()
    if vector["id"] in UNSUPPORTED:
        assert isinstance(read, HttpAnswer)
        assert b"respCode=1" in read.body
    else:
        assert isinstance(read, UnionpayCall)
        assert read.order_no == fields.get("orderId", "")


def body_of(vector: dict[str, Any]) -> bytes:
    given = vector["input"]
    return base64.b64decode(given["body_base64"]) if "body_base64" in given else given["body"].encode()


@pytest.mark.parametrize(
    "vector",
    [
        vector
        for vector in vectors("unionpay", "response")
        if vector["expected"]["accepted"] and vector["id"] not in NOT_OURS
    ],
    ids=name_of,
)
def test_an_answer_is_signed_and_written_as_the_sdk_accepts_it(vector: dict[str, Any]) -> None:
    body, fields = body_of(vector), dict(vector["expected"]["fields"])
    if fields["signMethod"] == "11":
        assert keyed_hash(KEYS["secure_key"], fields) == fields["signature"]
    else:
        assert signed_text(fields) == vector["expected"]["string"]
        assert rsa_sign(SIGN_KEY, fields) == fields["signature"]
    in_order = sorted(fields, key=lambda name: (b"&" + body).index(f"&{name}=".encode()))
    assert raw_answer({name: fields[name] for name in in_order}) == body


@pytest.mark.parametrize(
    "vector",
    [vector for vector in vectors("unionpay", "response") if vector["id"].rpartition("-")[2] in TAMPERED],
    ids=name_of,
)
def test_an_answer_that_was_changed_would_have_been_signed_otherwise(vector: dict[str, Any]) -> None:
    pairs = [pair.partition("=") for pair in body_of(vector).decode().split("&")]
    fields = {name: value for name, _, value in pairs}
    assert rsa_sign(SIGN_KEY, fields) != fields["signature"]
