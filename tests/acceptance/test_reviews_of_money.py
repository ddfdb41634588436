"""Refunds, late money and notifications that only a person can decide about: settled, and the books agree."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.payments.numbers import attempt_order_no
from tests.support.gateway import GatewayStack
from tests.support.looking import events_of, look_now
from tests.support.notifications import acknowledged, resend
from tests.support.refunds import get, refund, refund_of
from tests.support.refunds import settled as refund_settled
from tests.support.review_fixtures import admin, agreed, simulators, stack_options
from tests.support.reviews import REVIEWS, audited, decide, listed, review_of, reviewed, settled
from tests.support.till import WALLETS, Till, error_of, new_code, payment_of
from tests.support.waiting import eventually

__all__ = ["admin", "agreed", "simulators", "stack_options"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

REFUSED = {"wechat": "NOT_ENOUGH", "alipay": "ACQ.SELLER_BALANCE_NOT_ENOUGH", "unionpay": "36"}
"""A channel's word for: not this refund, not now."""


async def unreachable(stack: GatewayStack, till: Till, admin: httpx.AsyncClient) -> dict[str, Any]:
    """A refund that WeChat cannot bring to its customer."""
    payment = await till.paid("wechat")
    stack.simulators.set_faults("wechat", {"kind": "refund_ends", "as": "abnormal", "times": 1})
    made = await refund(till, payment, 599)
    assert (await reviewed(admin, made["id"]))["reason"] == "abnormal"
    return made


async def put_in_review(database: asyncpg.Connection, made: dict[str, Any], reason: str) -> None:
    """As if the channel had said something else before."""
    await database.execute(
        "UPDATE refunds SET review = $2, review_at = now(), next_at = now() + interval '1 day' WHERE id = $1",
        made["id"],
        reason,
    )


