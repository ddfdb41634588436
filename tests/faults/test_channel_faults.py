"""Every fault of a channel on every wallet: by the fault plan and by the magic codes, each ending in a clean audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from gateway.kernel.clock import Deadline
from gateway.payments.numbers import attempt_order_no
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_command, audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import Simulators
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, start_gateway
from tests.support.looking import attempts_of, events_of, expire, look_now, payment_row, until_row
from tests.support.till import WALLETS, new_order
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CHARGED: Final[Mapping[str, Mapping[str, Any]]] = {
    "timeout_after_charging": {"hold_s": 3},
    "reset_after_charging": {},
    "reset_mid_answer": {},
    "server_error_after_charging": {},
    "malformed_answer": {},
    "unsigned_answer": {},
    "badly_signed_answer": {},
    "wrong_order": {},
}
"""The money was taken, and the till's gateway cannot know it from the answer."""
NOT_CHARGED: Final[Mapping[str, Mapping[str, Any]]] = {
    "timeout_before_charging": {"hold_s": 3},
    "reset_before_charging": {},
}
BOUND_S: Final = float(FAULT_SETTINGS["MASHANG_SEND_WITHIN_S"]) + float(FAULT_SETTINGS["MASHANG_NOT_CREATED_AFTER_S"])
MAGIC_CHARGED: Final = ("9005", "9006", "9008", "9009", "9012")


