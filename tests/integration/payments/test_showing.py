"""A code to show: durable before anybody sees it, answered at once, the same for the same request."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gateway.codes.tokens import payment_of_token
from gateway.database.shown import ShownRow
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Conflict, Unavailable
from gateway.kernel.failures import FailureCode
from gateway.payments import settle
from gateway.payments.desk import Answered, Desk
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.replays import Replays
from gateway.payments.states import Status
from routing.channels.base import CallLimits, ChannelRejected, ChannelUnsent, CodeOrder, Wallet
from routing.channels.reports import CodeReport
from tests.integration.payments.conftest import Counter
from tests.support.fake_channel import CODE, SILENT

REFUSES = ChannelRejected("PARAM_ERROR", FailureCode.CHANNEL_REFUSED)


async def take(counter: Counter, order: PaymentOrder, within_s: float = 5.0) -> Payment:
    return (await counter.desk.take(order, Deadline.after(within_s))).payment


async def tasks(counter: Counter, payment: Payment) -> dict[str, float]:
    """The payment's tasks, with the seconds until they fall due."""
    found = await counter.pool.fetch(
        "SELECT purpose, extract(epoch FROM next_at - now())::float8 AS due FROM recovery_tasks WHERE payment_id = $1",
        payment.id,
    )
    return {record["purpose"]: record["due"] for record in found}


async def attempt_state(counter: Counter, payment: Payment) -> str:
    found: str = await counter.pool.fetchval("SELECT state FROM attempts WHERE payment_id = $1", payment.id)
    return found


async def test_a_code_is_answered_with_what_it_holds_and_the_worker_looks_at_it_soon(counter: Counter) -> None:
    order = counter.code(expires_in=120, description="latte", store_id="s-1")
    payment = await take(counter, order)
    assert (payment.status, payment.to_json()["qr_code"]) == (Status.REQUIRES_ACTION, CODE.qr_code)
    assert (payment.wallet, payment.account_id, payment.completed_at) == ("wechat", "wechat_direct", None)
    [(name, code)] = counter.channel.calls
    assert name == "code"
    assert isinstance(code, CodeOrder)
    assert (code.order, code.description, code.store_id) == (payment.channel_order, "latte", "s-1")
    assert code.pay_until == payment.expires_at == payment.pay_until
    assert 4 < (await tasks(counter, payment))["resolve"] <= 5
    assert await counter.store.find("mer_1", payment.id) == payment
    assert await counter.pool.fetchval("SELECT pay_until FROM attempts WHERE payment_id = $1", payment.id) == (
        payment.expires_at
    )


async def test_a_merchant_who_wants_to_be_told_is_told_of_the_code(counter: Counter) -> None:
    told = await take(counter, counter.code(notify_url="https://till.example/hook"))
    untold = await take(counter, counter.code())
    events = await counter.pool.fetch(
        "SELECT e.payment_id, e.type, e.seq, e.from_status, e.to_status, e.id, o.seq AS outbox_seq FROM events e"
        " LEFT JOIN webhook_outbox o ON o.event_id = e.id WHERE e.payment_id = ANY ($1) AND e.seq = 2",
        [told.id, untold.id],
    )
    assert {record["payment_id"]: record["outbox_seq"] for record in events} == {told.id: 2, untold.id: None}
    assert {tuple(record[1:5]) for record in events} == {("payment.code_shown", 2, "processing", "requires_action")}
    assert all(record["id"].startswith("evt_") for record in events)


async def test_a_definite_refusal_fails_the_payment(counter: Counter) -> None:
    counter.channel.codes = [REFUSES]
    payment = await take(counter, counter.code())
    assert (payment.status, payment.failure, payment.failure_channel_code) == (
        Status.FAILED,
        FailureCode.CHANNEL_REFUSED,
        "PARAM_ERROR",
    )
    assert await tasks(counter, payment) == {}


