"""Refunds for tests: requests with new numbers, the calls of the refund API, and waiting for an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import httpx

from gateway.kernel.ids import new_ulid
from gateway.refunds.schemas import RefundObject
from tests.support.till import Till, shape_of

ENDED: Final = frozenset({"succeeded", "failed"})


def new_refund(payment: Mapping[str, Any], amount: int | None = None, **changes: Any) -> dict[str, Any]:
    """A request with a new refund number, of the whole payment unless told otherwise; None leaves a field out."""
    request = {
        "payment_id": payment["id"],
        "amount": payment["amount"] if amount is None else amount,
        "merchant_refund_no": f"R-{new_ulid()}",
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


async def ask(
    till: Till,
    request: Mapping[str, Any],
    *,
    wait_s: int | None = None,
    idempotency_key: str | None = None,
) -> httpx.Response:
    """POST /v1/refunds."""
    headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    return await till.client.post("/v1/refunds", json=dict(request), headers=headers)


async def refund(till: Till, payment: Mapping[str, Any], amount: int | None = None, **changes: Any) -> dict[str, Any]:
    """A new refund as the answer shows it.  `wait_s` bounds the answer."""
    wait_s = changes.pop("wait_s", None)
    return refund_of(await ask(till, new_refund(payment, amount, **changes), wait_s=wait_s), 201)


async def get(till: Till, refund_id: str) -> httpx.Response:
    """GET /v1/refunds/{id}."""
    return await till.client.get(f"/v1/refunds/{refund_id}")


async def listed(till: Till, **filters: Any) -> httpx.Response:
    """GET /v1/refunds."""
    return await till.client.get("/v1/refunds", params=filters)


async def settled(
    till: Till, refund_id: str, statuses: Collection[str] = ENDED, timeout_s: float = 20.0
) -> dict[str, Any]:
    """The refund once it stands in one of these states."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = refund_of(await get(till, refund_id))
        if found["status"] in statuses:
            return found
        assert time.monotonic() < deadline, f"still not {'/'.join(sorted(statuses))}: {found}"
        await asyncio.sleep(0.05)


def refund_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The refund in an answer, whose shape must be exactly the documented one."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    found: dict[str, Any] = answer.json()
    documented = RefundObject.model_validate_json(answer.content, strict=True).model_dump(mode="json")
    assert shape_of(found) == shape_of(documented)
    return found
