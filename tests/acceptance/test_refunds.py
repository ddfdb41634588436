"""Refunds on every wallet: partial and repeated, exact, at the channel's own pace, and never more than was paid."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import chain, pairwise
from typing import Any

import asyncpg
import pytest

from gateway.merchants.store import Scope
from gateway.refunds.schemas import RefundList, RefundRequest
from tests.support.gateway import GatewayStack
from tests.support.refunds import ask, get, listed, new_refund, refund, refund_of, settled
from tests.support.till import WALLETS, Till, error_of, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


def given_back(stack: GatewayStack, payment: dict[str, Any]) -> list[dict[str, Any]]:
    """What the payment's channel says it gave back of it, refund by refund."""
    url = stack.simulators.base_urls[payment["wallet"]]
    order_no = f"{payment['id'][4:]}A1"
    answer = stack.simulators.client.get(f"{url}/_simulator/refunds", params={"order_no": order_no})
    found: list[dict[str, Any]] = answer.json()["refunds"]
    return found


async def sums(till: Till, payment: dict[str, Any]) -> int:
    return int(payment_of(await till.get(payment["id"]))["amount_refunded"])


async def test_a_whole_payment_goes_back_on_every_wallet(stack: GatewayStack, till: Till) -> None:
    payments = await asyncio.gather(*[till.paid(wallet) for wallet in WALLETS])
    refunds = await asyncio.gather(*[refund(till, payment, reason="所购商品已退回") for payment in payments])
    for payment, found in zip(payments, refunds, strict=True):
        assert (found["status"], found["amount"], found["returned_to_customer"]) == ("succeeded", 2_599, 2_599)
        assert (found["discount_returned"], found["funding"], found["fee_returned"]) == (0, [], 10)
        assert (found["payment_id"], found["channel"]) == (payment["id"], payment["channel"])
        assert found["completed_at"] >= found["created_at"]
        assert (found["channel_refund_no"] is None) == (payment["wallet"] == "alipay"), (
            "Alipay has no number of its own"
        )
        trade = stack.simulators.trade_of(payment)
        assert (trade["status"], trade["refunded"]) == ("refunded", 2_599)
        assert refund_of(await get(till, found["id"])) == found
        after = payment_of(await till.get(payment["id"]))
        assert (after["status"], after["amount_refunded"], after["reversal"]) == ("succeeded", 2_599, None)