async def test_a_channel_that_was_not_reached_fails_the_payment_and_leaves_nothing_to_watch(counter: Counter) -> None:
    counter.channel.codes = [ChannelUnsent("no_connection")]
    payment = await take(counter, counter.code())
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.CHANNEL_UNAVAILABLE)
    assert (await attempt_state(counter, payment), await tasks(counter, payment)) == ("unsent", {})


async def test_a_lost_answer_is_asked_for_once_more_with_the_very_same_order(counter: Counter) -> None:
    counter.channel.codes = [SILENT, CODE]
    payment = await take(counter, counter.code())
    assert payment.status is Status.REQUIRES_ACTION
    first, second = counter.channel.calls
    assert first == second


@pytest.mark.parametrize("second", [SILENT, REFUSES, ChannelUnsent("send_before_passed")])
async def test_without_a_code_the_payment_fails_and_an_order_that_may_be_there_stays_watched(
    counter: Counter, second: Exception
) -> None:
    counter.channel.codes = [SILENT, second]  # type: ignore[list-item]
    payment = await take(counter, counter.code())
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.CHANNEL_UNAVAILABLE)
    assert await attempt_state(counter, payment) == "not_created"
    assert list(await tasks(counter, payment)) == ["watch"]
    assert counter.channel.asked == ["code", "code"]


