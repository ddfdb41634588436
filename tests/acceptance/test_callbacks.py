"""The channels tell by themselves: it is checked, taken in, acknowledged and applied once; nothing else is believed."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.payments.numbers import attempt_order_no
from tests.support.gateway import GatewayStack
from tests.support.notifications import acknowledged, notifications, resend
from tests.support.refunds import refund
from tests.support.till import WALLETS, Till, error_of, new_code, payment_of
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEVER_ASKED = {
    "after_pending_s": [600],
    "after_unknown_s": [600],
    "after_shown_s": [600],
    "reverse_not_before_s": 0.5,
    "repeat_reversal_s": 0.2,
}
"""The gateway asks for nothing by itself: what it knows, it was told."""


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    return {"callbacks": True, "rhythm": NEVER_ASKED}


@pytest.fixture(autouse=True)
def ordinary_channels(stack: GatewayStack) -> Any:
    yield
    stack.simulators.clear_faults()


async def shown(till: Till, wallet: str, **changes: Any) -> dict[str, Any]:
    """A code on display."""
    payment = payment_of(await till.pay(new_code(wallet, **changes)), 201)
    assert payment["status"] == "requires_action", payment
    return payment


async def paid_by_code(stack: GatewayStack, till: Till, wallet: str) -> dict[str, Any]:
    """A payment of which the gateway was told that it is paid."""
    payment = await shown(till, wallet)
    stack.simulators.scan(wallet, payment["qr_code"])
    return await till.settled(payment["id"])


async def results(database: asyncpg.Connection, payment: dict[str, Any]) -> list[str | None]:
    rows = await database.fetch(
        "SELECT result FROM callbacks WHERE payment_id = $1 ORDER BY received_at", payment["id"]
    )
    return [row["result"] for row in rows]


async def events(database: asyncpg.Connection, payment: dict[str, Any]) -> list[str]:
    rows = await database.fetch("SELECT type FROM events WHERE payment_id = $1 ORDER BY seq", payment["id"])
    return [row["type"] for row in rows]


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_code_is_paid_as_soon_as_the_channel_tells(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await paid_by_code(stack, till, wallet)
    assert payment["status"] == "succeeded"
    assert payment["channel_trade_no"] == stack.simulators.trade_of(payment)["trade_no"]
    told = await acknowledged(stack.simulators, payment)
    assert told["tries"] == 1
    assert await results(database, payment) == ["applied"]
    assert (await events(database, payment))[-1] == "payment.captured"


@pytest.mark.parametrize("wallet", WALLETS)
async def test_the_same_a_hundred_times_at_once_is_applied_once_and_acknowledged_every_time(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await paid_by_code(stack, till, wallet)
    told = await acknowledged(stack.simulators, payment)
    answers = await asyncio.to_thread(resend, stack.simulators, payment, told, times=100, at_once=True)
    assert [answer["acknowledged"] for answer in answers] == [True] * 100
    assert await results(database, payment) == ["applied"]
    assert (await events(database, payment)).count("payment.captured") == 1
    booked = await database.fetchval("SELECT count(*) FROM transfers WHERE payment_id = $1", payment["id"])
    assert booked == 2


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_hundred_first_ones_at_once_are_applied_once(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "duplicate", "copies": 100})
    payment = await paid_by_code(stack, till, wallet)
    assert payment["status"] == "succeeded"
    await acknowledged(stack.simulators, payment)
    assert await results(database, payment) == ["applied"]
    assert (await events(database, payment)).count("payment.captured") == 1


FORGERIES = [
    ({"tamper": "signature"}, WALLETS),
    ({"tamper": "merchant"}, WALLETS),
    ({"signtest": True}, WALLETS),
    ({"age_s": 600}, ("wechat",)),
    ({"next_keys": True}, ("wechat", "alipay")),  # UnionPay's messages bring their certificate with them
]


@pytest.mark.parametrize(
    ("forgery", "wallet"), [(forgery, wallet) for forgery, wallets in FORGERIES for wallet in wallets]
)
async def test_a_forged_one_changes_nothing_and_is_never_acknowledged(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, forgery: dict[str, Any], wallet: str
) -> None:
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "drop"})
    payment = await shown(till, wallet)
    stack.simulators.scan(wallet, payment["qr_code"])
    await until(lambda: bool(notifications(stack.simulators, payment)))
    [dropped] = notifications(stack.simulators, payment)
    [answer] = await asyncio.to_thread(resend, stack.simulators, payment, dropped, **forgery)
    assert 400 <= answer["status"] < 500, answer
    assert not answer["acknowledged"]
    assert payment_of(await till.get(payment["id"]))["status"] == "requires_action"
    assert await results(database, payment) == []
    [answer] = await asyncio.to_thread(resend, stack.simulators, payment, dropped)
    assert answer["acknowledged"], answer
    assert (await till.settled(payment["id"]))["status"] == "succeeded"


@pytest.mark.parametrize("wallet", WALLETS)
async def test_another_amount_is_taken_in_left_to_a_person_and_never_booked(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "drop"})
    payment = await shown(till, wallet)
    stack.simulators.scan(wallet, payment["qr_code"])
    await until(lambda: bool(notifications(stack.simulators, payment)))
    [dropped] = notifications(stack.simulators, payment)
    [answer] = await asyncio.to_thread(resend, stack.simulators, payment, dropped, tamper="amount")
    assert answer["acknowledged"], answer

    async def reviewed() -> bool:
        return bool(payment_of(await till.get(payment["id"]))["review"] == "amount_mismatch")

    await eventually(reviewed)
    assert payment_of(await till.get(payment["id"]))["status"] == "requires_action"
    assert await results(database, payment) == ["review"]
    assert not await database.fetchval("SELECT count(*) FROM transfers WHERE payment_id = $1", payment["id"])


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_forged_amount_for_a_booked_payment_changes_nothing(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await paid_by_code(stack, till, wallet)
    told = await acknowledged(stack.simulators, payment)
    await asyncio.to_thread(resend, stack.simulators, payment, told, tamper="amount")
    await asyncio.to_thread(resend, stack.simulators, payment, told, tamper="order")
    assert payment_of(await till.get(payment["id"])) == payment
    assert (await events(database, payment)).count("payment.captured") == 1


@pytest.mark.parametrize("wallet", WALLETS)
async def test_the_true_one_is_believed_after_a_forged_one_has_come_first(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "forged", "tamper": "signature"})
    payment = await paid_by_code(stack, till, wallet)
    assert payment["status"] == "succeeded"


@pytest.mark.parametrize("wallet", WALLETS)
async def test_one_that_comes_before_the_answer_of_the_scan_is_applied(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "before_answer"})
    payment = await paid_by_code(stack, till, wallet)
    assert payment["status"] == "succeeded"
    assert await results(database, payment) == ["applied"]


@pytest.mark.parametrize("wallet", WALLETS)
async def test_told_and_asked_at_once_it_is_booked_once(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await shown(till, wallet)
    scanning = asyncio.create_task(asyncio.to_thread(stack.simulators.scan, wallet, payment["qr_code"]))
    while payment["status"] == "requires_action":
        answers = await asyncio.gather(*[till.get(payment["id"], refresh=True) for _ in range(4)])
        payment = payment_of(answers[-1])
    await scanning
    assert payment["status"] == "succeeded"
    await acknowledged(stack.simulators, payment)
    assert (await events(database, payment)).count("payment.captured") == 1
    assert await results(database, payment) in (["applied"], ["no_change"])


@pytest.mark.parametrize("wallet", WALLETS)
async def test_money_for_a_payment_that_is_closed_goes_back_by_itself_and_is_shown(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await shown(till, wallet)
    async with database.transaction():  # as if the channel had confirmed the close, and took money all the same
        await database.execute(
            "UPDATE payments SET status = 'closed', completed_at = now() WHERE id = $1", payment["id"]
        )
        await database.execute("UPDATE attempts SET state = 'closed' WHERE payment_id = $1", payment["id"])
        await database.execute("DELETE FROM recovery_tasks WHERE payment_id = $1", payment["id"])
    stack.simulators.scan(wallet, payment["qr_code"])
    await acknowledged(stack.simulators, payment)

    async def returned() -> bool:
        captures = payment_of(await till.get(payment["id"]))["late_captures"]
        return [capture["status"] for capture in captures] == ["refunded"]

    await eventually(returned)
    assert payment_of(await till.get(payment["id"]))["status"] == "closed"
    assert stack.simulators.trade_of(payment)["refunded"] == payment["payable"]
    assert (await results(database, payment))[0] == "late"


@pytest.mark.parametrize("wallet", ["wechat", "unionpay"])
async def test_a_refund_is_done_as_soon_as_the_channel_tells(stack: GatewayStack, till: Till, wallet: str) -> None:
    payment = await paid_by_code(stack, till, wallet)
    found = await refund(till, payment, 1_000)
    assert found["status"] == "succeeded"
    await acknowledged(stack.simulators, payment, "refund")
    assert payment_of(await till.get(payment["id"]))["amount_refunded"] == 1_000


async def test_alipay_tells_that_something_was_refunded_and_it_is_booked_once(stack: GatewayStack, till: Till) -> None:
    payment = await paid_by_code(stack, till, "alipay")
    found = await refund(till, payment, 1_000)
    assert found["status"] == "succeeded"
    await acknowledged(stack.simulators, payment, "refund")
    assert payment_of(await till.get(payment["id"]))["amount_refunded"] == 1_000


async def test_a_rotated_account_takes_what_is_signed_with_either_key(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payment = await paid_by_code(stack, till, "wechat")
    told = await acknowledged(stack.simulators, payment)
    [rotated] = [account for account in stack.simulators.rotated if account.id == payment["channel"]]
    async with stack.admin() as admin:
        answer = await admin.post(
            f"/admin/v1/channel_accounts/{rotated.id}/rotate",
            json={"settings": dict(rotated.settings), "overlap_hours": 1},
        )
        assert answer.status_code in {200, 201}, answer.text

    async def taken(**options: Any) -> bool:
        answers = await asyncio.to_thread(resend, stack.simulators, payment, told, **options)
        return all(answer["acknowledged"] for answer in answers)

    await eventually(lambda: taken(next_keys=True))
    assert await taken()


@pytest.mark.parametrize("path", ["wechat/nobody", "alipay/wechat_direct", "visa/wechat_direct", "wechat/%00", "x/y"])
async def test_an_account_that_is_not_there_is_not_found(stack: GatewayStack, path: str) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        error_of(await anybody.post(f"/callbacks/{path}", content=b"x"), 404, "not_found")


BODIES = [
    b"",
    b"{}",
    b"null",
    b"[" * 10_000,
    b"\x00\xff",
    b"a=1&" * 10_000,
    b"sign=x&sign=y",
    b'{"resource": {"ciphertext": "AAAA", "nonce": "n", "associated_data": ""}}',
    "sign=汉".encode("gbk"),
    b"x" * 65_536,
]


@pytest.mark.parametrize("account", ["wechat/wechat_direct", "alipay/alipay_direct", "unionpay/unionpay_direct"])
async def test_whatever_anybody_sends_is_refused_and_nothing_is_written(
    stack: GatewayStack, database: asyncpg.Connection, account: str
) -> None:
    before = await database.fetchval("SELECT count(*) FROM callbacks")
    kinds = ("application/json", "application/x-www-form-urlencoded", "text/plain", "", "x")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        for number, body in enumerate(BODIES):
            headers = {
                "Content-Type": kinds[number % len(kinds)],
                "Wechatpay-Signature": "x" * number,
                "Wechatpay-Timestamp": "1" * number,
                "Wechatpay-Serial": "PUB_KEY_ID_0",
                "Wechatpay-Nonce": "n",
            }
            answer = await anybody.post(f"/callbacks/{account}", content=body, headers=headers)
            assert 400 <= answer.status_code < 500, (body[:20], answer.status_code, answer.text)
            assert answer.text not in {"success", "ok"}
        error_of(await anybody.post(f"/callbacks/{account}", content=b"x" * 65_537), 413, "body_too_large")
        headers = {"Content-Encoding": "gzip"}
        error_of(await anybody.post(f"/callbacks/{account}", content=b"x", headers=headers), 415)
        error_of(await anybody.get(f"/callbacks/{account}"), 405)
    assert await database.fetchval("SELECT count(*) FROM callbacks") == before


async def test_what_a_channel_told_reaches_no_log_and_its_counts_reach_the_metrics(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payment = await paid_by_code(stack, till, "alipay")
    told = await acknowledged(stack.simulators, payment)
    await asyncio.to_thread(resend, stack.simulators, payment, told, tamper="signature")
    log = "".join(stack.log_of(child) for child in (*stack.gateways, *stack.workers))
    for private in (attempt_order_no(payment["id"], 1), payment["channel_trade_no"], "trade_status", "notify_id"):
        assert private not in log, private
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        text = (await anybody.get("/metrics")).text
    for labels in ('account="alipay_direct",result="taken_in"', 'account="alipay_direct",result="signature"'):
        assert re.search(rf"mashang_callbacks_total{{{labels}}} [1-9]", text), labels
    assert re.search(r'mashang_callbacks_applied_total{account="alipay_direct",result="applied"} [1-9]', text)
    assert re.search(r"^mashang_callbacks_waiting \d", text, re.MULTILINE)


async def test_bodies_that_never_end_fill_only_their_own_places(stack: GatewayStack, till: Till) -> None:
    address = httpx.URL(stack.url)
    head = b"POST /callbacks/wechat/wechat_direct HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nbegun"
    opened = [await asyncio.open_connection(address.host, address.port) for _ in range(256)]
    for _, writer in opened:
        writer.write(head)
        await writer.drain()
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:

        async def is_full() -> bool:
            return (await anybody.post("/callbacks/wechat/wechat_direct", content=b"x")).status_code == 503

        async def is_free() -> bool:
            return not await is_full()

        await eventually(is_full)
        assert (await till.paid("wechat"))["status"] == "succeeded"
        for _, writer in opened:
            writer.close()
        await eventually(is_free)


async def test_what_waits_is_counted_and_how_long_it_has_waited(
    stack: GatewayStack, database: asyncpg.Connection
) -> None:
    await database.execute(
        "INSERT INTO callbacks (payment_id, account_id, notification_id, order_no, report_sealed, next_at, received_at)"
        " VALUES ('pay_0', 'a', 'n', 'o', '', now() + interval '1 hour', now() - interval '90 seconds')"
    )
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:

        async def is_counted() -> bool:
            text = (await anybody.get("/metrics")).text
            found = re.search(r"^mashang_callbacks_waiting_oldest_age_seconds ([\d.]+)", text, re.MULTILINE)
            return found is not None and 90 <= float(found[1]) < 150

        await eventually(is_counted)
    await database.execute("DELETE FROM callbacks WHERE payment_id = 'pay_0'")
