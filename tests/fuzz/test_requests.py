"""Arbitrary values, bytes, paths and headers: never a 500, always the one error shape, nothing written on a refusal."""

from __future__ import annotations

import json
import os
from typing import Any, Final
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from gateway.kernel.ids import new_id
from tests.fuzz.world import World
from tests.support.till import error_of, new_order, payment_of

EXAMPLES: Final = os.environ.get("FUZZ_EXAMPLES")
BOUNDED: Final = settings(
    max_examples=int(EXAMPLES or 150),
    deadline=None,
    derandomize=EXAMPLES is None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)
"""The same examples in every run; FUZZ_EXAMPLES=5000 searches further, with new ones in every run."""

TEXTS: Final = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=st.characters(codec=None, categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=10),
    st.sampled_from(["", "1", "2599", "CNY", "barcode", "pay_", "null", "\x00", "\ud800", "١٢٣", "1e5", "-0"]),
)
NUMBERS: Final = st.one_of(
    st.integers(min_value=-(10**30), max_value=10**30),
    st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**400]),
    st.floats(allow_nan=True, allow_infinity=True),
)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
FIELDS: Final = (
    "merchant_order_no", "amount", "currency", "method", "auth_code", "description", "store_id", "terminal_id",
    "operator_id", "customer", "coupons", "expected_payable", "replaces", "metadata", "expires_in", "notify_url",
)  # fmt: skip
CUSTOMER_FIELDS: Final = ("id", "ip", "device_id", "location", "card_bin")
EXPECTED: Final = frozenset({201, 400, 404, 409})


def _assert_classified(world: World, answer: httpx.Response, before: dict[str, int]) -> None:
    """A payment, or an error in its shape that wrote nothing."""
    assert answer.status_code in EXPECTED, f"{answer.status_code}: {answer.text}"
    if answer.status_code == 201:
        payment_of(answer, 201)
        return
    assert error_of(answer, answer.status_code)["param"], answer.text
    assert world.written() == before


@BOUNDED
@given(field=st.sampled_from(FIELDS), value=VALUES)
def test_any_value_in_any_field_is_taken_or_refused_by_name(world: World, field: str, value: Any) -> None:
    before = world.written()
    answer = world.post(json.dumps({**new_order(), field: value}).encode())
    _assert_classified(world, answer, before)
    if answer.status_code == 400:
        error = answer.json()["error"]
        assert error["code"] == "invalid_json" or error["param"].partition(".")[0] == field


@BOUNDED
@given(field=st.sampled_from(CUSTOMER_FIELDS), value=VALUES)
def test_any_value_in_any_field_of_the_customer_is_taken_or_refused_by_name(
    world: World, field: str, value: Any
) -> None:
    before = world.written()
    answer = world.post(json.dumps(new_order(customer={field: value})).encode())
    _assert_classified(world, answer, before)
    if answer.status_code == 400:
        error = answer.json()["error"]
        assert error["code"] == "invalid_json" or error["param"].startswith(f"customer.{field}")


@BOUNDED
@given(changes=st.dictionaries(st.sampled_from(FIELDS) | TEXTS, VALUES, max_size=6))
def test_any_mixture_of_fields_is_taken_or_refused(world: World, changes: dict[str, Any]) -> None:
    before = world.written()
    _assert_classified(world, world.post(json.dumps({**new_order(), **changes}).encode()), before)


@BOUNDED
@given(metadata=st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=60), max_size=20))
def test_metadata_that_is_taken_comes_back_exactly(world: World, metadata: dict[str, str]) -> None:
    before = world.written()
    answer = world.post(json.dumps(new_order(metadata=metadata)).encode())
    _assert_classified(world, answer, before)
    if answer.status_code == 201:
        assert answer.json()["metadata"] == metadata
        assert world.run(world.till.get(answer.json()["id"])).json()["metadata"] == metadata


@BOUNDED
@given(document=VALUES)
def test_any_json_document_as_a_body_is_refused(world: World, document: Any) -> None:
    before = world.written()
    answer = world.post(json.dumps(document).encode())
    _assert_classified(world, answer, before)
    assert answer.status_code == 400


@BOUNDED
@given(body=st.binary(max_size=200))
def test_any_bytes_as_a_body_are_refused(world: World, body: bytes) -> None:
    before = world.written()
    answer = world.post(body)
    _assert_classified(world, answer, before)
    assert answer.status_code == 400


