"""A process that is full: who is let in, what is refused and how, and that nothing is bound by a refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
import redis.asyncio as redis

from tests.support.gateway import GatewayStack, Shop
from tests.support.till import Till, error_of, new_code, new_order, payment_of
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 4
_HOLD_BACK = """
CREATE TABLE IF NOT EXISTS held_back ();
INSERT INTO held_back DEFAULT VALUES;
CREATE OR REPLACE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN  -- no lock is waited for: those have a shorter bound, which a busy machine can reach
    WHILE EXISTS (SELECT FROM held_back) LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER hold_back BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION hold_back();
"""


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    few = {f"MASHANG_ADMISSION_BEGINNING_{bound}": str(LIMIT) for bound in ("MIN", "MAX")}
    patient = dict.fromkeys(("SEND_WITHIN_S", "WAIT_DEFAULT_S", "DATABASE_COMMAND_TIMEOUT_S"), "30")
    return {"settings": few | {f"MASHANG_{name}": value for name, value in patient.items()}}


@pytest.fixture(scope="module")
def quiet_shop(stack: GatewayStack) -> Shop:
    return stack.new_shop("quiet shop")


@asynccontextmanager
async def no_intent_commits(stack: GatewayStack) -> AsyncIterator[None]:
    """Payments that are admitted stay at their beginning; for thirty seconds at most, the bound of a statement."""
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute(_HOLD_BACK)
        yield
    finally:
        await connection.execute("DELETE FROM held_back")
        await connection.close()


@pytest_asyncio.fixture(loop_scope="module")
async def till(till: Till) -> Till:
    """One whose key this process knows by now: the first requests of a stranger may go a little beyond the limit."""
    await till.paid()
    return till


class Crowd:
    """More payments of one merchant at once than the process can begin; those beyond are answered at once."""

    def __init__(self, till: Till, count: int = 3 * LIMIT) -> None:
        self.orders = [new_order() for _ in range(count)]
        self._tasks = [asyncio.create_task(till.pay(order)) for order in self.orders]

    @property
    def answered(self) -> list[int]:
        return [number for number, task in enumerate(self._tasks) if task.done()]

    async def is_refused_beyond(self, limit: int) -> None:
        """Wait until all but so many are answered."""
        await until(lambda: len(self.answered) == len(self.orders) - limit)

    async def answers(self) -> Sequence[httpx.Response]:
        return await asyncio.gather(*self._tasks)

    def waiting(self) -> list[dict[str, Any]]:
        return [order for number, order in enumerate(self.orders) if number not in self.answered]


async def test_three_times_as_many_as_can_begin_are_begun_as_far_as_there_is_room_and_the_others_told_at_once(
    stack: GatewayStack, till: Till
) -> None:
    async with no_intent_commits(stack):
        crowd = Crowd(till)
        await crowd.is_refused_beyond(LIMIT)
        begun = crowd.waiting()
    answers = await crowd.answers()
    for order, answer in zip(crowd.orders, answers, strict=True):
        if order in begun:
            assert payment_of(answer, 201)["status"] == "succeeded"
        else:
            error_of(answer, 503, "busy")
            assert answer.headers["retry-after"] in {"1", "2", "3"}
            assert answer.headers["request-id"] == answer.json()["error"]["request_id"]
    assert [answer.status_code for answer in answers].count(503) == 2 * LIMIT


async def test_a_refusal_binds_nothing_and_the_same_request_is_taken_when_there_is_room(
    stack: GatewayStack, till: Till
) -> None:
    async with no_intent_commits(stack):
        crowd = Crowd(till)
        await crowd.is_refused_beyond(LIMIT)
        refused = [crowd.orders[number] for number in crowd.answered]
        assert (await till.list(merchant_order_no=refused[0]["merchant_order_no"])).json()["data"] == []
    await crowd.answers()
    for order in refused:
        answer = await till.pay(order)
        payment = payment_of(answer, 201)
        assert "idempotent-replayed" not in answer.headers
        assert len(stack.simulators.trades_of(payment)) == 1


async def test_a_storm_of_one_merchant_leaves_another_its_place(
    stack: GatewayStack, till: Till, quiet_shop: Shop
) -> None:
    async with stack.till(quiet_shop) as quiet:
        await quiet.paid()
        async with no_intent_commits(stack):
            crowd = Crowd(till)
            await crowd.is_refused_beyond(LIMIT)
            payment = asyncio.create_task(quiet.pay(new_order()))
            error_of(await till.pay(new_order()), 503, "busy")
            assert not payment.done(), payment.result().text
        assert payment_of(await payment, 201)["status"] == "succeeded"
        await crowd.answers()


async def test_what_completes_something_is_answered_while_new_payments_are_refused(
    stack: GatewayStack, till: Till
) -> None:
    earlier = await till.paid()
    shown = payment_of(await till.pay(new_code("wechat")), 201)
    async with no_intent_commits(stack):
        crowd = Crowd(till)
        await crowd.is_refused_beyond(LIMIT)
        assert payment_of(await till.get(earlier["id"]))["status"] == "succeeded"
        assert (await till.list(limit=1)).status_code == 200
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await till.client.get(path)).status_code == 200
        quote = {name: earlier[name] for name in ("amount", "wallet")}
        error_of(await till.client.post("/v1/quotes", json=quote), 503, "busy")
        error_of(await till.client.post("/v1/codes", json={}), 503, "busy")
        cancelling = asyncio.create_task(till.cancel(shown["id"]))
        unsigned = await till.client.post("/callbacks/wechat/wechat_direct", content=b"{}")
        assert unsigned.status_code not in {429, 503}
    assert (await cancelling).status_code == 200
    refund = {"payment_id": earlier["id"], "amount": 100, "merchant_refund_no": "R-1"}
    assert (await till.client.post("/v1/refunds", json=refund)).status_code == 201
    await crowd.answers()


async def test_a_payment_in_flight_that_is_asked_for_again_is_joined_while_others_are_refused(
    stack: GatewayStack, till: Till
) -> None:
    async with no_intent_commits(stack):
        crowd = Crowd(till)
        await crowd.is_refused_beyond(LIMIT)
        order = crowd.waiting()[0]
        again = asyncio.create_task(till.pay(order))
        error_of(await till.pay(new_order(metadata={"merchant_order_no": order["merchant_order_no"]})), 503, "busy")
        assert not again.done(), again.result().text
    joined = await again
    assert joined.headers["idempotent-replayed"] == "true"
    first = next(answer for answer in await crowd.answers() if answer.status_code == 201 and _is_of(answer, order))
    assert first.json()["id"] == payment_of(joined, 201)["id"]


async def test_a_body_that_is_not_read_does_not_disturb_what_follows(stack: GatewayStack, till: Till) -> None:
    async with no_intent_commits(stack):
        crowd = Crowd(till)
        await crowd.is_refused_beyond(LIMIT)
        for size in (2, 30_000, 900_000):
            answer = await till.client.post("/v1/codes", content=b"x" * size)
            error_of(answer, 503, "busy")
        assert (await till.client.get("/livez")).status_code == 200
    await crowd.answers()


async def test_tills_that_are_still_sending_take_nobodys_place(stack: GatewayStack, till: Till) -> None:
    """Three times as many as can begin at once wait with their bodies; what they send at last is taken, or refused."""
    bodies = [json.dumps(new_order()).encode() for _ in range(3 * LIMIT)]
    port = int(stack.url.rpartition(":")[2])
    tills = [await asyncio.open_connection("127.0.0.1", port) for _ in bodies]
    try:
        for (reader, writer), body in zip(tills, bodies, strict=True):
            writer.write(_head(stack, body))
            assert b" 100 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        await till.paid()
        for (_, writer), body in zip(tills, bodies, strict=True):
            writer.write(body)
        statuses = [int((await asyncio.wait_for(reader.readline(), 20)).split()[1]) for reader, _ in tills]
    finally:
        for _, writer in tills:
            writer.close()
    assert set(statuses) <= {201, 503}
    assert statuses.count(201) >= LIMIT


async def test_refusals_are_counted_by_their_reason_and_the_limit_is_shown(stack: GatewayStack, till: Till) -> None:
    async with no_intent_commits(stack):
        crowd = Crowd(till)
        await crowd.is_refused_beyond(LIMIT)
    await crowd.answers()
    text = (await till.client.get("/metrics")).text
    assert (
        'mashang_refused_total{reason="beginning"}' in text or 'mashang_refused_total{reason="merchant_share"}' in text
    )
    values = {
        line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if "mashang_admission" in line[:17]
    }
    assert values["mashang_admission_limit"] >= LIMIT
    assert set(values) == {"mashang_admission_limit", "mashang_admission_beginning", "mashang_admission_own_seconds"}


async def test_a_till_that_hung_up_before_anything_was_bound_has_begun_nothing(stack: GatewayStack, till: Till) -> None:
    order = new_order()
    async with redis.from_url(stack.redis_url) as client:
        await client.execute_command("CLIENT", "PAUSE", 400)
        with pytest.raises(httpx.ReadTimeout):
            await till.client.post("/v1/payments", json=order, timeout=httpx.Timeout(5, read=0.1))
    await until(lambda: 'reason="not_begun"' in httpx.get(f"{stack.url}/metrics", trust_env=False).text)
    assert (await till.list(merchant_order_no=order["merchant_order_no"])).json()["data"] == []
    assert payment_of(await till.pay(order), 201)["status"] == "succeeded"


def _head(stack: GatewayStack, body: bytes) -> bytes:
    """Of a request whose body is sent when the server asks for it."""
    lines = (
        "POST /v1/payments HTTP/1.1", "Host: gateway", f"Authorization: Bearer {stack.shop.key.secret}",
        "Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue",
    )  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


def _is_of(answer: httpx.Response, order: dict[str, Any]) -> bool:
    return bool(answer.json()["merchant_order_no"] == order["merchant_order_no"])
