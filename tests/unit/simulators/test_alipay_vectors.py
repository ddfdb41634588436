"""The Alipay simulator's signing code, and its front, against the golden vectors."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from routing.simulators.alipay import AlipayCall, AlipayChannel
from routing.simulators.alipay_account import AlipayAccount, KeyPair
from routing.simulators.alipay_signing import charset_of, envelope, merge, request_text, sign, verifies
from routing.simulators.books import Books
from routing.simulators.channel import HttpAnswer, HttpRequest
from routing.simulators.pem import private_key, public_key
from tests.unit.simulators.vectors import golden, name_of, vectors

KEYS = golden("alipay")["keys"]
APP_KEY = public_key(KEYS["app_public_key_pem"])
ALIPAY_KEY = private_key(KEYS["alipay_private_key_pem"])
ACCOUNT = AlipayAccount(KEYS["app_id"], "2088201916734621", (KeyPair(APP_KEY, ALIPAY_KEY),))
IMPLEMENTED = {
    "alipay.trade.pay",
    "alipay.trade.query",
    "alipay.trade.cancel",
    "alipay.trade.close",
    "alipay.trade.refund",
    "alipay.trade.precreate",
    "alipay.trade.create",
}
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
    if method in IMPLEMENTED:
        assert isinstance(read, AlipayCall)
        assert read.name == method
    else:
        assert isinstance(read, HttpAnswer)
        assert b"isv.invalid-method" in read.body
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
