"""What comes in is verified, compared with our row, durable, and only then acknowledged; the rest changes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.callbacks import reception
from gateway.callbacks.callback import Callback
from gateway.kernel.clock import utc_now
from gateway.kernel.errors import InvalidRequest
from gateway.kernel.ids import new_id
from gateway.payments.numbers import attempt_order_no, refund_order_no
from gateway.payments.states import Event, Status
from routing.accounts.book import Overlap
from routing.channels.notifications import Notification
from routing.channels.reports import RefundReport, RefundState
from tests.integration.callbacks.conftest import ACCEPTED, REFUSED, NotifyingChannel, Room, told
from tests.support.fake_channel import captured


async def test_a_notification_is_acknowledged_in_the_channels_words_and_applied(room: Room) -> None:
    row = await room.begin()
    assert await room.tell(told(row)) == ACCEPTED
    payment = await room.payment(row)
    assert (payment.status, payment.channel_trade_no) == (Status.SUCCEEDED, "4200001")
    assert await room.events(row) == ["created", "captured"]
    assert await room.result(row.payment_id) == "applied"


async def test_it_is_in_the_inbox_when_it_is_acknowledged_before_anything_is_applied(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await room.begin()
    applied = asyncio.Event()

    async def later(callback: Callback) -> None:
        applied.set()

    monkeypatch.setattr(room.applying, "handle", later)
    assert await room.receive(room.message(told(row))) == ACCEPTED
    assert not applied.is_set()
    assert await room.result(row.payment_id) is None


async def test_a_hundred_at_once_are_all_acknowledged_and_applied_once(room: Room) -> None:
    row = await room.begin()
    body = room.message(told(row))
    answers = await asyncio.gather(*[room.receive(body) for _ in range(100)])
    await room.reception.drain()
    assert answers == [ACCEPTED] * 100
    assert await room.events(row) == ["created", "captured"]
    assert await room.result(row.payment_id) == "applied"
    assert await room.pool.fetchval("SELECT count(*) FROM transfers WHERE payment_id = $1", row.payment_id) == 2


@pytest.mark.parametrize("reason", ["signature", "stale", "malformed", "unknown_key"])
async def test_what_is_not_from_the_channel_changes_nothing_and_is_refused(room: Room, reason: str) -> None:
    row = await room.begin()
    room.channels["wechat_direct"].refusal = reason
    assert await room.receive(b"forged") == REFUSED
    assert await room.rows(row.payment_id) == []
    assert (await room.payment(row)).status is Status.PROCESSING


async def test_a_notification_for_an_order_of_another_account_changes_nothing_and_is_refused(room: Room) -> None:
    row = await room.begin(account_id="wechat_direct")
    assert await room.tell(told(row), "alipay_direct") == REFUSED
    assert await room.rows(row.payment_id) == []
    assert (await room.payment(row)).status is Status.PROCESSING


@pytest.mark.parametrize(
    "change",
    [
        {"order_no": "20260101000123456789"},
        {"order_no": ""},
        {"id": "line\nbreak"},
        {"id": ""},
        {"id": "x" * 201},
        {"trade": None},
        {"refund": RefundReport(RefundState.SUCCEEDED)},
        {"trade": captured(trade_no="\ud800")},
        {
            "trade": None,
            "refund": RefundReport(RefundState.SUCCEEDED),
            "refund_no": refund_order_no(new_id("pay"), 1, 1),
        },
    ],
)
async def test_a_notification_that_is_none_of_ours_is_refused(room: Room, change: dict[str, object]) -> None:
    row = await room.begin()
    assert await room.tell(told(row, **change)) == REFUSED
    assert await room.pool.fetchval("SELECT count(*) FROM callbacks") == 0


@pytest.mark.parametrize(("channel", "account"), [("wechat", "nobody"), ("alipay", "wechat_direct"), ("", "")])
async def test_an_account_that_is_not_there_is_not_found(room: Room, channel: str, account: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await room.reception.receive(channel, account, {}, b"x")
    assert refused.value.http_status == 404


async def test_a_notification_signed_for_the_earlier_credentials_is_read_while_they_overlap(room: Room) -> None:
    row, earlier = await room.begin(), NotifyingChannel()
    earlier.messages[b"signed with the old key"] = told(row)
    accounts = room.base.accounts._accounts
    account = accounts["wechat_direct"]
    try:
        accounts["wechat_direct"] = replace(account, overlap=Overlap(earlier, utc_now() + timedelta(minutes=1)))
        assert await room.receive(b"signed with the old key") == ACCEPTED
        assert await room.receive(b"signed by nobody") == REFUSED
        accounts["wechat_direct"] = replace(account, overlap=Overlap(earlier, utc_now()))
        assert await room.receive(b"signed with the old key") == REFUSED
    finally:
        accounts["wechat_direct"] = account


async def test_a_database_that_is_busy_or_away_is_a_refusal_within_a_second_so_that_the_channel_comes_again(
    room: Room,
) -> None:
    row = await room.begin()
    body = room.message(told(row))
    async with AsyncExitStack() as held:
        with suppress(TimeoutError):  # one may be held for the hot statements
            while True:
                await held.enter_async_context(room.pool.acquire(timeout=0.2))
        began = time.monotonic()
        answer = await room.receive(body)
        assert time.monotonic() - began < 10  # a second and what a busy machine adds; unbounded, it would wait for ever
    assert (answer.status, answer.body) == (503, REFUSED.body)
    assert await room.rows(row.payment_id) == []
    assert await room.receive(body) == ACCEPTED


async def test_more_than_can_wait_are_refused_at_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "_WAITING_MAX", 5)
    rows = [await room.begin() for _ in range(8)]
    bodies = [room.message(told(row)) for row in rows]
    answers = await asyncio.gather(*map(room.receive, bodies))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [503] * 3


async def test_what_was_told_is_sealed_where_it_is_kept_and_reaches_no_log(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    row = await room.begin()
    secret = "ohV3payerOpenId"
    with caplog.at_level(logging.DEBUG):
        await room.tell(told(row, replace(captured(1), payer_id=secret)))
        body = next(iter(room.channels["wechat_direct"].messages))
    [kept] = await room.rows(row.payment_id)
    for sealed in (kept["report_sealed"], kept["body_sealed"]):
        assert secret.encode() not in sealed
        assert body not in sealed
    callback = Callback.of("wechat_direct", told(row))
    assert room.inbox.message(callback, kept["body_sealed"]) == b"wechatpay-serial: S1\r\n\r\n" + body
    assert secret not in caplog.text
    assert body.decode() not in caplog.text


async def test_forged_messages_fill_no_log(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for _ in range(50):
            await room.receive(b"forged")
    assert len([record for record in caplog.records if record.name == "mashang.callbacks"]) == 1


async def test_only_so_many_are_applied_here_at_once_and_the_worker_does_the_others(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "_APPLYING_MAX", 0)
    row = await room.begin()
    assert await room.tell(told(row)) == ACCEPTED
    assert await room.result(row.payment_id) is None
    assert await room.sweep() == 0  # not before the gateway has had its time
    await room.age(row.payment_id, 5)
    assert await room.sweep() == 1
    assert await room.result(row.payment_id) == "applied"


async def test_messages_are_dropped_after_their_time_and_what_they_said_stays(room: Room) -> None:
    rows = [await room.begin() for _ in range(3)]
    for row in rows:
        await room.tell(told(row))
    for row in rows[:2]:
        await room.age(row.payment_id, 91 * 86_400)
    assert [await room.inbox.drop_bodies(90, 1) for _ in range(3)] == [1, 1, 0]
    kept = [(await room.rows(row.payment_id))[0] for row in rows]
    assert [row["body_sealed"] is None for row in kept] == [True, True, False]
    assert all(row["report_sealed"] for row in kept)


async def test_every_wallets_orders_have_the_form_that_is_looked_for(room: Room) -> None:
    row = await room.begin()
    found = Callback.of("wechat_direct", Notification("n", attempt_order_no(row.payment_id, 7), captured()))
    assert (found.payment_id, found.attempt_seq) == (row.payment_id, 7)


async def test_a_refund_says_which_payment_it_is_of(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    number = refund_order_no(row.payment_id, 1, 3)
    answer = await room.tell(told(row, trade=None, refund_no=number, refund=RefundReport(RefundState.SUCCEEDED)))
    assert answer == ACCEPTED
    [kept] = await room.rows(row.payment_id)
    assert kept["refund_no"] == number
