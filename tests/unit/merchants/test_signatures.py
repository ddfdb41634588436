"""Signed requests: the documented vector, and everything that must not pass."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.errors import NotAuthenticated
from gateway.kernel.ids import new_id
from gateway.merchants.signatures import Signable, SignedHead, read_head, signature, verify

_DOC = Path(__file__).parents[3] / "docs" / "signing.md"
_SECRET = "a signing secret"
_REQUEST = Signable("POST", "/v1/payments?x=1", b'{"amount":1}')
_AT = 1_763_784_000


def _head(request: Signable = _REQUEST, **changes: object) -> SignedHead:
    head = SignedHead(new_id("key"), _AT, "nonce-1", signature(_SECRET, _AT, "nonce-1", request))
    return replace(head, **changes)  # type: ignore[arg-type]


def test_the_vector_of_the_documentation_holds() -> None:
    row = dict(re.findall(r"^\| ([^|`]+|`[^`]+`) \| `(.+)` \|$", _DOC.read_text("utf-8"), re.MULTILINE))
    method, path = row["method, path"].split()
    request = Signable(method, path, row["body"].encode())
    made = signature(row["signing secret"], int(row["timestamp"]), row["nonce"], request)
    assert made == row["`Mashang-Signature`"]


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_a_request_signed_within_five_minutes_passes(off_s: int) -> None:
    verify(_head(), _SECRET, _REQUEST, _AT + off_s)


@pytest.mark.parametrize("off_s", [-301, 301, 10_000_000])
def test_one_signed_earlier_or_later_is_stale(off_s: int) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        verify(_head(), _SECRET, _REQUEST, _AT + off_s)
    assert refused.value.code == "stale_signature"


@pytest.mark.parametrize(
    "changed",
    [
        replace(_REQUEST, method="GET"),
        replace(_REQUEST, target="/v1/payments?x=2"),
        replace(_REQUEST, target="/v1/payments"),
        replace(_REQUEST, body=b'{"amount":2}'),
        replace(_REQUEST, body=b""),
    ],
)
def test_nothing_of_a_signed_request_can_be_changed(changed: Signable) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        verify(_head(), _SECRET, changed, _AT)
    assert refused.value.code == "invalid_signature"


@pytest.mark.parametrize("changes", [{"nonce": "nonce-2"}, {"timestamp": _AT + 1}, {"signature": "v1=" + "0" * 64}])
def test_nor_its_nonce_its_time_or_its_signature(changes: dict[str, object]) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        verify(_head(**changes), _SECRET, _REQUEST, _AT)
    assert refused.value.code == "invalid_signature"


def _headers(head: SignedHead) -> dict[bytes, bytes]:
    return {
        b"mashang-key": head.key_id.encode(),
        b"mashang-timestamp": str(head.timestamp).encode(),
        b"mashang-nonce": head.nonce.encode(),
        b"mashang-signature": head.signature.encode(),
    }


def test_the_headers_are_read_as_they_were_written() -> None:
    assert read_head(_headers(head := _head())) == head


@pytest.mark.parametrize("name", [b"mashang-key", b"mashang-timestamp", b"mashang-nonce", b"mashang-signature"])
@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"x y", b"-1", b"v2=" + b"0" * 64, b"9" * 400])
def test_a_missing_or_malformed_header_is_named(name: bytes, value: bytes | None) -> None:
    headers = _headers(_head())
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    if name == b"mashang-nonce" and value in {b"-1", b"v2=" + b"0" * 64}:
        assert read_head(headers).nonce == value.decode()
        return
    with pytest.raises(NotAuthenticated) as refused:
        read_head(headers)
    assert (refused.value.code, str(refused.value.param).lower().encode()) == ("incomplete_signature", name)


@given(st.dictionaries(st.sampled_from(sorted(_headers(_head()))), st.binary(max_size=200)))
def test_headers_of_any_kind_are_read_or_refused(headers: dict[bytes, bytes]) -> None:
    with suppress(NotAuthenticated):
        assert read_head(headers).signature.startswith("v1=")
