"""The front simulator's messages and signatures against the golden vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from routing.simulators.books import Books
from routing.simulators.channel import HttpAnswer, HttpRequest
from routing.simulators.notifications import Forging, Notification
from routing.simulators.qra import GATEWAY, QraCall, QraChannel
from routing.simulators.qra_account import QraAccount
from routing.simulators.qra_herald import QraHerald
from routing.simulators.qra_signing import md5_sign, md5_verifies, read_xml, signed_text, write_xml
from tests.unit.simulators.vectors import golden, name_of, vectors

KEYS = golden("unionpay")["keys"]
KEY = KEYS["qra_key"]
ACCOUNT = QraAccount(KEYS["qra_mch_id"], (KEY,))
SIGNS = vectors("unionpay", "qra_sign")
RESPONSES = vectors("unionpay", "qra_response")


@pytest.mark.parametrize("vector", SIGNS, ids=name_of)
def test_a_request_of_the_sdk_verifies_and_a_changed_one_does_not(vector: dict[str, Any]) -> None:
    expected = vector["expected"]
    fields = read_xml(expected["xml"].encode())
    said = {name: text for name, text in vector["input"]["fields"].items() if text}
    assert {name: text for name, text in fields.items() if name != "sign"} == said
    assert signed_text(fields) == expected["string"]
    assert md5_sign(KEY, fields) == expected["sign"] == fields["sign"]
    assert md5_verifies(KEY, fields)
    assert not md5_verifies(KEY, fields | {"nonce_str": "another"})
    assert not md5_verifies("another", fields)


@pytest.mark.parametrize("vector", SIGNS, ids=name_of)
def test_the_front_takes_what_the_sdk_sends(vector: dict[str, Any], tmp_path: Path) -> None:
    books = Books(tmp_path / "books.sqlite")
    channel, body = QraChannel(ACCOUNT, books), vector["expected"]["xml"].encode()
    read = channel.read(HttpRequest("POST", GATEWAY, GATEWAY, "", {}, body))
    other = QraChannel(QraAccount(KEYS["qra_mch_id"], ("another",)), books)
    refused = other.read(HttpRequest("POST", GATEWAY, GATEWAY, "", {}, body))
    books.close()
    assert isinstance(read, QraCall)
    assert read.order_no == vector["input"]["fields"]["out_trade_no"]
    assert isinstance(refused, HttpAnswer)


@pytest.mark.parametrize("vector", RESPONSES, ids=name_of)
def test_an_answer_is_signed_and_written_as_the_sdk_accepts_it_and_none_that_it_refuses_is_ours(
    vector: dict[str, Any],
) -> None:
    body = vector["input"]["body"].encode()
    fields = read_xml(body)
    ours = fields | {"sign": md5_sign(KEY, fields)}
    assert (write_xml(ours) == body) == vector["expected"]["accepted"]
    if vector["expected"]["accepted"]:
        assert fields == vector["expected"]["fields"]


@pytest.mark.parametrize("vector", [vector for vector in RESPONSES if vector["id"].endswith("notify")], ids=name_of)
def test_what_the_herald_posts_is_the_same_xml(vector: dict[str, Any]) -> None:
    told = {name: text for name, text in vector["expected"]["fields"].items() if name != "sign"}
    about = Notification(1, "", "", "", None, 1, 0, "", "", json.dumps(told), 0, None)
    assert QraHerald(ACCOUNT).post(about, 0, Forging()).body == vector["input"]["body"].encode()