async def test_a_refund_is_asked_about_again_and_comes_back_while_the_channel_says_the_same(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    made = await unreachable(stack, till, admin)
    assert (await decide(admin, made["id"], "ask_again")).status_code == 200
    found = await reviewed(admin, made["id"], refresh=True)
    assert [given["verdict"] for given in found["history"]] == ["ask_again"]
    assert (found["kind"], found["status"], found["expected"]) == ("refund", "pending", 599)
    assert (found["channel_says"]["state"], found["channel_says"]["amount"]) == ("abnormal", 599)
    assert [event["type"] for event in await events_of(database, made["payment_id"])][-1] == "payment.review_settled"


async def test_a_refund_that_the_channel_may_still_carry_out_is_not_marked_as_failed(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient
) -> None:
    made = await unreachable(stack, till, admin)
    error = error_of(await decide(admin, made["id"], "mark_failed", note="gone"), 409, "verdict_refused", "verdict")
    assert "own console" in error["message"]
    error_of(await decide(admin, made["id"], "mark_succeeded"), 400, "missing_field", "note")
    error_of(await decide(admin, made["id"], "keep", note="x"), 409, "verdict_impossible", "verdict")
    given = await settled(admin, made["id"], "mark_succeeded", note="paid out to the card on the phone's owner")
    assert given["channel_says"]["state"] == "abnormal"
    after = refund_of(await get(till, made["id"]))
    assert (after["status"], after["review"], after["returned_to_customer"]) == ("succeeded", None, 599)
    payment = payment_of(await till.get(made["payment_id"]))
    assert payment["amount_refunded"] == 599


async def test_a_refund_that_the_channel_closed_fails_and_can_be_asked_for_again(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = await till.paid("unionpay")
    stack.simulators.set_faults(
        "unionpay",
        {"kind": "refund_ends", "as": "closed", "times": 1},
        {"kind": "outage", "calls": ["refund_query"]},
        {"kind": "notify", "effect": "drop"},
    )
    made = await refund(till, payment, 599)
    await eventually(lambda: asked(database, made))
    await put_in_review(database, made, "abnormal")
    error_of(await decide(admin, made["id"], "mark_failed", note="closed"), 503, "channel_away")
    stack.simulators.clear_faults()
    error = error_of(await decide(admin, made["id"], "mark_succeeded", note="closed"), 409, "verdict_refused")
    assert "ask_again" in error["message"]
    await settled(admin, made["id"], "mark_failed", note="the console says closed")
    after = refund_of(await get(till, made["id"]))
    assert (after["status"], after["failure"]["code"]) == ("failed", "refund_refused")
    again = await refund(till, payment, 599)
    assert (await refund_settled(till, again["id"]))["status"] == "succeeded"


async def asked(database: asyncpg.Connection, made: dict[str, Any]) -> bool:
    found: bool = await database.fetchval("SELECT tries > 0 FROM refunds WHERE id = $1", made["id"])
    return found


async def test_a_refund_that_went_through_is_not_marked_as_failed_and_is_kept_once_the_channel_agrees(
    till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = await till.paid("alipay")
    made = await refund_settled(till, (await refund(till, payment, 599))["id"])
    await put_in_review(database, made, "contradicted")
    found = await reviewed(admin, made["id"])
    assert found["verdicts"] == ["ask_again", "keep"]
    error_of(await decide(admin, made["id"], "mark_failed", note="x"), 409, "verdict_impossible")
    given = await settled(admin, made["id"], "ask_again")
    assert given["channel_says"]["state"] == "succeeded"
    assert refund_of(await get(till, made["id"])) == made


async def test_an_end_that_the_channel_contradicts_stands_once_the_difference_is_settled_elsewhere(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = await till.paid("unionpay")
    stack.simulators.set_faults("unionpay", {"kind": "error_code", "code": REFUSED["unionpay"], "calls": ["refund"]})
    made = await refund_settled(till, (await refund(till, payment, 599))["id"])
    assert made["status"] == "failed"
    await put_in_review(database, made, "contradicted")
    stack.simulators.clear_faults()
    error = error_of(await decide(admin, made["id"], "ask_again"), 409, "verdict_refused")
    assert "not_found" in error["message"]
    error_of(await decide(admin, made["id"], "keep"), 400, "missing_field", "note")
    await settled(admin, made["id"], "keep", note="the acquirer's desk confirms: nothing was given back")
    assert refund_of(await get(till, made["id"])) == made


async def refused_return(stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str) -> str:
    """Money came too late, and its channel would not take it back five times; the id of the review."""
    stack.simulators.set_faults(
        wallet,
        {"kind": "late_order", "after_s": 4, "hold_s": 2, "times": 1},
        {"kind": "error_code", "code": REFUSED[wallet], "calls": ["refund"]},
    )
    payment = await till.taken(wallet, wait_s=1, expires_in=30)
    await database.execute("UPDATE payments SET expires_at = now() WHERE id = $1", payment["id"])
    assert (await till.settled(payment["id"]))["status"] == "failed"

    async def is_refused() -> bool:
        await look_now(database, payment["id"])
        captures = payment_of(await till.get(payment["id"]))["late_captures"]
        return [late["status"] for late in captures] == ["review"]

    await eventually(is_refused, timeout_s=60)
    stack.simulators.clear_faults()
    return f"late_{attempt_order_no(payment['id'], 1)}"


@pytest.mark.parametrize("wallet", WALLETS)
async def test_late_money_that_could_not_go_back_goes_back_at_the_next_try(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection, wallet: str
) -> None:
    review_id = await refused_return(stack, till, database, wallet)
    found = await reviewed(admin, review_id, refresh=True)
    assert (found["kind"], found["reason"], found["expected"]) == ("late_capture", "not_returned", 2_599)
    assert (found["channel_says"]["state"], found["verdicts"]) == ("captured", ["try_again", "mark_returned"])
    await settled(admin, review_id, "try_again")

    async def is_back() -> bool:
        captures = payment_of(await till.get(found["payment_id"]))["late_captures"]
        return [late["status"] for late in captures] == ["refunded"]

    await eventually(is_back)


async def test_late_money_that_finance_has_returned_another_way_is_booked_as_returned(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    review_id = await refused_return(stack, till, database, "wechat")
    error_of(await decide(admin, review_id, "mark_returned"), 400, "missing_field", "note")
    given = await settled(admin, review_id, "mark_returned", note="bank transfer of 11-22, reference 7781")
    assert given["channel_says"]["state"] == "captured"
    [late] = payment_of(await till.get(given["payment_id"]))["late_captures"]
    assert (late["status"], late["refunded_at"] is not None) == ("refunded", True)
    types = [event["type"] for event in await events_of(database, given["payment_id"])]
    assert types[-2:] == ["payment.review_settled", "payment.late_capture_refunded"]
    report = await audited(stack)
    assert report.totals.apart["by_hand"].kept_fen == 2_599


async def test_a_notification_that_contradicts_the_books_waits_until_somebody_has_looked(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = payment_of(await till.pay(new_code("wechat")), 201)
    stack.simulators.scan("wechat", payment["qr_code"])
    told = await acknowledged(stack.simulators, payment)
    await database.execute(
        "UPDATE callbacks SET result = 'review', applied_at = now() WHERE payment_id = $1", payment["id"]
    )
    found = await told_of(admin, payment)
    assert found["id"].startswith(f"call_{payment['id'][4:]}_")
    assert (found["reason"], found["merchant_id"], found["order_no"]) == ("review", stack.shop.id, told["order_no"])
    assert found["told"] == {"state": "captured", "amount": 2_599}
    found = review_of(await admin.get(f"{REVIEWS}/{found['id']}", params={"refresh": "true"}))
    assert (found["channel_says"]["state"], found["verdicts"]) == ("captured", ["try_again", "noted"])
    await settled(admin, found["id"], "try_again")

    async def is_applied() -> bool:
        result = await database.fetchval("SELECT result FROM callbacks WHERE payment_id = $1", payment["id"])
        return bool(result == "no_change")

    await eventually(is_applied)


async def told_of(admin: httpx.AsyncClient, payment: dict[str, Any]) -> dict[str, Any]:
    """The payment's notification that is in review."""
    [found] = [each for each in await listed(admin, kind="callback") if each["payment_id"] == payment["id"]]
    return found


async def test_what_told_of_a_refund_in_review_is_settled_with_it(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient
) -> None:
    made = await unreachable(stack, till, admin)

    async def is_told() -> bool:
        return any(each["payment_id"] == made["payment_id"] for each in await listed(admin, kind="callback"))

    await eventually(is_told)
    await settled(admin, made["id"], "mark_succeeded", note="paid out in cash")
    assert not await is_told()


async def test_one_of_an_order_that_is_nobodys_is_noted_and_gone(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = payment_of(await till.pay(new_code("unionpay")), 201)
    stack.simulators.scan("unionpay", payment["qr_code"])
    told = await acknowledged(stack.simulators, payment)
    await asyncio.to_thread(resend, stack.simulators, payment, told, tamper="order")
    await database.execute(
        "UPDATE callbacks SET received_at = now() - interval '25 hours', next_at = now() WHERE applied_at IS NULL"
    )

    async def orphans() -> list[dict[str, Any]]:
        found = await listed(admin, kind="callback", refresh="true")
        return [each for each in found if each["reason"] == "orphan"]

    async def is_orphan() -> bool:
        return bool(await orphans())

    await eventually(is_orphan)
    [found] = await orphans()
    assert (found["merchant_id"], found["channel_says"], found["status"]) == (None, None, None)
    error_of(await decide(admin, found["id"], "noted"), 400, "missing_field", "note")
    await settled(admin, found["id"], "noted", note="of an order of the old system")
    assert await orphans() == []
    report = await audited(stack)
    assert report.callbacks.results["orphan"] == 1
