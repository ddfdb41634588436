"""Payments that only a person can decide about: shown with what the channel says, settled, and the books agree."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.kernel.ids import new_id
from tests.support.gateway import GatewayStack
from tests.support.looking import events_of, expire
from tests.support.notifications import notifications, resend
from tests.support.review_fixtures import admin, agreed, simulators, stack_options
from tests.support.reviews import (
    REVIEWS,
    decide,
    listed,
    refund_in_console,
    reviewed,
    settled,
)
from tests.support.till import WALLETS, Till, error_of, new_code, payment_of
from tests.support.waiting import eventually, until

__all__ = ["admin", "agreed", "simulators", "stack_options"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def overcharged(till: Till, wallet: str) -> dict[str, Any]:
    """A payment for which the channel took one fen too many."""
    return await till.taken(wallet, "9010", wait_s=1)


async def rightly_charged(stack: GatewayStack, till: Till, wallet: str) -> dict[str, Any]:
    """A code of which a wrong amount was told, while its channel took the right one."""
    payment = payment_of(await till.pay(new_code(wallet)), 201)
    stack.simulators.set_faults(
        wallet,
        {"kind": "notify", "effect": "drop"},
        {"kind": "outage", "calls": ["query"]},
    )
    stack.simulators.scan(wallet, payment["qr_code"])
    await until(lambda: bool(notifications(stack.simulators, payment)))
    [dropped] = notifications(stack.simulators, payment)
    await asyncio.to_thread(resend, stack.simulators, payment, dropped, tamper="amount")
    return payment


async def irreversible(stack: GatewayStack, till: Till) -> dict[str, Any]:
    """A customer who never types the PIN, and a channel that will not reverse."""
    stack.simulators.set_faults(
        "alipay", {"kind": "error_code", "code": "ACQ.TRADE_CANCEL_TIME_OUT", "calls": ["reverse"]}
    )
    payment = await till.taken("alipay", "9004", wait_s=1)
    await till.cancel(payment["id"], wait_s=1)
    return payment


async def types(database: asyncpg.Connection, payment: dict[str, Any]) -> list[str]:
    return [event["type"] for event in await events_of(database, payment["id"])]


@pytest.mark.parametrize("wallet", WALLETS)
async def test_what_the_channel_took_too_much_goes_back_whole(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await overcharged(till, wallet)
    found = await reviewed(admin, payment["id"], refresh=True)
    assert (found["kind"], found["reason"], found["expected"]) == ("payment", "amount_mismatch", 2_599)
    assert (found["channel_says"]["state"], found["channel_says"]["amount"]) == ("captured", 2_600)
    assert found["verdicts"] == ["query_again", "accept_capture", "give_back"]

    error = error_of(await decide(admin, payment["id"], "accept_capture"), 409, "verdict_refused", "verdict")
    assert "2600 fen" in error["message"]
    assert "give_back" in error["message"]

    given = await settled(admin, payment["id"], "give_back", note="one fen too many")
    assert (given["reason"], given["note"], given["channel_says"]["amount"]) == (
        "amount_mismatch", "one fen too many", 2_600,
    )  # fmt: skip
    after = payment_of(await till.get(payment["id"]))
    assert (after["status"], after["failure"]["code"], after["review"]) == ("failed", "given_back", None)

    async def is_back() -> bool:
        captures = payment_of(await till.get(payment["id"]))["late_captures"]
        return [(late["amount"], late["status"]) for late in captures] == [(2_600, "refunded")]

    await eventually(is_back)
    assert stack.simulators.trade_of(payment)["refunded"] == 2_600
    assert await types(database, payment) == [
        "payment.created",
        "payment.review_settled",
        "payment.abandoned",
        "payment.late_capture_found",
        "payment.late_capture_refunded",
    ]


async def test_a_code_that_was_paid_in_another_amount_fails_and_its_money_goes_back(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient
) -> None:
    payment = payment_of(await till.pay(new_code("wechat")), 201)
    stack.simulators.set_faults("wechat", {"kind": "wrong_amount", "delta": -9, "calls": ["scan"]})
    stack.simulators.scan("wechat", payment["qr_code"])
    await reviewed(admin, payment["id"])
    await settled(admin, payment["id"], "give_back")

    async def is_back() -> bool:
        after = payment_of(await till.get(payment["id"]))
        return after["status"] == "failed" and [late["status"] for late in after["late_captures"]] == ["refunded"]

    await eventually(is_back)
    assert stack.simulators.trade_of(payment)["refunded"] == 2_590


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_capture_in_the_right_amount_is_accepted_and_booked(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await rightly_charged(stack, till, wallet)
    assert (await reviewed(admin, payment["id"]))["reason"] == "amount_mismatch"
    error_of(await decide(admin, payment["id"], "accept_capture"), 503, "channel_away")
    stack.simulators.clear_faults()
    given = await settled(admin, payment["id"], "accept_capture")
    assert given["channel_says"]["amount"] == 2_599
    after = payment_of(await till.get(payment["id"]))
    assert (after["status"], after["review"]) == ("succeeded", None)
    assert (await types(database, payment))[-2:] == ["payment.review_settled", "payment.captured"]
    assert await database.fetchval("SELECT count(*) FROM transfers WHERE payment_id = $1", payment["id"]) == 2


async def test_the_worker_goes_on_with_a_payment_that_is_to_be_queried_again(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient
) -> None:
    payment = await rightly_charged(stack, till, "wechat")
    await reviewed(admin, payment["id"])
    stack.simulators.clear_faults()
    await settled(admin, payment["id"], "query_again")
    assert (await till.settled(payment["id"]))["status"] == "succeeded"


async def test_what_is_still_wrong_comes_back_with_what_was_decided_before(
    till: Till, admin: httpx.AsyncClient
) -> None:
    payment = await overcharged(till, "alipay")
    await reviewed(admin, payment["id"])
    assert (await decide(admin, payment["id"], "query_again")).status_code == 200
    found = await reviewed(admin, payment["id"])
    assert [(given["verdict"], given["by"]) for given in found["history"]] == [("query_again", "li.wei")]


async def test_nothing_is_booked_or_given_back_where_the_channel_has_no_money_and_the_worker_ends_it(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = await irreversible(stack, till)
    found = await reviewed(admin, payment["id"], refresh=True)
    assert (found["reason"], found["channel_says"]["state"]) == ("not_reversible", "pending")
    for verdict in ("accept_capture", "give_back"):
        error = error_of(await decide(admin, payment["id"], verdict), 409, "verdict_refused")
        assert "query_again" in error["message"]
    error_of(await decide(admin, payment["id"], "mark_reversed", note="x"), 409, "verdict_impossible")
    stack.simulators.clear_faults()
    await settled(admin, payment["id"], "query_again")
    await expire(database, payment["id"])
    assert (await till.settled(payment["id"]))["status"] == "reversed"


async def test_a_payment_that_was_refunded_at_the_channel_itself_ends_reversed_once_somebody_has_seen_it(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient
) -> None:
    stack.simulators.set_faults(
        "wechat", {"kind": "timeout_after_charging", "hold_s": 2}, {"kind": "outage", "calls": ["query", "reverse"]}
    )
    payment = await till.taken("wechat", wait_s=1)
    await refund_in_console(stack, payment)
    stack.simulators.clear_faults()
    found = await reviewed(admin, payment["id"], refresh=True)
    assert (found["reason"], found["channel_says"]["state"]) == ("refunded_elsewhere", "refunded")
    assert found["verdicts"] == ["query_again", "mark_reversed"]
    error_of(await decide(admin, payment["id"], "mark_reversed"), 400, "missing_field", "note")
    await settled(admin, payment["id"], "mark_reversed", note="the console shows a full refund of today")
    assert payment_of(await till.get(payment["id"]))["status"] == "reversed"


async def test_a_verdict_is_carried_out_once_under_its_key_and_by_one_of_ten_that_come_at_once(
    till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = await overcharged(till, "unionpay")
    await reviewed(admin, payment["id"])
    first = await decide(admin, payment["id"], "give_back", key=new_id("key"))
    assert first.status_code == 200, first.text
    again = await decide(admin, payment["id"], "give_back", key=first.request.headers["Idempotency-Key"])
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    error_of(await decide(admin, payment["id"], "give_back"), 404, "not_found", "review_id")

    other = await overcharged(till, "unionpay")
    await reviewed(admin, other["id"])
    answers = await asyncio.gather(*[decide(admin, other["id"], "give_back") for _ in range(10)])
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 404, 409}
    assert (await types(database, other)).count("payment.review_settled") == 1


async def test_a_verdict_is_refused_at_once_while_another_one_of_the_same_review_is_carried_out(
    till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = await overcharged(till, "unionpay")
    await reviewed(admin, payment["id"])
    async with database.transaction():
        await database.execute("SELECT pg_advisory_xact_lock(hashtextextended('review ' || $1, 0))", payment["id"])
        error_of(await decide(admin, payment["id"], "give_back"), 409, "review_changed")
        assert "payment.review_settled" not in await types(database, payment)
    assert (await decide(admin, payment["id"], "give_back")).status_code == 200


async def test_the_list_has_every_kind_in_pages_and_asks_the_channels_when_told_to(
    till: Till, admin: httpx.AsyncClient
) -> None:
    payments = [await overcharged(till, wallet) for wallet in WALLETS]
    for payment in payments:
        await reviewed(admin, payment["id"])
    ids = [found["id"] for found in await listed(admin, kind="payment", limit=100)]
    assert {payment["id"] for payment in payments} <= set(ids)
    assert ids == sorted(ids, reverse=True)
    pages: list[str] = []
    while page := await listed(admin, kind="payment", limit=2, **({"starting_after": pages[-1]} if pages else {})):
        pages += [found["id"] for found in page]
    assert pages == ids
    assert await listed(admin, kind="refund") == []
    refreshed = await listed(admin, kind="payment", refresh="true", limit=20)
    assert {found["channel_says"]["state"] for found in refreshed if found["id"] in {p["id"] for p in payments}} == {
        "captured"
    }
    assert {found["channel_says"] for found in await listed(admin, limit=3)} == {None}
    for payment in payments:
        await settled(admin, payment["id"], "give_back")


BAD = [
    ({"verdict": "give_back"}, "missing_field", "by"),
    ({"verdict": "give_back", "by": ""}, "invalid_field", "by"),
    ({"verdict": "give_back", "by": "x" * 65}, "invalid_field", "by"),
    ({"verdict": "give_back", "by": 7}, "invalid_field", "by"),
    ({"verdict": "give_back", "by": "a\u0000b"}, "invalid_field", "by"),
    ({"verdict": "burn", "by": "x"}, "invalid_field", "verdict"),
    ({"verdict": "give_back", "by": "x", "note": ""}, "invalid_field", "note"),
    ({"verdict": "give_back", "by": "x", "note": "n" * 501}, "invalid_field", "note"),
    ({"verdict": "give_back", "by": "x", "force": True}, "unknown_field", "force"),
]


@pytest.mark.parametrize(("body", "code", "param"), BAD)
async def test_a_bad_verdict_is_refused_by_the_name_of_its_field(
    admin: httpx.AsyncClient, body: dict[str, Any], code: str, param: str
) -> None:
    answer = await admin.post(f"{REVIEWS}/{new_id('pay')}/settle", json=body)
    error_of(answer, answer.status_code, code, param)
    assert answer.status_code in {400, 422}


async def test_who_asks_for_what_is_not_there_or_has_no_token_is_told_so(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    verdict = {"verdict": "give_back", "by": "x"}
    for nowhere in (new_id("pay"), new_id("ref"), f"late_{new_id('x')[2:]}A1", f"call_{new_id('x')[2:]}_{'0' * 16}"):
        error_of(await admin.get(f"{REVIEWS}/{nowhere}"), 404, "not_found", "review_id")
        error_of(await admin.post(f"{REVIEWS}/{nowhere}/settle", json=verdict), 404, "not_found", "review_id")
    for none in ("pay_1", "evt_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "%27;--"):
        assert (await admin.get(f"{REVIEWS}/{none}")).status_code in {400, 404, 422}
    for wrong in ({"limit": 0}, {"kind": "all"}, {"refresh": "true", "limit": 21}, {"starting_after": "x"}):
        assert (await admin.get(REVIEWS, params=wrong)).status_code in {400, 422}
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as nobody:
        error_of(await nobody.get(REVIEWS), 401)
        error_of(await nobody.post(f"{REVIEWS}/{new_id('pay')}/settle", json=verdict), 401)
