"""Bad input on every endpoint of webhooks: a 4xx that names the place, nothing written, and never an address inside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.acceptance.test_bad_input import CONTROL, NO_TEXTS
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_order
from tests.unit.webhooks.test_addresses import HIDING, INSIDE

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDPOINTS: Final = "/v1/webhook_endpoints"
URL: Final = "https://till.example/hook"
NO_ENDPOINT: Final = "we_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
NO_EVENT: Final = "evt_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
NO_FLAGS: Final = (5, "", "x", [], {}, True, "Enabled", "deleted")
NO_TYPES: Final = (
    "payment.succeeded", {}, 5, True, [], [5], [None], [""], ["payment.created"], ["payment.*"], [["payment.failed"]],
    ["payment.succeeded\n"], ["payment.succeeded"] * 51,
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def no_error_was_logged(stack: GatewayStack) -> AsyncIterator[None]:
    """None of it is a fault of ours."""
    yield
    assert not [line for line in stack.log_of(stack.gateways[0]).splitlines() if '"level":"error"' in line]


async def rows(database: asyncpg.Connection) -> list[Any]:
    """Everything that these endpoints write."""
    tables = ("webhook_endpoints", "webhook_deliveries", "webhook_queue", "events", "payments")
    return [await database.fetchval(f"SELECT array_agg(t::text ORDER BY t::text) FROM {table} t") for table in tables]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def endpoint(till: Till) -> str:
    """The id of an endpoint."""
    answer = await till.client.post(ENDPOINTS, json={"url": URL})
    assert answer.status_code == 201
    return str(answer.json()["id"])


@pytest.mark.parametrize("url", [*INSIDE, *HIDING])
async def test_an_address_that_points_inside_or_hides_is_refused_for_endpoints_and_payments(
    till: Till, database: asyncpg.Connection, url: str
) -> None:
    before = await rows(database)
    for answer, field in (
        (await till.client.post(ENDPOINTS, json={"url": url}), "url"),
        (await till.pay(new_order(notify_url=url)), "notify_url"),
    ):
        error = error_of(answer, 400, param=field)
        assert error["code"] in {"address_refused", "invalid_field"}
        assert len(url) < 10 or url not in error["message"], "the value that was sent is not repeated"
    assert await rows(database) == before


@pytest.mark.parametrize(
    ("body", "param"),
    [
        *[({"url": value}, "url") for value in (*NO_TEXTS, *CONTROL, None, "x" * 501)],
        *[({"url": URL, "description": value}, "description") for value in (*NO_TEXTS, *CONTROL, "", "x" * 128)],
        *[({"url": URL, "types": value}, "types") for value in NO_TYPES],
        ({}, "url"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
        ({"url": URL, "status": "enabled"}, "status"),
        ([], "body"),
        ("x", "body"),
        (None, "body"),
    ],
)
async def test_a_wrong_new_endpoint_is_refused_by_name(
    till: Till, database: asyncpg.Connection, body: Any, param: str
) -> None:
    before = await rows(database)
    error = error_of(await till.client.post(ENDPOINTS, json=body), 400)
    assert (error["param"] or "").split(".")[0] == param, error
    assert await rows(database) == before


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "body"),
        *[({"status": value}, "status") for value in (*NO_FLAGS, None)],
        *[({"types": value}, "types") for value in NO_TYPES],
        *[({"description": value}, "description") for value in (*NO_TEXTS, *CONTROL, "", "x" * 128)],
        ({"url": URL}, "url"),
        ({"secret": "x"}, "secret"),
        ([], "body"),
    ],
)
async def test_a_wrong_change_is_refused_by_name(
    till: Till, database: asyncpg.Connection, endpoint: str, body: Any, param: str
) -> None:
    before = await rows(database)
    error = error_of(await till.client.patch(f"{ENDPOINTS}/{endpoint}", json=body), 400)
    assert (error["param"] or "").split(".")[0] == param, error
    assert await rows(database) == before


@pytest.mark.parametrize("hours", [-1, -0.001, 168.01, 1e309, "24", True, None, [], {}, 10**400])
async def test_a_wrong_overlap_is_refused(till: Till, database: asyncpg.Connection, endpoint: str, hours: Any) -> None:
    before = await rows(database)
    answer = await till.client.post(
        f"{ENDPOINTS}/{endpoint}/rotate_secret",
        content=json.dumps({"overlap_hours": hours}),
        headers={"Content-Type": "application/json"},
    )
    error = error_of(answer, 400)
    assert error["param"] in {"overlap_hours", "body"}
    assert await rows(database) == before


@pytest.mark.parametrize("endpoint_id", ["", "x", 5, True, [], {}, "we_x", "evt_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "we_\x00"])
async def test_a_wrong_place_to_send_to_is_refused(till: Till, endpoint_id: Any) -> None:
    answer = await till.client.post(f"/v1/events/{NO_EVENT}/resend", json={"endpoint_id": endpoint_id})
    error_of(answer, 400, "invalid_field", "endpoint_id")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method, path)
        for method, path in (
            ("GET", f"{ENDPOINTS}/{{}}"), ("PATCH", f"{ENDPOINTS}/{{}}"), ("DELETE", f"{ENDPOINTS}/{{}}"),
            ("POST", f"{ENDPOINTS}/{{}}/rotate_secret"), ("POST", f"{ENDPOINTS}/{{}}/test"), ("GET", "/v1/events/{}"),
            ("POST", "/v1/events/{}/resend"),
        )
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "name", ["x", "we_", "evt_", "we_01jd5zv8w3m0q9c6r1t2x4y7kb", "%00", "we_%00", "💥", "'--", "..%2f", "x" * 2_000]
)
async def test_an_id_that_is_none_is_refused(till: Till, method: str, path: str, name: str) -> None:
    answer = await till.client.request(
        method, path.format(name), json={"status": "enabled"} if method == "PATCH" else None
    )
    assert answer.status_code in {400, 404, 405}, answer.text
    error_of(answer, answer.status_code)


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("/v1/events", {"type": "payment.created"}, "type"),
        ("/v1/events", {"type": ""}, "type"),
        ("/v1/events", {"payment_id": "pay_x"}, "payment_id"),
        ("/v1/events", {"payment_id": NO_ENDPOINT}, "payment_id"),
        ("/v1/events", {"refund_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"}, "refund_id"),
        ("/v1/events", {"created_from": "yesterday"}, "created_from"),
        ("/v1/events", {"created_from": "2026-11-22T01:02:03"}, "created_from"),
        ("/v1/events", {"created_to": "9999-12-31T23:59:59Z"}, "created_to"),
        ("/v1/events", {"created_from": "0001-01-01T00:00:00Z"}, "created_from"),
        ("/v1/events", {"limit": "0"}, "limit"),
        ("/v1/events", {"limit": "101"}, "limit"),
        ("/v1/events", {"limit": "x"}, "limit"),
        ("/v1/events", {"starting_after": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"}, "starting_after"),
        ("/v1/events", {"paymentid": "x"}, "paymentid"),
        (ENDPOINTS, {"limit": "-1"}, "limit"),
        (ENDPOINTS, {"starting_after": NO_EVENT}, "starting_after"),
        (ENDPOINTS, {"status": "enabled"}, "status"),
        (f"{ENDPOINTS}/{NO_ENDPOINT}", {"x": "1"}, "x"),
    ],
)
async def test_a_wrong_filter_is_refused_by_name(till: Till, path: str, query: dict[str, str], param: str) -> None:
    error_of(await till.client.get(path, params=query), 400, param=param)


async def test_bounds_at_the_edge_of_time_are_taken(till: Till) -> None:
    for query in ({"created_from": "1970-01-01T00:00:00Z"}, {"created_to": "9998-12-31T23:59:59Z"}):
        answer = await till.client.get("/v1/events", params=query)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["' OR 1=1 --", "${jndi:ldap://x}", "<script>", "\u202ereversed", "👩‍👩‍👧", "café"])
async def test_any_printable_description_is_stored_exactly(till: Till, endpoint: str, name: str) -> None:
    changed: httpx.Response = await till.client.patch(f"{ENDPOINTS}/{endpoint}", json={"description": name})
    assert changed.json()["description"] == name
    assert (await till.client.get(f"{ENDPOINTS}/{endpoint}")).json()["description"] == name
