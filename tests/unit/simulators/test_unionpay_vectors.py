"""The UnionPay simulator's signing code, and its front, against the golden vectors."""

from __future__ import annotations

import base64
import io
import json
import zipfile
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from routing.simulators.books import Books
from routing.simulators.channel import HttpAnswer, HttpRequest
from routing.simulators.notifications import Forging, Notification
from routing.simulators.pem import private_key
from routing.simulators.signatures import sign
from routing.simulators.unionpay import UnionpayCall, UnionpayChannel
from routing.simulators.unionpay_account import KeyedMerchant, SigningMerchant, UnionpayAccount
from routing.simulators.unionpay_answers import proven_by_us
from routing.simulators.unionpay_fields import BACK, FILE, QUERY
from routing.simulators.unionpay_files import ZM_COLUMNS, deflated, file_content, zm_line
from routing.simulators.unionpay_herald import UnionpayHerald
from routing.simulators.unionpay_signing import (
    digest_hex,
    keyed_hash,
    keyed_verifies,
    raw_answer,
    read_form,
    rsa_verifies,
    signed_text,
)
from tests.unit.simulators.unionpay_till import parse
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
WELL_FORMED = {
    "unionpay-parse-nested",
    "unionpay-parse-brackets",
    "unionpay-parse-brace-in-bracket",
    "unionpay-parse-equals",
    "unionpay-parse-noescape",
}
"""The other texts are odd ones that the simulator never writes."""
TAMPERED = {"tampered", "respcode", "added", "removed"}
PATHS = {"00": QUERY, "76": FILE}


def _rsa_sign(fields: dict[str, str]) -> str:
    """signMethod 01."""
    return sign(SIGN_KEY, digest_hex(fields)).decode()


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
        assert _rsa_sign(fields) == fields["signature"]
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
    assert _rsa_sign(fields) != fields["signature"]


@pytest.mark.parametrize(
    "vector", [vector for vector in vectors("unionpay", "response") if not vector["expected"]["accepted"]], ids=name_of
)
def test_an_answer_that_must_be_refused_is_none_that_the_simulator_writes(vector: dict[str, Any]) -> None:
    """Where the signature is good, as with an unknown certificate, it is the certificate that is not ours."""
    fields = parse(body_of(vector).decode(vector["input"]["encoding"]))
    told = {name: value for name, value in fields.items() if name not in {"signature", "signPubKeyCert"}}
    merchant: SigningMerchant | KeyedMerchant = SigningMerchant(
        fields["merId"], KEYS["merchant_cert_id"], certificate_key("merchant_certificate_pem")
    )
    if fields["signMethod"] != "01":
        merchant = KeyedMerchant(fields["merId"], KEYS["secure_key"])
    account = UnionpayAccount(KEYS["sign_certificate_pem"], SIGN_KEY, {merchant.mer_id: (merchant,)})
    ours = proven_by_us(account, merchant, told)
    assert any(ours.get(name) != fields.get(name) for name in ("signature", "signPubKeyCert"))


def posted_fields(vector: dict[str, Any]) -> dict[str, str]:
    return read_form(vector["input"]["body"].encode())


@pytest.mark.parametrize("vector", vectors("unionpay", "notification"), ids=name_of)
def test_a_notification_is_signed_as_the_sdk_accepts_it(vector: dict[str, Any]) -> None:
    fields = posted_fields(vector)
    if not vector["expected"]["accepted"]:
        assert _rsa_sign(fields) != fields["signature"]
        return
    assert fields == vector["expected"]["fields"]
    assert signed_text(fields) == vector["expected"]["string"]
    assert digest_hex(fields).decode() == vector["expected"]["digest_hex"]
    assert _rsa_sign(fields) == fields["signature"]


@pytest.mark.parametrize(
    "vector",
    [vector for vector in vectors("unionpay", "notification") if vector["expected"]["accepted"]],
    ids=name_of,
)
def test_what_the_herald_posts_is_the_same_form(vector: dict[str, Any]) -> None:
    fields = vector["expected"]["fields"]
    told = {name: value for name, value in fields.items() if name not in {"signature", "signPubKeyCert", "signMethod"}}
    merchant = SigningMerchant(fields["merId"], KEYS["merchant_cert_id"], certificate_key("merchant_certificate_pem"))
    account = UnionpayAccount(fields["signPubKeyCert"], SIGN_KEY, {merchant.mer_id: (merchant,)})
    about = Notification(1, "", "", "", None, 1, 0, "", "", json.dumps(told), 0, None)
    post = UnionpayHerald(account).post(about, 0, Forging())
    assert read_form(post.body) == fields


@pytest.mark.parametrize("vector", vectors("unionpay", "parse"), ids=name_of)
def test_the_tests_read_answers_as_the_sdk_does(vector: dict[str, Any]) -> None:
    if vector["expected"].get("error"):
        with pytest.raises(ValueError, match="without a name"):
            parse(vector["input"]["text"])
    else:
        assert parse(vector["input"]["text"]) == vector["expected"]["fields"]


@pytest.mark.parametrize(
    "vector", [vector for vector in vectors("unionpay", "parse") if vector["id"] in WELL_FORMED], ids=name_of
)
def test_groups_and_equals_signs_are_written_as_the_sdk_reads_them(vector: dict[str, Any]) -> None:
    text, fields = vector["input"]["text"], vector["expected"]["fields"]
    in_order = sorted(fields, key=lambda name: f"&{text}".index(f"&{name}="))
    assert raw_answer({name: fields[name] for name in in_order}).decode() == text


@pytest.mark.parametrize("vector", vectors("unionpay", "file"), ids=name_of)
def test_a_file_is_packed_as_the_sdk_unpacks_it(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    is_text = "text" in expected
    content = expected["text"].encode(given["encoding"]) if is_text else base64.b64decode(expected["file_base64"])
    assert unpacked(given["fileContent"]) == content
    assert unpacked(deflated(content)) == content


def test_a_files_entries_names_and_lines_are_those_of_the_sdks_file() -> None:
    [vector] = [vector for vector in vectors("unionpay", "file") if "entries" in vector["expected"]]
    packed = unpacked(vector["input"]["fileContent"])
    wanted = {name: base64.b64decode(content) for name, content in vector["expected"]["entries"].items()}
    assert entries_of(packed) == wanted
    [details] = [content for name, content in wanted.items() if name[11:14] == "ZM_"]
    mer_id = vector["input"]["fileName"].partition("_")[0]
    rewritten = [zm_line(fields_of(line)) for line in details.split(b"\r\n")[:-1]]
    ours = file_content(mer_id, "261121", rewritten)
    assert ours["fileName"] == vector["input"]["fileName"]
    assert entries_of(unpacked(ours["fileContent"])) == wanted


def unpacked(content: str) -> bytes:
    return zlib.decompress(base64.b64decode(content, validate=True))


def entries_of(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def fields_of(line: bytes) -> dict[str, str]:
    """A line's fields by the simulator's names, cut at the widths of the simulator's columns."""
    fields, at = {}, 0
    for name, width in ZM_COLUMNS:
        fields[name] = line[at : at + width].decode("gbk").rstrip()
        at += width + 1
    assert at == len(line)
    return fields