@pytest.fixture(scope="module")
def channel_doors(doors: Doors, simulators: Simulators) -> tuple[dict[str, Door], Simulators]:
    """A door in front of each channel."""
    return doors.before_simulators(simulators)


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    database_url: str,
    redis_url: str,
    channel_doors: tuple[dict[str, Door], Simulators],
) -> Iterator[GatewayStack]:
    """One gateway and one worker, whose way to the channels leads through the doors."""
    folder = tmp_path_factory.mktemp("stack")
    with start_gateway(folder, database_url, redis_url, channel_doors[1], settings=FAULT_SETTINGS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def audited(stack: GatewayStack, till: PatientTill, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """Each test begins without faults, with accounts that take payments again, and ends in the audit."""
    stack.simulators.clear_faults()
    deadline = Deadline.after(30)
    for wallet in WALLETS:
        while (await till.ring_up(new_order(wallet)))["status"] != "succeeded":
            assert not deadline.passed, f"the account of {wallet} does not come back"
            await asyncio.sleep(0.1)
    yield
    stack.simulators.clear_faults()
    await audit_here(database_url, stack.simulators, book)


@pytest.mark.parametrize("kind", CHARGED)
async def test_what_was_charged_unseen_is_queried_and_kept_once(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, kind: str
) -> None:
    _set_everywhere(stack, {"kind": kind, "times": 1, **CHARGED[kind]})
    for payment in await _all([till.ring_up(new_order(wallet), within_s=10) for wallet in WALLETS]):
        await _is_kept_once(stack, database, payment)


async def test_the_magic_codes_do_the_same(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    orders = [new_order(wallet, magic) for wallet in WALLETS for magic in MAGIC_CHARGED]
    for payment in await _all([till.ring_up(order, within_s=10) for order in orders]):
        await _is_kept_once(stack, database, payment)


@pytest.mark.parametrize(
    "kind", ["unsigned_answer", "malformed_answer", "server_error_after_charging", "reset_mid_answer"]
)
async def test_an_unknown_outcome_stays_unknown_while_the_queries_fail_too(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, kind: str
) -> None:
    _set_everywhere(stack, {"kind": kind, "calls": ["pay", "query"]})
    orders = [new_order(wallet) for wallet in WALLETS]
    for payment in await _all([_asked(till, order) for order in orders]):
        assert payment["status"] == "processing", payment
    stack.simulators.clear_faults()
    for payment in await _all([till.ring_up(order, wait_s=1) for order in orders]):
        await _is_kept_once(stack, database, payment)


@pytest.mark.parametrize("kind", NOT_CHARGED)
async def test_what_never_arrived_is_given_up_after_the_bound_and_not_before(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, kind: str
) -> None:
    _set_everywhere(stack, {"kind": kind, "times": 1, **NOT_CHARGED[kind]})
    orders = [new_order(wallet) for wallet in WALLETS]
    for payment in await _all([_asked(till, order) for order in orders]):
        assert payment["status"] == "processing", payment
        await expire(database, payment["id"])
    for payment in await _all([till.ring_up(order, wait_s=1) for order in orders]):
        await _is_given_up(stack, database, payment)


async def _is_given_up(stack: GatewayStack, database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    if payment["status"] == "failed":
        row = await payment_row(database, payment["id"])
        assert payment["failure"]["code"] == "not_created"
        assert (row["completed_at"] - row["created_at"]).total_seconds() >= BOUND_S
        assert stack.simulators.trades_of(payment) == []
    else:  # Alipay's cancel shuts an order that it has never heard of, for good
        assert (payment["wallet"], payment["status"]) == ("alipay", "reversed")
        assert {trade["status"] for trade in stack.simulators.trades_of(payment)} <= {"reversed"}


@pytest.mark.parametrize(("how", "captured"), [("fault", 2598), ("magic", 2600)])
async def test_another_amount_goes_to_a_person_and_nothing_automatic_touches_it(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, how: str, captured: int
) -> None:
    if how == "fault":
        _set_everywhere(stack, {"kind": "wrong_amount", "delta": -1, "times": 1})
    orders = [new_order(wallet, "9010" if how == "magic" else None) for wallet in WALLETS]
    for payment in await _all([_asked(till, order) for order in orders]):
        assert payment["status"] == "processing"
        assert (await payment_row(database, payment["id"]))["review"] == "amount_mismatch"
        tasks = await database.fetchval("SELECT count(*) FROM recovery_tasks WHERE payment_id = $1", payment["id"])
        assert tasks == 0, "a worker would come upon it"
        trade = stack.simulators.trade_of(payment)
        assert (trade["status"], trade["amount"], trade["refunded"]) == ("captured", captured, 0)


async def test_an_order_that_appears_within_the_bound_is_kept_once(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    _set_everywhere(stack, {"kind": "late_order", "after_s": 2.5, "hold_s": 2, "times": 1})
    orders = [new_order(wallet) for wallet in WALLETS]
    for payment in await _all([_asked(till, order) for order in orders]):
        assert payment["status"] == "processing", payment
    for payment in await _all([till.ring_up(order, wait_s=1) for order in orders]):
        await _is_kept_once(stack, database, payment)


async def test_an_order_that_appears_after_the_bound_is_refunded_by_itself_and_shown(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    _set_everywhere(stack, {"kind": "late_order", "after_s": 4.5, "hold_s": 2, "times": 1})
    orders = [new_order(wallet) for wallet in ("wechat", "unionpay")]  # Alipay's cancel shuts what is still to come
    for payment in await _all([_asked(till, order) for order in orders]):
        await expire(database, payment["id"])
    for payment in await _all([till.ring_up(order, wait_s=1) for order in orders]):
        assert (payment["status"], payment["late_captures"]) == ("failed", [])
        assert payment["failure"]["code"] == "not_created"
        await _appears(stack, payment)
        await look_now(database, payment["id"])
    refunded = "SELECT FROM late_captures WHERE payment_id = $1 AND status = 'refunded'"
    for order in orders:
        payment = await till.ring_up(order, wait_s=1)
        await until_row(database, refunded, payment["id"])
        await _is_given_back(stack, database, await till.ring_up(order, wait_s=1))


async def _appears(stack: GatewayStack, payment: Mapping[str, Any]) -> None:
    await until(lambda: [trade["status"] for trade in stack.simulators.trades_of(payment)] == ["captured"])


async def _is_given_back(stack: GatewayStack, database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    assert (payment["status"], payment["amount_refunded"]) == ("failed", 0), "a payment that is over stays as it is"
    [late] = payment["late_captures"]
    assert (late["amount"], late["status"], late["channel"]) == (2599, "refunded", payment["channel"])
    assert stack.simulators.trade_of(payment)["refunded"] == 2599
    assert [event["type"] for event in await events_of(database, payment["id"])] == [
        "payment.created",
        "payment.not_created",
        "payment.late_capture_found",
        "payment.late_capture_refunded",
    ]


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_channel_that_refuses_connections_charges_nothing_and_says_so_at_once(
    stack: GatewayStack,
    till: PatientTill,
    database: asyncpg.Connection,
    channel_doors: tuple[dict[str, Door], Simulators],
    wallet: str,
) -> None:
    door = channel_doors[0][wallet]
    door.shut()
    try:
        payment = await till.ring_up(new_order(wallet), within_s=5)
        assert (payment["status"], payment["failure"]["code"]) == ("failed", "channel_unavailable")
        assert payment["failure"]["retryable"] is True
        assert stack.simulators.trades_of(payment) == []
        others = [new_order(other) for other in WALLETS if other != wallet]
        assert {(await till.ring_up(order))["status"] for order in others} == {"succeeded"}
    finally:
        door.unshut()
    assert {row["state"] for row in await attempts_of(database, payment["id"])} == {"unsent"}, "at every account"
    assert (await till.ring_up(new_order(wallet)))["status"] == "succeeded"


async def test_an_outage_in_mid_flight_ends_each_payment_once_when_the_channels_are_back(
    stack: GatewayStack, till: PatientTill
) -> None:
    _set_everywhere(stack, {"kind": "outage", "probability": 0.6}, seed=7)
    orders = [new_order(wallet) for wallet in WALLETS for _ in range(8)]
    asked = await _all([_asked(till, order) for order in orders])
    assert {payment["status"] for payment in asked} == {"succeeded", "processing"}
    stack.simulators.clear_faults()
    await _all([_cancel(till, payment) for payment in asked if payment["status"] == "processing"])
    for payment in await _all([till.ring_up(order, wait_s=1) for order in orders]):
        trades = stack.simulators.trades_of(payment)
        kept = sum(trade["amount"] - trade["refunded"] for trade in trades if trade["status"] == "captured")
        assert kept == (payment["payable"] if payment["status"] == "succeeded" else 0), (payment, trades)


async def test_a_rate_limited_payment_charges_nothing_and_is_sent_only_once(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    _set_everywhere(stack, {"kind": "rate_limit", "calls": ["pay"]})
    orders = [new_order(wallet) for wallet in WALLETS]
    for payment in await _all([_asked(till, order) for order in orders]):
        assert payment["status"] in {"processing", "failed"}
        await expire(database, payment["id"])
    for payment in await _all([till.ring_up(order, wait_s=1) for order in orders]):
        assert payment["status"] in {"failed", "reversed"}
        assert {trade["status"] for trade in stack.simulators.trades_of(payment)} <= {"reversed"}
        plan = stack.simulators.client.get(f"{stack.simulators.base_urls[payment['wallet']]}/_simulator/faults")
        assert plan.json()["rules"][0]["struck"] == 1, "charged again after a refusal"


async def test_a_slow_channel_is_waited_for(stack: GatewayStack, till: PatientTill) -> None:
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, latency_ms={"mean": 400})
    payments = await _all([till.ring_up(new_order(wallet)) for wallet in WALLETS for _ in range(3)])
    assert {payment["status"] for payment in payments} == {"succeeded"}


async def test_the_audit_command_agrees_with_all_that_has_happened_here(
    stack: GatewayStack, till: PatientTill, database_url: str, book: ClientBook
) -> None:
    await till.ring_up(new_order())
    report = await audit_command(database_url, stack.simulators, book)
    assert report["payments"]["by_status"].get("processing", 0) in {0, 6}, "only what is under review stays open"


async def _all(work: Iterable[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*work))


async def _asked(till: PatientTill, order: Mapping[str, Any]) -> dict[str, Any]:
    """The payment as one short request tells it."""
    answer = await till.ask(order, wait_s=1)
    assert answer is not None
    assert answer.status_code == 201, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


async def _cancel(till: PatientTill, payment: Mapping[str, Any]) -> dict[str, Any]:
    url = f"{till.urls[0]}/v1/payments/{payment['id']}/cancel"
    answer = await till.client.post(url, headers={"Prefer": "wait=10"})
    assert answer.status_code == 200, answer.text
    cancelled: dict[str, Any] = answer.json()
    return cancelled


def _set_everywhere(stack: GatewayStack, rule: Mapping[str, Any], **plan: Any) -> None:
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, rule, **plan)


async def _is_kept_once(stack: GatewayStack, database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    """One attempt, one capture, known by the channel's own number, and booked."""
    assert payment["status"] == "succeeded"
    [attempt] = await attempts_of(database, payment["id"])
    assert attempt["state"] == "captured"
    [trade] = stack.simulators.trades(payment["wallet"], attempt_order_no(payment["id"], 1))
    assert (trade["status"], trade["amount"], trade["refunded"]) == ("captured", 2599, 0)
    assert trade["trade_no"] == payment["channel_trade_no"]
    assert [event["type"] for event in await events_of(database, payment["id"])] == [
        "payment.created",
        "payment.captured",
    ]
