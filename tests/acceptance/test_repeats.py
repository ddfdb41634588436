"""The same request again, another request under the same number, and Idempotency-Key: through one process and two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.till import Till, auth_code, error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL: Final[dict[str, Any]] = {
    "description": "latte",
    "store_id": "s-1",
    "terminal_id": "t-1",
    "operator_id": "o-1",
    "customer": {
        "id": "c-42",
        "ip": "203.0.113.7",
        "device_id": "d-9",
        "location": {"latitude": 31.23, "longitude": 121.47},
        "card_bin": "622202",
    },
    "coupons": ["SPRING5"],
    "expected_payable": 2599,
    "metadata": {"table": "12"},
    "expires_in": 60,
    "notify_url": "https://till.example/hook",
}
"""Every optional field but `replaces`, which needs an earlier payment."""

CHANGES: Final[dict[str, Any]] = {
    "amount": 2600,
    "auth_code": auth_code("wechat"),
    "description": "mocha",
    "store_id": "s-2",
    "terminal_id": "t-2",
    "operator_id": "o-2",
    "customer.id": "c-43",
    "customer.ip": "203.0.113.8",
    "customer.device_id": "d-8",
    "customer.location.latitude": 31.24,
    "customer.location.longitude": 121.48,
    "customer.card_bin": "622203",
    "coupons": ["SPRING5", "SPRING6"],
    "expected_payable": 2600,
    "metadata.table": "13",
    "expires_in": 61,
    "notify_url": "https://till.example/hook2",
}
"""Another value for every field that can differ under the same order number."""


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes."""
    return {"gateways": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other_till(stack: GatewayStack) -> AsyncIterator[Till]:
    """A till of the same shop at the second gateway process."""
    async with stack.till(gateway=1) as opened:
        yield opened


async def test_the_same_request_gets_the_same_payment_and_says_so(till: Till) -> None:
    order = new_order(**FULL)
    first, again = await till.pay(order), await till.pay(order)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert payment_of(again, 201) == payment_of(first, 201)


async def test_a_declined_payment_keeps_its_number_and_is_replayed_with_201(till: Till) -> None:
    order = new_order(magic="9001")
    first, again = await till.pay(order), await till.pay(order)
    assert payment_of(first, 201)["status"] == "failed"
    assert again.headers["idempotent-replayed"] == "true"
    assert payment_of(again, 201) == payment_of(first, 201)


@pytest.mark.parametrize("processes", [1, 2])
async def test_fifty_duplicates_at_once_make_one_payment_and_one_capture(
    stack: GatewayStack, till: Till, other_till: Till, database: asyncpg.Connection, processes: int
) -> None:
    order = new_order(**FULL)
    tills = [till, other_till][:processes]
    answers = await asyncio.gather(*[tills[number % processes].pay(order) for number in range(50)])

    payments = [payment_of(answer, 201) for answer in answers]
    assert {payment["id"] for payment in payments} == {payments[0]["id"]}
    assert {payment["status"] for payment in payments} == {"succeeded"}
    replayed = [answer for answer in answers if answer.headers.get("idempotent-replayed") == "true"]
    assert len(replayed) == 49
    written = await database.fetchval(
        "SELECT count(*) FROM payments WHERE merchant_order_no = $1", order["merchant_order_no"]
    )
    assert written == 1
    assert stack.simulators.trade_of(payments[0])["status"] == "captured"
    code_tail = [
        trade for trade in stack.simulators.trades("wechat") if trade["order_no"][:26] == payments[0]["id"][4:]
    ]
    assert len(code_tail) == 1


@pytest.mark.parametrize("wallet", ["alipay", "unionpay"])
async def test_duplicates_of_a_slow_payment_through_two_processes_all_get_its_end(
    stack: GatewayStack, till: Till, other_till: Till, wallet: str
) -> None:
    stack.simulators.set_faults(wallet, latency_ms={"mean": 400})
    try:
        order = new_order(wallet)
        answers = await asyncio.gather(*[[till, other_till][number % 2].pay(order) for number in range(20)])
    finally:
        stack.simulators.clear_faults()
    payments = [payment_of(answer, 201) for answer in answers]
    assert {(payment["id"], payment["status"]) for payment in payments} == {(payments[0]["id"], "succeeded")}
    assert len(stack.simulators.trades_of(payments[0])) == 1


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("moment", ["later", "at once", "at once elsewhere"])
async def test_another_request_under_the_same_number_is_refused_and_the_field_named(
    stack: GatewayStack, till: Till, other_till: Till, field: str, moment: str
) -> None:
    order = new_order(**FULL)
    other = _changed(order, field, CHANGES[field])
    if moment == "later":
        await till.pay(order)
        error_of(await till.pay(other), 409, "order_no_reused", field)
        return
    answers = await asyncio.gather(till.pay(order), (till if moment == "at once" else other_till).pay(other))
    taken = [answer for answer in answers if answer.status_code == 201]
    [refused] = [answer for answer in answers if answer.status_code != 201]
    error_of(refused, 409, "order_no_reused", field)
    assert len(stack.simulators.trades_of(payment_of(taken[0], 201))) <= 1


@pytest.mark.parametrize("field", sorted(FULL))
async def test_a_field_that_is_left_out_later_is_a_different_request(till: Till, field: str) -> None:
    order = new_order(**{**FULL, "expires_in": 61})
    payment_of(await till.pay(order), 201)
    error = error_of(
        await till.pay({name: value for name, value in order.items() if name != field}), 409, "order_no_reused"
    )
    assert error["param"].split(".")[0] == field


async def test_another_replaced_payment_is_a_different_request(till: Till) -> None:
    first, second = await till.taken(magic="9001"), await till.taken(magic="9001")
    order = new_order(replaces=first["id"])
    assert payment_of(await till.pay(order), 201)["status"] == "succeeded"
    error_of(await till.pay({**order, "replaces": second["id"]}), 409, "order_no_reused", "replaces")


async def test_the_order_of_names_and_blanks_in_the_body_make_no_different_request(till: Till) -> None:
    order = new_order(**FULL)
    first = payment_of(await till.pay(order), 201)
    again = await till.pay(dict(reversed(order.items())))
    assert payment_of(again, 201) == first


async def test_a_default_that_is_spelled_out_is_the_same_request(till: Till) -> None:
    order = new_order()
    first = payment_of(await till.pay(order), 201)
    again = await till.pay({**order, "expires_in": 60, "coupons": [], "metadata": {}, "replaces": None})
    assert payment_of(again, 201) == first


async def test_a_zero_with_a_sign_is_the_same_place(till: Till) -> None:
    order = new_order(customer={"location": {"latitude": 0.0, "longitude": 0.0}})
    first = payment_of(await till.pay(order), 201)
    again = await till.pay({**order, "customer": {"location": {"latitude": -0.0, "longitude": 0}}})
    assert payment_of(again, 201) == first


async def test_a_refused_conflict_writes_nothing_and_charges_nothing(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    order = new_order()
    await till.pay(order)
    before = await _rows(database), len(stack.simulators.trades("wechat"))
    error_of(await till.pay({**order, "amount": 1}), 409)
    assert (await _rows(database), len(stack.simulators.trades("wechat"))) == before


async def test_two_keys_may_name_one_order(till: Till) -> None:
    order = new_order()
    first = payment_of(await till.pay(order, idempotency_key="key-a"), 201)
    assert payment_of(await till.pay(order, idempotency_key="key-b"), 201) == first
    assert payment_of(await till.pay(order), 201) == first
    for key in ("key-a", "key-b"):
        error_of(await till.pay(new_order(), idempotency_key=key), 409, "idempotency_key_reused", "merchant_order_no")


async def test_one_key_for_two_orders_is_refused_also_when_both_come_at_once_to_two_processes(
    stack: GatewayStack, till: Till, other_till: Till
) -> None:
    for number in range(5):
        key = f"shared-{number}"
        orders = [new_order(), new_order()]
        answers = await asyncio.gather(
            till.pay(orders[0], idempotency_key=key), other_till.pay(orders[1], idempotency_key=key)
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        lost = answers.index(next(answer for answer in answers if answer.status_code == 409))
        error_of(answers[lost], 409, "idempotency_key_reused", "merchant_order_no")
        found = (await till.list(merchant_order_no=orders[lost]["merchant_order_no"])).json()
        assert found["data"] == [], "a refusal binds nothing"
        payment = payment_of(await till.pay(orders[lost]), 201)
        assert payment["status"] == "succeeded", "the number and the code of a refused request are still free"
        assert len(stack.simulators.trades_of(payment)) == 1


async def test_a_key_and_a_number_of_another_merchant_are_no_obstacle(stack: GatewayStack, till: Till) -> None:
    order = new_order()
    ours = payment_of(await till.pay(order, idempotency_key="same-key"), 201)
    async with stack.till(stack.new_shop()) as stranger:
        theirs = payment_of(
            await stranger.pay({**order, "auth_code": auth_code("wechat")}, idempotency_key="same-key"), 201
        )
    assert theirs["id"] != ours["id"]
    assert theirs["status"] == "succeeded"


async def test_a_new_code_after_a_decline_needs_a_new_number(till: Till) -> None:
    order = new_order(magic="9002")
    payment = payment_of(await till.pay(order), 201)
    assert payment["failure"]["code"] == "auth_code_expired"
    assert payment["failure"]["retryable"] is True
    refreshed = {**order, "auth_code": auth_code("wechat")}
    error_of(await till.pay(refreshed), 409, "order_no_reused", "auth_code")
    rung_up_again = {**refreshed, "merchant_order_no": new_order()["merchant_order_no"]}
    assert payment_of(await till.pay(rung_up_again), 201)["status"] == "succeeded"


def _changed(order: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return {**order, name: _changed(order[name], rest, value) if rest else value}


async def _rows(database: asyncpg.Connection) -> tuple[int, ...]:
    """How much is written."""
    tables = ("payments", "order_numbers", "idempotency_keys", "attempts", "events", "recovery_tasks")
    return tuple([await database.fetchval(f"SELECT count(*) FROM {table}") for table in tables])


async def test_a_number_outlives_its_payment(stack: GatewayStack, till: Till, database: asyncpg.Connection) -> None:
    order = new_order()
    await database.execute(
        "INSERT INTO order_numbers (merchant_id, merchant_order_no, payment_id) VALUES ($1, $2, $3)",
        stack.shop.id,
        order["merchant_order_no"],
        "pay_01H00000000000000000000000",
    )
    answer = await till.pay(order)
    assert error_of(answer, 409)["code"] == "order_no_reused"
    assert not [trade for trade in stack.simulators.trades("wechat") if trade["order_no"].startswith("01H0")]