async def test_both_tries_end_within_the_time_for_which_the_worker_stays_away(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[CallLimits] = []

    async def silence(_code: CodeOrder, given: CallLimits) -> CodeReport:
        limits.append(given)
        raise SILENT

    monkeypatch.setattr(counter.channel, "create_code", silence)
    began = time.monotonic()
    await take(counter, counter.code(), within_s=4.0)
    assert [round(given.timeout_s) for given in limits] == [5, 10], "half of the channel's time, then what is left"
    assert all(given.send_before is not None and given.send_before <= began + 10.1 for given in limits)


async def test_a_code_that_a_worker_has_shut_meanwhile_is_not_shown(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process slept between the channel's answer and its commit."""
    order = counter.code()

    async def slowly(code: CodeOrder, _limits: CallLimits) -> CodeReport:
        payment = await counter.store.find_by_order_no(*order.key)
        assert payment is not None
        await counter.charging.commit(payment, settle.closed(payment))
        return CODE

    monkeypatch.setattr(counter.channel, "create_code", slowly)
    payment = await take(counter, order)
    assert (payment.status, payment.to_json()["qr_code"]) == (Status.CLOSED, None)


async def test_a_code_whose_payment_was_cancelled_meanwhile_is_not_shown(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = counter.code()

    async def slowly(code: CodeOrder, _limits: CallLimits) -> CodeReport:
        payment = await counter.store.find_by_order_no(*order.key)
        assert payment is not None
        assert await counter.store.request_reversal(payment)
        return CODE

    monkeypatch.setattr(counter.channel, "create_code", slowly)
    payment = await take(counter, order)
    assert (payment.status, payment.reversal, payment.qr_code) == (Status.PROCESSING, "pending", None)


@pytest.mark.parametrize("error", [Unavailable("database_busy", "full"), RuntimeError("a bug")])
async def test_a_code_that_could_not_be_made_durable_is_not_shown(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(_row: ShownRow) -> Any:
        raise error

    monkeypatch.setattr(counter.shown, "submit", fail)
    payment = await take(counter, counter.code())
    assert (payment.status, payment.qr_code) == (Status.PROCESSING, None)
    assert list(await tasks(counter, payment)) == ["resolve"]


async def test_a_commit_whose_answer_was_lost_has_shown_the_code(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = counter.shown.submit

    async def twice(row: ShownRow) -> Any:
        await submit(row)
        return await submit(row)

    monkeypatch.setattr(counter.shown, "submit", twice)
    payment = await take(counter, counter.code())
    assert (payment.status, payment.qr_code) == (Status.REQUIRES_ACTION, CODE.qr_code)
    types = await counter.pool.fetch("SELECT type FROM events WHERE payment_id = $1 ORDER BY seq", payment.id)
    assert [record["type"] for record in types] == ["payment.created", "payment.code_shown"]


@pytest.mark.parametrize("wallet", [Wallet.WECHAT, None])
async def test_the_same_request_has_the_same_code_at_once(counter: Counter, wallet: Wallet | None) -> None:
    order = counter.code(wallet)
    payment = await take(counter, order)
    began = time.monotonic()
    again: Answered = await counter.desk.take(order, Deadline.after(20))
    assert time.monotonic() - began < 5, "a code that is on display is an answer"
    assert (again.payment, again.replayed) == (payment, True)


async def test_many_of_the_same_request_at_once_have_one_code(counter: Counter) -> None:
    order = counter.code()
    elsewhere = Desk(counter.flow, Replays(counter.store, counter.vault), 16)
    answers = await asyncio.gather(
        *[desk.take(order, Deadline.after(10)) for desk in (counter.desk, elsewhere) for _ in range(5)]
    )
    assert len({answer.payment.id for answer in answers}) == 1
    assert {answer.payment.qr_code for answer in answers} == {CODE.qr_code}
    assert counter.channel.asked == ["code"]


async def test_another_wallet_under_the_same_number_is_another_request(counter: Counter) -> None:
    order = counter.code()
    await take(counter, order)
    other = counter.code(None, merchant_order_no=order.request.merchant_order_no)
    with pytest.raises(Conflict) as refused:
        await take(counter, other)
    assert (refused.value.code, refused.value.param) == ("order_no_reused", "wallet")


async def test_a_code_for_any_wallet_is_shown_before_any_channel_is_asked(counter: Counter) -> None:
    payment = await take(counter, counter.code(None, expires_in=600))
    assert (payment.status, payment.wallet, payment.account_id, payment.attempt_seq) == (
        Status.REQUIRES_ACTION,
        None,
        None,
        0,
    )
    address, _, token = (payment.qr_code or "").rpartition("/q/")
    assert address == "http://127.0.0.1:8000"
    assert payment_of_token(counter.vault, token) == payment.id
    assert counter.channel.asked == []
    assert 599 < (await tasks(counter, payment))["resolve"] <= 600
    assert await counter.store.find("mer_1", payment.id) == payment


async def test_a_static_codes_payment_names_the_code(counter: Counter) -> None:
    order = counter.code(None)
    payment = await take(counter, PaymentOrder("mer_1", "shop", order.request, None, order.fields, code_id="cod_1"))
    assert payment.code_id == "cod_1"
    assert await counter.store.find("mer_1", payment.id) == payment


async def test_without_any_channel_there_is_no_code_to_show(counter: Counter) -> None:
    assert (await take(counter, counter.code(Wallet.ALIPAY))).failure is FailureCode.NO_CHANNEL
    await counter.pool.execute("UPDATE channel_accounts SET status = 'disabled'")
    await counter.flow._router._eligibility._book.reload()
    payment = await take(counter, counter.code(None))
    assert (payment.status, payment.failure, payment.qr_code) == (Status.FAILED, FailureCode.NO_CHANNEL, None)
    await counter.pool.execute("UPDATE channel_accounts SET status = 'enabled'")


@pytest.mark.parametrize("wallet", [Wallet.WECHAT, None])
async def test_a_payment_that_replaces_a_code_on_display_waits_for_the_codes_end(
    counter: Counter, wallet: Wallet | None
) -> None:
    earlier = await take(counter, counter.code(wallet))
    with pytest.raises(Conflict) as refused:
        await take(counter, counter.code(replaces=earlier.id), within_s=0.1)
    assert refused.value.code == "replaced_payment_unresolved"
    await counter.charging.commit(earlier, settle.closed(earlier))
    assert (await take(counter, counter.code(None, replaces=earlier.id))).status is Status.REQUIRES_ACTION
    with pytest.raises(Conflict) as refused:
        await take(counter, counter.code(replaces=earlier.id))
    assert refused.value.code == "already_replaced"
