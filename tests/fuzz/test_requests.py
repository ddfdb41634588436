"""Payments under arbitrary values, bytes and paths: never a 500, one error shape, nothing written on a refusal."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.fuzz.values import QUOTED, TEXTS, VALUES, bounded
from tests.fuzz.world import World
from tests.support.till import error_of, new_order, payment_of

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


@bounded(60, per_minute=100)
@given(field=st.sampled_from(FIELDS), value=VALUES)
def test_any_value_in_any_field_is_taken_or_refused_by_name(world: World, field: str, value: Any) -> None:
    before = world.written()
    answer = world.post(json.dumps({**new_order(), field: value}).encode())
    _assert_classified(world, answer, before)
    if answer.status_code == 400:
        error = answer.json()["error"]
        assert error["code"] == "invalid_json" or error["param"].partition(".")[0] == field


@bounded(60, per_minute=100)
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


@bounded(60, per_minute=100)
@given(changes=st.dictionaries(st.sampled_from(FIELDS) | TEXTS, VALUES, max_size=6))
def test_any_mixture_of_fields_is_taken_or_refused(world: World, changes: dict[str, Any]) -> None:
    before = world.written()
    _assert_classified(world, world.post(json.dumps({**new_order(), **changes}).encode()), before)


@bounded(60, per_minute=100)
@given(metadata=st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=60), max_size=20))
def test_metadata_that_is_taken_comes_back_exactly(world: World, metadata: dict[str, str]) -> None:
    before = world.written()
    answer = world.post(json.dumps(new_order(metadata=metadata)).encode())
    _assert_classified(world, answer, before)
    if answer.status_code == 201:
        assert answer.json()["metadata"] == metadata
        assert world.run(world.till.get(answer.json()["id"])).json()["metadata"] == metadata


@bounded(60, per_minute=100)
@given(document=VALUES)
def test_any_json_document_as_a_body_is_refused(world: World, document: Any) -> None:
    before = world.written()
    answer = world.post(json.dumps(document).encode())
    _assert_classified(world, answer, before)
    assert answer.status_code == 400


@bounded(60, per_minute=100)
@given(body=st.binary(max_size=200))
def test_any_bytes_as_a_body_are_refused(world: World, body: bytes) -> None:
    before = world.written()
    answer = world.post(body)
    _assert_classified(world, answer, before)
    assert answer.status_code == 400


@bounded(60, per_minute=100)
@given(data=st.data())
def test_a_request_with_a_few_bytes_changed_is_taken_or_refused(world: World, data: st.DataObject) -> None:
    before = world.written()
    body = bytearray(json.dumps(new_order(customer={"id": "c"}, metadata={"a": "b"})).encode())
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=3)):
        body[place] = data.draw(st.integers(0, 255))
    _assert_classified(world, world.post(bytes(body)), before)


@bounded(60, per_minute=100)
@given(piece=QUOTED)
def test_any_address_that_leads_nowhere_is_refused(world: World, piece: str) -> None:
    assume(piece not in {"", ".", "..", "livez", "readyz", "metrics", "docs"})  # the client resolves dots itself
    for method in ("GET", "POST", "DELETE"):
        answer = world.request(method, f"/{piece}")
        error_of(answer, 404)
        assert answer.json()["error"]["code"] in {"no_such_path", "not_found"}