@BOUNDED
@given(data=st.data())
def test_a_request_with_a_few_bytes_changed_is_taken_or_refused(world: World, data: st.DataObject) -> None:
    before = world.written()
    body = bytearray(json.dumps(new_order(customer={"id": "c"}, metadata={"a": "b"})).encode())
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=3)):
        body[place] = data.draw(st.integers(0, 255))
    _assert_classified(world, world.post(bytes(body)), before)


@BOUNDED
@given(
    name=st.sampled_from(
        ["status", "limit", "starting_after", "created_from", "created_to", "store_id", "terminal_id",
         "merchant_order_no", "refresh", "unknown"]
    ),
    value=st.one_of(st.text(max_size=30).map(lambda text: quote(text, errors="surrogatepass")),
                    st.binary(max_size=20).map(quote), st.datetimes().map(lambda at: quote(at.isoformat())),
                    st.integers().map(str), st.floats().map(str)),
)  # fmt: skip
def test_any_filter_gives_a_list_or_is_refused(world: World, name: str, value: str) -> None:
    answer = world.request("GET", f"/v1/payments?{name}={value}")
    assert answer.status_code in {200, 400}, answer.text
    if answer.status_code == 400:
        error_of(answer, 400, param=name)


@BOUNDED
@given(piece=st.one_of(st.text(max_size=30).map(lambda text: quote(text, safe="", errors="surrogatepass")),
                       st.binary(max_size=40).map(lambda raw: quote(raw, safe=""))))  # fmt: skip
def test_any_id_in_a_path_is_refused(world: World, piece: str) -> None:
    assume(piece not in {".", ".."})  # the client itself resolves these
    for method, path in (
        ("GET", f"/v1/payments/{piece}"),
        ("POST", f"/v1/payments/{piece}/cancel"),
        ("PATCH", f"/admin/v1/channel_accounts/{piece}"),
        ("GET", f"/admin/v1/channel_accounts/{piece}"),
        ("POST", f"/admin/v1/channel_accounts/{piece}/rotate"),
        ("GET", f"/{piece}"),
    ):
        answer = world.request(method, path)
        if answer.status_code == 200:
            assert piece in {"", "livez", "readyz", "metrics", "docs"}, path
            continue
        assert 400 <= answer.status_code < 500, answer.text
        error_of(answer, answer.status_code)


@BOUNDED
@given(
    name=st.sampled_from(["Idempotency-Key", "Prefer", "Authorization", "Content-Type", "Content-Encoding", "X-Other"]),
    value=st.binary(max_size=60).filter(lambda raw: not set(raw) & set(b"\r\n\x00\x0b\x0c") and raw == raw.strip()),
)
def test_any_header_is_taken_or_refused(world: World, name: str, value: bytes) -> None:
    before = world.written()
    body = json.dumps(new_order()).encode()
    headers = {b"content-type": b"application/json", name.lower().encode(): value}
    try:
        answer = world.request("POST", "/v1/payments", content=body, headers=headers)
    except httpx.LocalProtocolError:
        return  # the client itself refuses to send it
    assert answer.status_code in {201, 400, 401, 409, 415}, answer.text
    if answer.status_code != 201:
        error_of(answer, answer.status_code)
        assert world.written() == before


@BOUNDED
@given(
    changes=st.dictionaries(
        st.sampled_from(
            ["name", "timezone", "scopes", "status", "id", "channel", "merchant_id", "settings", "priority",
             "fee_rate_millionths", "overlap_hours"]
        )
        | TEXTS,
        VALUES | st.dictionaries(st.sampled_from(["mchid", "base_url", "api_v3_key", "rhythm"]) | TEXTS, VALUES),
        max_size=3,
    )
)  # fmt: skip
def test_any_request_of_the_admin_api_is_taken_or_refused(world: World, changes: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {world.stack.admin_token}", "Content-Type": "application/json"}
    for method, path in (
        ("POST", "/merchants"),
        ("POST", f"/merchants/{world.stack.shop.id}/keys"),
        ("POST", f"/merchants/{new_id('mer')}/keys"),
        ("PATCH", "/channel_accounts/nobody"),
        ("POST", "/channel_accounts"),
        ("POST", "/channel_accounts/nobody/rotate"),
        ("POST", "/channel_accounts/wechat_direct/rotate"),
    ):
        content = json.dumps(changes).encode()
        answer = world.request(method, f"/admin/v1{path}", content=content, headers=headers)
        assert answer.status_code in {201, 400, 404}, answer.text
        if answer.status_code != 201:
            error_of(answer, answer.status_code)
