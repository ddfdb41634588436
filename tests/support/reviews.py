"""What waits for a person, over the admin API, and the channel's own console, where people act past the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from gateway.admin.reviews.schemas import ReviewList, ReviewObject, VerdictObject
from gateway.audit.report import as_json
from gateway.audit.run import AuditOptions, AuditReport, audit
from gateway.audit.simulators import SimulatorBooks
from gateway.kernel.clock import utc_now
from gateway.kernel.money import Money
from gateway.payments.numbers import attempt_order_no
from routing.channels.base import CallLimits, ChannelOrder, RefundOrder
from routing.channels.registry import build_channel
from routing.channels.transport import HttpTransport
from tests.support.gateway import GatewayStack
from tests.support.till import shape_of
from tests.support.waiting import eventually

REVIEWS = "/admin/v1/reviews"


def review_of(answer: httpx.Response) -> dict[str, Any]:
    """The review in an answer, exactly as documented."""
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    documented = ReviewObject.model_validate_json(answer.content).model_dump(mode="json")
    assert shape_of(found) == shape_of(documented)
    return found


async def listed(admin: httpx.AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    """A page of what is in review."""
    answer = await admin.get(REVIEWS, params=filters)
    assert answer.status_code == 200, answer.text
    ReviewList.model_validate_json(answer.content)
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def reviewed(admin: httpx.AsyncClient, review_id: str, *, refresh: bool = False) -> dict[str, Any]:
    """It, as soon as it is in review."""

    async def is_there() -> bool:
        return (await admin.get(f"{REVIEWS}/{review_id}")).status_code == 200

    await eventually(is_there)
    return review_of(await admin.get(f"{REVIEWS}/{review_id}", params={"refresh": "true"} if refresh else {}))


async def decide(
    admin: httpx.AsyncClient, review_id: str, verdict: str, *, key: str | None = None, **more: Any
) -> httpx.Response:
    """Settle it."""
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"verdict": verdict, "by": "li.wei", **more}
    return await admin.post(f"{REVIEWS}/{review_id}/settle", json=body, headers=headers)


async def settled(admin: httpx.AsyncClient, review_id: str, verdict: str, **more: Any) -> dict[str, Any]:
    """The same, where it must be carried out: the verdict as it was recorded."""
    answer = await decide(admin, review_id, verdict, **more)
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json()
    VerdictObject.model_validate_json(answer.content)
    assert (given["review_id"], given["verdict"], given["by"]) == (review_id, verdict, "li.wei")
    assert (await admin.get(f"{REVIEWS}/{review_id}")).status_code == 404
    return given


async def audited(stack: GatewayStack) -> AuditReport:
    """The audit of the stack, which has to agree."""
    books = [SimulatorBooks(name, url) for name, url in stack.simulators.base_urls.items()]
    try:
        report = await audit(stack.database_url, books, AuditOptions(wait_s=10))
    finally:
        for each in books:
            await each.aclose()
    assert report.agrees, as_json(report).decode()
    return report


async def refund_in_console(stack: GatewayStack, payment: Mapping[str, Any]) -> None:
    """Somebody gives the whole payment back at the channel itself, under a number that is none of ours."""
    wallet = payment["wallet"]
    [seed] = [seed for seed in stack.simulators.accounts if seed.id == f"{wallet}_direct"]
    transport = HttpTransport()
    try:
        channel = build_channel(wallet, {**seed.settings, "notify_url": "http://127.0.0.1:1/nobody"}, transport)
        amount = Money(payment["payable"])
        order = ChannelOrder(attempt_order_no(payment["id"], 1), utc_now(), amount)
        await channel.refund(RefundOrder(order, f"CONSOLE{payment['id'][-12:]}", amount, utc_now(), "x"), CallLimits(5))
    finally:
        await transport.aclose()
