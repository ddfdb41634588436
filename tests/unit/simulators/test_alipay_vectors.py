"""The Alipay simulator's signing code, and its front, against the golden vectors."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from routing.simulators.alipay import AlipayCall, AlipayChannel
from routing.simulators.alipay_account import AlipayAccount, KeyPair
from routing.simulators.alipay_herald import AlipayHerald
from routing.simulators.alipay_signing import (
    charset_of,
    envelope,
    merge,
    notification_text,
    request_text,
    verifies,
)
from routing.simulators.books import Books
from routing.simulators.channel import HttpRequest
from routing.simulators.notifications import Forging, Notification
from routing.simulators.pem import private_key, public_key
from routing.simulators.signatures import sign
from tests.unit.simulators.vectors import golden, name_of, vectors

KEYS = golden("alipay")["keys"]
APP_KEY = public_key(KEYS["app_public_key_pem"])
ALIPAY_KEY = private_key(KEYS["alipay_private_key_pem"])
ACCOUNT = AlipayAccount(KEYS["app_id"], "2088201916734621", (KeyPair(APP_KEY, ALIPAY_KEY),))
WITH_SIGN_TYPE = "alipay-ntf-with-signtype"
"""A kind of message that is signed otherwise; a payment's never is."""
PER_TRY = {"notify_id", "notify_time", "sign", "sign_type"}
SENT = [vector for vector in vectors("alipay", "request") if "query" in vector["expected"].get("wire", {})]


def parameters_of(vector: dict[str, Any]) -> dict[str, str]:
    return {**vector["input"]["params"], "sign": vector["expected"]["sign"]}


@pytest.mark.parametrize("vector", vectors("alipay", "request"), ids=name_of)
def test_a_request_of_each_sdk_verifies_and_a_changed_one_does_not(vector: dict[str, Any]) -> None:
    parameters = parameters_of(vector)
    assert request_text(parameters) == vector["expected"]["string"]
    assert verifies(APP_KEY, parameters)
    assert not verifies(APP_KEY, {**parameters, "version": "1.1"})
    assert not verifies(APP_KEY, {**parameters, "extra": "1"})
    assert not verifies(public_key(KEYS["alipay_public_key_pem"]), parameters)


@pytest.mark.parametrize("vector", SENT, ids=name_of)
def test_what_each_sdk_puts_on_the_wire_is_merged_to_its_parameters(vector: dict[str, Any]) -> None:
    wire = vector["expected"]["wire"]
    assert merge(wire["query"], wire["body"]) == parameters_of(vector)


@pytest.mark.parametrize("vector", SENT, ids=name_of)
async def test_the_front_takes_what_the_sdks_send(vector: dict[str, Any], tmp_path: Path) -> None:
    wire, method = vector["expected"]["wire"], vector["input"]["params"]["method"]
    sent = datetime.fromisoformat(vector["input"]["params"]["timestamp"] + "+08:00")
    at_ms = int(sent.timestamp() * 1_000)
    books = Books(tmp_path / "books.sqlite", lambda: at_ms)
    request = HttpRequest(wire["method"], "/gateway.do", "/gateway.do", wire["query"], {}, wire["body"].encode())
    read = AlipayChannel(ACCOUNT, books).read(request)
    assert isinstance(read, AlipayCall)
    assert read.name == method
    books.close()


@pytest.mark.parametrize("vector", vectors("alipay", "response"), ids=name_of)
def test_an_answer_is_signed_and_laid_out_as_the_sdks_accept_it(vector: dict[str, Any]) -> None:
    given, charset = vector["input"], charset_of({"charset": vector["input"]["charset"]})
    body = base64.b64decode(given["body_base64"]) if "body_base64" in given else given["body"].encode()
    if not vector["expected"]["accepted"]:
        name, node = body.split(b":", 1)[0], body.split(b":", 1)[1]
        node = node[: node.rindex(b',"sign"')] if b',"sign"' in node else node[:-1]
        assert envelope(name.decode().strip('{"'), node, sign(ALIPAY_KEY, node)) != body
        return
    signed = vector["expected"]["signed_text"].encode(charset)
    signature = sign(ALIPAY_KEY, signed)
    assert signature.decode() == vector["expected"]["sign"]
    if b"alipay_cert_sn" not in body:
        name = body.split(b'"', 2)[1].decode()
        assert envelope(name, signed, signature) == body


def fields_of(vector: dict[str, Any]) -> dict[str, str]:
    return dict(parse_qsl(vector["input"]["body"], keep_blank_values=True, encoding=vector["input"]["charset"]))


@pytest.mark.parametrize("vector", vectors("alipay", "notification"), ids=name_of)
def test_a_notification_is_signed_as_the_sdks_accept_it(vector: dict[str, Any]) -> None:
    fields = fields_of(vector)
    signed = notification_text(fields)
    ours = sign(ALIPAY_KEY, signed.encode(vector["input"]["charset"])).decode()
    if not vector["expected"]["accepted"] or vector["id"] == WITH_SIGN_TYPE:
        assert ours != fields.get("sign")
        return
    assert fields == vector["expected"]["fields"]
    assert signed == vector["expected"]["string"]
    assert ours == vector["expected"]["sign"]


@pytest.mark.parametrize(
    "vector", [vector for vector in vectors("alipay", "notification") if vector["expected"]["accepted"]], ids=name_of
)
def test_what_the_herald_posts_is_the_same_form(vector: dict[str, Any]) -> None:
    fields = vector["expected"]["fields"]
    told = {name: value for name, value in fields.items() if name not in PER_TRY}
    about = Notification(1, fields["notify_id"], "", "", None, 1, 0, "", "", json.dumps(told), 0, None)
    sent = datetime.fromisoformat(fields["notify_time"] + "+08:00")
    post = AlipayHerald(ACCOUNT).post(about, int(sent.timestamp() * 1_000), Forging())
    posted = dict(parse_qsl(post.body.decode("ascii"), encoding=vector["input"]["charset"]))
    assert posted.keys() == fields.keys()
    differing = {name for name in posted if posted[name] != fields[name]}
    assert differing == ({"sign"} if vector["id"] == WITH_SIGN_TYPE else set())
