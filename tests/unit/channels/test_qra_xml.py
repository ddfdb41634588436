"""The front's XML and signature: what is written is read back and verifies; nothing hostile is expanded or believed."""

from __future__ import annotations

from pathlib import Path
from string import ascii_letters
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.channels.qra_signing import QraSigning, is_ambiguous, signed_string
from routing.channels.qra_xml import BYTES_MAX, FIELDS_MAX, read, write
from routing.channels.wire import Authenticity
from tests.unit.channels.test_any_answer import QUIETLY

SIGNING = QraSigning("0737423372cc00a13c34ed499224b411")
NAMES = st.text(ascii_letters + "_", min_size=1, max_size=8)
PRINTABLE = st.text(max_size=20).filter(str.isprintable)
FIELDS = st.dictionaries(NAMES, PRINTABLE, max_size=8)


@QUIETLY
@given(FIELDS)
def test_what_is_written_is_read_back_by_us_and_by_others(fields: dict[str, str]) -> None:
    written = write(fields)
    assert read(written) == fields
    assert {child.tag: child.text or "" for child in ET.fromstring(written)} == fields


@QUIETLY
@given(FIELDS.filter(lambda fields: not is_ambiguous(fields) and "sign" not in fields))
def test_what_is_signed_verifies_and_nothing_else_does(fields: dict[str, str]) -> None:
    signed = SIGNING.signed(fields)
    assert SIGNING.check(read(write(signed))) is Authenticity.VERIFIED
    assert "" not in signed.values()
    assert SIGNING.check(signed | {"zz": "1"}) is Authenticity.FORGED
    assert SIGNING.check(signed | {"zz": ""}) is Authenticity.VERIFIED  # empty fields are no part of it
    assert QraSigning("another").check(signed) is Authenticity.FORGED
    assert SIGNING.check({name: value for name, value in signed.items() if name != "sign"}) is Authenticity.UNSIGNED
    for name, value in fields.items():
        assert SIGNING.check(signed | {name: f"{value}1"}) is Authenticity.FORGED


@QUIETLY
@given(FIELDS, NAMES, NAMES)
def test_a_value_with_further_fields_in_it_is_neither_signed_nor_believed(
    fields: dict[str, str], name: str, inner: str
) -> None:
    ambiguous = {key: value for key, value in fields.items() if key != "sign"} | {name: f"x&{inner}=1"}
    with pytest.raises(ValueError, match="ambiguous"):
        SIGNING.signed(ambiguous)
    if name != "sign":
        forged = ambiguous | {"sign": SIGNING.signature_of(ambiguous)}
        assert SIGNING.check(forged) is Authenticity.FORGED


@QUIETLY
@given(st.text(max_size=40))
def test_any_signature_is_compared_and_none_breaks_the_comparison(claimed: str) -> None:
    expected = Authenticity.UNSIGNED if not claimed else Authenticity.FORGED
    assert SIGNING.check({"a": "1", "sign": claimed.encode(errors="replace").decode()}) is expected


def test_the_signed_string_is_sorted_and_leaves_out_what_is_empty_and_the_signature() -> None:
    assert signed_string({"b": "2", "a_0": "1", "sign": "X", "c": "", "a": "拿铁"}) == "a=拿铁&a_0=1&b=2"


@pytest.mark.parametrize("value", ["a\x00", "a\nb", "\r", "\t", "\ud800", "\ufffe", "\x7f", "\u2028"])
def test_what_xml_or_a_parser_would_change_is_not_written(value: str) -> None:
    with pytest.raises(ValueError, match="not for XML"):
        write({"body": value})


@pytest.mark.parametrize("name", ["", "1a", "a b", "a><b", "é", "a" * 65])
def test_only_plain_names_are_written(name: str) -> None:
    with pytest.raises(ValueError, match="not for XML"):
        write({name: "1"})


def test_a_secret_file_is_neither_opened_nor_named(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    document = f'<!DOCTYPE xml [<!ENTITY a SYSTEM "{secret.as_uri()}">]><xml><a>&a;</a></xml>'
    with pytest.raises(ValueError, match="a document type"):
        read(document.encode())


BOMB = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 1_000 + b'"><!ENTITY b "' + b"&a;" * 1_000 + b'">]><xml><c>&b;</c></xml>'


@pytest.mark.parametrize(
    "document",
    [
        BOMB,
        b"<!DOCTYPE xml><xml><a>1</a></xml>",
        b'<!DOCTYPE xml PUBLIC "x" "http://127.0.0.1/x.dtd"><xml><a>1</a></xml>',
        b"<xml><a>&b;</a></xml>",
        b"<xml><a>1</a><a>1</a></xml>",
        b"<xml><a><b>1</b></a></xml>",
        b"<xml>text<a>1</a></xml>",
        b"<xml><a>1</a></xml><xml/>",
        b"<xml><a>1</xml>",
        b"<xml><a>\xff</a></xml>",
        b"<xml><a>\x00</a></xml>",
        b"<xml><a>&#0;</a></xml>",
        "<xml><é>1</é></xml>".encode(),
        "<xml><a>付</a></xml>".encode("gb18030"),
        "<xml><a>1</a></xml>".encode("utf-16"),
        b"",
        b"<a" + b" b='1'" * 20_000 + b"/>",
        b"<xml>" + b"<a>" * 5_000,
        b"<xml>" + b"".join(b"<a%d>1</a%d>" % (place, place) for place in range(FIELDS_MAX + 1)) + b"</xml>",
        b"<xml><a>" + b"1" * BYTES_MAX + b"</a></xml>",
    ],
)
def test_what_is_no_single_level_of_fields_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(document)


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        (b'<?xml version="1.0" encoding="UTF-8"?>\n<xml>\n <a>1</a>\n</xml>\n', {"a": "1"}),
        (b'<?xml version="1.0" encoding="GBK"?><xml><a>\xe4\xbb\x98</a></xml>', {"a": "付"}),
        (b"<xml><a><![CDATA[<&>]]>&amp;&#x4ed8;</a><b/><c></c></xml>", {"a": "<&>&付", "b": "", "c": ""}),
        (b"<xml><a> 1 <!-- x -->2 </a></xml>", {"a": " 1 2 "}),
        (b"<root><a>1</a></root>", {"a": "1"}),
        (b"<xml/>", {}),
    ],
)
def test_what_is_one_is_read_with_every_character(document: bytes, fields: dict[str, str]) -> None:
    assert read(document) == fields


@QUIETLY
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    try:
        fields = read(document)
    except ValueError:
        return
    assert all(isinstance(value, str) for value in fields.values())
