"""What operations and developers read: request ids, probes, metrics, the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_order
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

_REQUEST_ID = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")


async def test_every_answer_carries_a_request_id_of_its_own(stack: GatewayStack, till: Till) -> None:
    payment = await till.taken(magic="9001")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as stranger:
        answers = [
            await till.pay(new_order()),
            await till.pay({}),
            await till.get(payment["id"]),
            await till.get("pay_x"),
            await till.list(),
            await till.cancel(payment["id"]),
            await till.client.put("/v1/payments"),
            await till.client.get("/no/such/path"),
            await till.client.head("/livez"),
            await till.client.post("/v1/payments", content=b"x" * 100_000),
            await stranger.get("/livez"),
            await stranger.get("/readyz"),
            await stranger.get("/metrics"),
            await stranger.get("/openapi.json"),
            await stranger.get("/docs"),
            await stranger.post("/v1/payments", json={}),
        ]
    ids = [answer.headers["request-id"] for answer in answers]
    assert all(_REQUEST_ID.fullmatch(found) for found in ids)
    assert len(set(ids)) == len(ids)
    for answer in answers:
        if answer.status_code >= 400 and answer.request.method != "HEAD":
            error_of(answer, answer.status_code)


async def test_a_request_id_of_the_caller_is_not_taken_over(till: Till) -> None:
    answer = await till.client.get("/livez", headers={"Request-Id": "req_forged"})
    assert answer.headers.get_list("request-id") != ["req_forged"]
    assert len(answer.headers.get_list("request-id")) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/payments", 404, "no_such_path"),
        ("GET", "/v1/payments/", 404, None),
        ("PUT", "/v1/payments", 405, "method_not_allowed"),
        ("DELETE", "/v1/payments/pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", 405, "method_not_allowed"),
        ("REPORT", "/v1/payments", 405, "method_not_allowed"),
    ],
)
async def test_a_path_or_a_method_that_is_not_there_has_the_error_shape(
    till: Till, method: str, path: str, status: int, code: str | None
) -> None:
    answer = await till.client.request(method, path)
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    error_of(answer, status, code)


async def test_the_probes_answer_without_a_key(stack: GatewayStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).json() == {"status": "ready", "valkey": "up", "postgres": "up"}


async def test_the_metrics_count_payments_and_name_no_customer_merchant_or_order(
    stack: GatewayStack, till: Till
) -> None:
    before = await _samples(stack)
    order = new_order(customer={"id": "customer-77", "ip": "203.0.113.77"}, metadata={"note": "secret-note"})
    await till.pay(order)
    await till.pay(order)
    after = await _samples(stack)
    paid, ended, again = (
        'mashang_payments_total{status="succeeded",wallet="wechat"}',
        'mashang_payments_ended_total{account="wechat_direct",failure="",status="succeeded",wallet="wechat"}',
        "mashang_payments_replayed_total",
    )
    for series in (paid, ended, again):
        assert after[series] - before.get(series, 0) == 1
    turnover = 'mashang_turnover_fen_total{account="wechat_direct",wallet="wechat"}'
    assert after[turnover] - before.get(turnover, 0) == order["amount"]
    text = "\n".join(after)
    for private in (order["merchant_order_no"], order["auth_code"], stack.shop.id, "customer-77", "203.0.113.77"):
        assert private not in text
    assert len(after) < 2000


async def test_paths_that_are_made_up_add_no_series(stack: GatewayStack, till: Till) -> None:
    await till.client.get("/no/such/path/0")
    before = await _samples(stack)
    for number in range(20):
        await till.client.get(f"/no/such/path/{number}")
    new = set(await _samples(stack)) - set(before)
    assert not [name for name in new if "/no/such" in name]
    assert len(new) <= 60


async def test_no_secret_and_no_payment_code_reaches_the_logs(stack: GatewayStack, till: Till) -> None:
    order = new_order(customer={"id": "customer-88", "card_bin": "622288"}, metadata={"note": "very-private"})
    await till.pay(order)
    await till.pay({**order, "amount": "very-private-amount"})
    payment_id = await till.id_of(order["merchant_order_no"])
    await until(lambda: payment_id in stack.log_of(stack.gateways[0]))
    log = stack.log_of(stack.gateways[0]) + stack.log_of(stack.workers[0])
    for private in (order["auth_code"], "customer-88", "622288", "very-private", stack.shop.key.secret):
        assert private not in log


async def test_the_openapi_document_describes_every_endpoint_with_its_errors(stack: GatewayStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        document = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 200
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) >= {
        "/v1/payments",
        "/v1/payments/{payment_id}",
        "/v1/payments/{payment_id}/cancel",
        "/admin/v1/merchants",
        "/admin/v1/merchants/{merchant_id}/keys",
        "/admin/v1/channel_accounts/{account_id}",
        "/livez",
        "/readyz",
        "/metrics",
    }
    incomplete = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            incomplete += [f"{method} {path}: {gap}" for gap in _gaps(document, path, method, operation)]
    assert incomplete == []
    assert not list(_dangling(document, document))
    assert len({operation["operationId"] for operation in _operations(document)}) == len(list(_operations(document)))


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for item in document["paths"].values() for operation in item.values()]


def _gaps(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> list[str]:
    """What is missing from the description of one operation."""
    gaps = [name for name in ("summary", "description", "operationId", "tags") if not operation.get(name)]
    if path.startswith(("/v1", "/admin")):
        answers = operation["responses"]
        gaps += [f"no {status}" for status in ("400", "401", "503") if status not in answers]
        gaps += [
            f"{status} has not the error shape"
            for status, answer in answers.items()
            if status >= "400"
            and answer["content"]["application/json"]["schema"] != {"$ref": "#/components/schemas/ErrorAnswer"}
        ]
        gaps += ["422 is never answered, yet documented" for status in answers if status == "422"]
        if not operation.get("security"):
            gaps.append("no security")
        body = operation.get("requestBody")
        if body is not None and not _has_example(document, body["content"]["application/json"]):
            gaps.append("no example of a request")
        for status, answer in answers.items():
            if status not in {"200", "201"} or all(kind.startswith("image/") for kind in answer["content"]):
                continue
            if not _has_example(document, answer["content"]["application/json"]):
                gaps.append(f"no example of the {status}")
    return gaps


def _has_example(document: dict[str, Any], content: dict[str, Any]) -> bool:
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return bool(content.get("example") or content.get("examples") or schema.get("examples") or schema.get("example"))


def _dangling(document: dict[str, Any], value: Any) -> list[str]:
    """References that lead nowhere."""
    if isinstance(value, list):
        return [found for inner in value for found in _dangling(document, inner)]
    if not isinstance(value, dict):
        return []
    found = [inner for entry in value.values() for inner in _dangling(document, entry)]
    name = value.get("$ref")
    if isinstance(name, str) and name.rpartition("/")[2] not in document["components"]["schemas"]:
        found.append(name)
    return found


async def _samples(stack: GatewayStack) -> dict[str, float]:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        text = (await client.get("/metrics")).text
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