async def test_parts_go_back_until_nothing_is_left(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid("unionpay")
    parts = [await refund(till, payment, amount) for amount in (1, 1_000, 1_598)]
    assert [part["status"] for part in parts] == ["succeeded"] * 3
    assert sum(part["fee_returned"] for part in parts) == 10
    error = error_of(await ask(till, new_refund(payment, 1)), 409, "refund_exceeds_payment", "amount")
    assert "0 fen are left" in error["message"]
    assert sorted(row["amount"] for row in given_back(stack, payment)) == [1, 1_000, 1_598]
    assert await sums(till, payment) == 2_599


@pytest.mark.parametrize("wallet", WALLETS)
async def test_ten_refunds_at_once_that_exceed_the_payment_are_taken_as_far_as_they_fit(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    payment = await till.paid(wallet, amount=1_000)
    answers = await asyncio.gather(*[ask(till, new_refund(payment, 300), wait_s=0) for _ in range(10)])
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 7}
    for answer in answers:
        if answer.status_code == 409:
            error_of(answer, 409, "refund_exceeds_payment", "amount")
    if wallet == "unionpay":  # the others take one at a time, and the next in seconds or minutes
        for answer in answers:
            if answer.status_code == 201:
                await settled(till, answer.json()["id"])
        assert [row["amount"] for row in given_back(stack, payment)] == [300] * 3
        assert await sums(till, payment) == 900


async def test_the_same_request_again_is_the_same_refund_and_another_one_a_conflict(
    stack: GatewayStack, till: Till
) -> None:
    payment = await till.paid("unionpay")
    request = new_refund(payment, 700, reason="cold", operator_id="o-1", metadata={"table": "12"})
    first, *others = await asyncio.gather(*[ask(till, request) for _ in range(6)])
    found = refund_of(first, 201)
    assert {answer.json()["id"] for answer in others} == {found["id"]}
    assert Counter(answer.headers.get("idempotent-replayed") for answer in [first, *others]) == {"true": 5, None: 1}
    assert (found["reason"], found["operator_id"], found["metadata"]) == ("cold", "o-1", {"table": "12"})
    for field, value in (("amount", 701), ("reason", "hot"), ("metadata", {"table": "13"}), ("store_id", "s-1")):
        error = error_of(await ask(till, request | {field: value}), 409, "refund_no_reused")
        assert error["param"].startswith(field)
    assert [row["amount"] for row in given_back(stack, payment)] == [700]


async def test_an_idempotency_key_belongs_to_one_refund(till: Till) -> None:
    payment = await till.paid("unionpay")
    request = new_refund(payment, 100)
    first = refund_of(await ask(till, request, idempotency_key="r-1"), 201)
    assert refund_of(await ask(till, request, idempotency_key="r-1"), 201)["id"] == first["id"]
    error_of(await ask(till, new_refund(payment, 100), idempotency_key="r-1"), 409, "idempotency_key_reused")
    assert await sums(till, payment) == 100


async def test_a_refund_of_unknown_outcome_is_queried_under_its_number_and_never_given_twice(
    stack: GatewayStack, till: Till
) -> None:
    payments = await asyncio.gather(*[till.paid(wallet) for wallet in WALLETS])
    for kind in ("timeout_after_charging", "reset_mid_answer", "unsigned_answer", "reset_before_charging"):
        for wallet in WALLETS:
            stack.simulators.set_faults(wallet, {"kind": kind, "calls": ["refund"], "times": 1, "hold_s": 3})
        payments = await asyncio.gather(*[till.paid(wallet) for wallet in WALLETS])
        asked = await asyncio.gather(*[refund(till, payment, 1_500, wait_s=1) for payment in payments])
        ended = await asyncio.gather(*[settled(till, found["id"]) for found in asked])
        stack.simulators.clear_faults()
        for payment, found in zip(payments, ended, strict=True):
            assert found["status"] == "succeeded", (kind, found)
            assert [row["amount"] for row in given_back(stack, payment)] == [1_500], kind
            assert await sums(till, payment) == 1_500


REFUSALS = {
    "wechat": ("NOT_ENOUGH", "merchant_balance_insufficient", True),
    "alipay": ("ACQ.TRADE_HAS_FINISHED", "refund_too_late", False),
    "unionpay": ("36", "refund_refused", False),
}


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_refund_that_the_channel_refuses_fails_with_a_reason_and_frees_what_it_held(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    channel_code, code, retryable = REFUSALS[wallet]
    payment = await till.paid(wallet)
    rule = {"kind": "error_code", "code": channel_code, "calls": ["refund"], "times": 1}
    stack.simulators.set_faults(wallet, rule)
    failed = await refund(till, payment)
    stack.simulators.clear_faults()
    assert failed["status"] == "failed"
    failure = failed["failure"]
    assert (failure["code"], failure["channel_code"], failure["retryable"]) == (code, channel_code, retryable)
    assert failure["message"]
    assert (await sums(till, payment), given_back(stack, payment)) == (0, [])
    if wallet == "unionpay":  # where the next one need not wait for its turn
        assert (await refund(till, payment))["status"] == "succeeded"
    else:
        assert (await refund(till, payment, wait_s=0))["status"] == "pending"


async def test_an_unpaid_payment_and_a_cancelled_one_are_not_refunded(stack: GatewayStack, till: Till) -> None:
    declined = await till.taken("unionpay", "9001")
    error_of(await ask(till, new_refund(declined)), 409, "not_refundable", "payment_id")
    waiting = await till.taken("unionpay", "9004", wait_s=1)
    error_of(await ask(till, new_refund(waiting)), 409, "not_refundable", "payment_id")
    cancelled = await till.paid("alipay")
    assert payment_of(await till.cancel(cancelled["id"]))["status"] == "reversed"
    error_of(await ask(till, new_refund(cancelled)), 409, "not_refundable", "payment_id")
    review = await till.taken("alipay", "9010", wait_s=1)
    error_of(await ask(till, new_refund(review)), 409, "not_refundable", "payment_id")


async def test_a_payment_with_a_refund_is_not_cancelled(till: Till) -> None:
    payment = await till.paid("unionpay")
    await refund(till, payment, 1)
    error_of(await till.cancel(payment["id"]), 409, "use_refund")


async def test_the_51st_refund_of_a_wechat_payment_is_refused(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payment = await till.paid("wechat")
    for _ in range(50):
        assert refund_of(await ask(till, new_refund(payment, 1), wait_s=0), 201)["status"] == "pending"
    error_of(await ask(till, new_refund(payment, 1)), 409, "refund_limit_reached")
    due = await database.fetch("SELECT next_at FROM refunds WHERE payment_id = $1 ORDER BY seq", payment["id"])
    pauses = [(later["next_at"] - sooner["next_at"]).total_seconds() for sooner, later in pairwise(due[1:])]
    assert min(pauses) >= 60, "each in a minute of its own"
    await database.execute("DELETE FROM recovery_tasks WHERE payment_id = $1", payment["id"])


@pytest.mark.parametrize(("wallet", "days"), [("wechat", 365), ("alipay", 365), ("unionpay", 30)])
async def test_a_refund_that_comes_too_late_for_the_channel_is_refused(
    till: Till, database: asyncpg.Connection, wallet: str, days: int
) -> None:
    payment = await till.paid(wallet)
    await database.execute(
        "UPDATE payments SET completed_at = completed_at - make_interval(days => $2) WHERE id = $1", payment["id"], days
    )
    error = error_of(await ask(till, new_refund(payment)), 409, "refund_window_closed", "payment_id")
    assert f"{days} days" in error["message"]


@pytest.mark.parametrize("status", ["draining", "disabled"])
async def test_refunds_go_through_the_account_that_took_the_payment(
    till: Till, database: asyncpg.Connection, status: str
) -> None:
    payment = await till.paid("unionpay")
    await database.execute("UPDATE channel_accounts SET status = $2 WHERE id = $1", payment["channel"], status)
    try:
        await _until_not_routed_to(till, payment["channel"])
        found = await refund(till, payment)
        assert (found["status"], found["channel"]) == ("succeeded", payment["channel"])
    finally:
        await database.execute("UPDATE channel_accounts SET status = 'enabled' WHERE id = $1", payment["channel"])


async def _until_not_routed_to(till: Till, account_id: str) -> None:
    for _ in range(200):
        if (await till.paid("unionpay"))["channel"] != account_id:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


async def test_only_a_key_with_the_scope_refunds_and_only_one_that_reads_reads(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid("unionpay")
    made = await refund(till, payment, 1)
    for scopes, allowed in (({Scope.PAY}, set()), ({Scope.READ}, {"get", "list"}), ({Scope.REFUND}, {"refund"})):
        key = stack.new_key(stack.shop, frozenset(scopes))
        async with stack.till(key=key.secret) as limited:
            answers = {
                "refund": await ask(limited, new_refund(payment, 1)),
                "get": await get(limited, made["id"]),
                "list": await listed(limited),
            }
        for call, answer in answers.items():
            if call in allowed:
                assert answer.status_code in {200, 201}, (call, answer.text)
            else:
                error_of(answer, 403, "scope_missing")


async def test_another_merchants_refunds_and_payments_do_not_exist(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid("unionpay")
    made = await refund(till, payment, 1)
    async with stack.till(stack.new_shop("stranger")) as stranger:
        error_of(await ask(stranger, new_refund(payment, 1)), 404, "not_found", "payment_id")
        error_of(await get(stranger, made["id"]), 404, "not_found", "id")
        for filters in ({}, {"payment_id": payment["id"]}, {"merchant_refund_no": made["merchant_refund_no"]}):
            assert (await listed(stranger, **filters)).json() == {"object": "list", "data": [], "has_more": False}
        own = await stranger.paid("unionpay")
        theirs = await refund(stranger, own, 1, merchant_refund_no=made["merchant_refund_no"])
        assert theirs["id"] != made["id"], "numbers belong to a merchant"


async def test_lists_come_newest_first_page_by_page_and_narrowed(stack: GatewayStack) -> None:
    async with stack.till(stack.new_shop("lists")) as shop:
        payments = [await shop.paid("unionpay") for _ in range(2)]
        made = [await refund(shop, payments[number % 2], 100, merchant_refund_no=f"L-{number}") for number in range(7)]
        stack.simulators.set_faults("unionpay", {"kind": "error_code", "code": "36", "calls": ["refund"], "times": 1})
        made.append(await refund(shop, payments[0], 100, merchant_refund_no="L-7"))
        stack.simulators.clear_faults()
        newest_first = [found["id"] for found in reversed(made)]

        async def ids(**filters: Any) -> list[str]:
            page = await listed(shop, **filters)
            assert page.status_code == 200, page.text
            RefundList.model_validate_json(page.content, strict=True)
            return [found["id"] for found in page.json()["data"]]

        assert await ids() == newest_first
        pages, after = [], {}
        while True:
            page = (await listed(shop, limit=3, **after)).json()
            pages.append([found["id"] for found in page["data"]])
            if not page["has_more"]:
                break
            after = {"starting_after": pages[-1][-1]}
        assert [len(page) for page in pages] == [3, 3, 2]
        assert list(chain.from_iterable(pages)) == newest_first
        assert await ids(payment_id=payments[1]["id"]) == newest_first[2::2]
        assert await ids(payment_id=payments[1]["id"], limit=2, starting_after=made[5]["id"]) == [
            made[3]["id"],
            made[1]["id"],
        ]
        assert await ids(status="failed") == [made[7]["id"]]
        assert await ids(status="pending") == []
        assert await ids(merchant_refund_no="L-4") == [made[4]["id"]]
        assert await ids(merchant_refund_no="L-4", status="failed") == []
        assert await ids(merchant_refund_no="L-4", payment_id=payments[1]["id"]) == []
        assert await ids(merchant_refund_no="L-9") == []
        assert await ids(created_from=made[6]["created_at"]) == newest_first[:2]
        assert await ids(created_to="2020-01-01T00:00:00Z") == []


async def test_the_document_describes_what_refunds_take_and_give(till: Till) -> None:
    document = (await till.client.get("/openapi.json")).json()
    operation = document["paths"]["/v1/refunds"]["post"]
    assert {"201", "400", "401", "403", "404", "409", "503"} <= set(operation["responses"])
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/RefundRequest")
    assert set(document["components"]["schemas"]["RefundRequest"]["properties"]) == set(RefundRequest.model_fields)
    assert document["paths"]["/v1/refunds/{refund_id}"]["get"]["responses"]["200"]


async def test_the_number_of_a_refund_that_is_no_longer_stored_is_refused_as_taken(
    till: Till, database: asyncpg.Connection
) -> None:
    earlier, payment = await asyncio.gather(till.paid(), till.paid())
    gone = await refund(till, earlier)
    await database.execute("DELETE FROM refunds WHERE id = $1", gone["id"])
    again = new_refund(payment) | {"merchant_refund_no": gone["merchant_refund_no"]}
    error_of(await ask(till, again), 409, "refund_no_reused", "merchant_refund_no")
    assert await sums(till, payment) == 0
