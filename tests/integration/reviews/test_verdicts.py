"""A verdict that could lose money is refused, and says what to do; one that comes too late changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY

from gateway.database.intents import IntentRow
from gateway.kernel.errors import Conflict, Unavailable
from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.payments.states import Status
from gateway.refunds.refund import RefundStatus
from gateway.reviews.review import Verdict
from routing.channels.reports import RefundReport, RefundState, TradeReport, TradeState
from tests.integration.reviews.conftest import Person
from tests.support.fake_channel import NOT_FOUND, PENDING, SILENT, captured, refused

ABNORMAL = RefundReport(RefundState.PENDING, abnormal=True)
MISMATCH = "amount_mismatch"


async def untouched(person: Person, row: IntentRow) -> bool:
    """Whether the payment stands in review as before, without an event or a task more."""
    payment = await person.counter.payment(row)
    events = await person.counter.events(row)
    tasks = await person.counter.tasks(row)
    verdicts = await person.counter.pool.fetchval(
        "SELECT count(*) FROM review_verdicts WHERE payment_id = $1", row.payment_id
    )
    return (payment.status, payment.review is None, events, tasks, verdicts) == (
        Status.PROCESSING, False, ["created"], [], 0,
    )  # fmt: skip


@pytest.mark.parametrize("verdict", [Verdict.ACCEPT_CAPTURE, Verdict.GIVE_BACK])
@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (PENDING, "query_again"),
        (NOT_FOUND, "query_again"),
        (refused(), "query_again"),
        (TradeReport(TradeState.CLOSED), "query_again"),
        (TradeReport(TradeState.REFUNDED), "mark_reversed"),
        (TradeReport(TradeState.CAPTURED), "own console"),
    ],
)
async def test_money_is_neither_booked_nor_given_back_unless_the_channel_says_how_much_it_has(
    person: Person, verdict: Verdict, answer: TradeReport, advice: str
) -> None:
    row = await person.finds(await person.counter.begin(), MISMATCH)
    person.counter.channel.queries = [answer]
    with pytest.raises(Conflict, match=advice) as caught:
        await person.decides(row, verdict)
    assert caught.value.code == "verdict_refused"
    assert await untouched(person, row)


async def test_another_amount_than_the_payable_is_never_accepted(person: Person) -> None:
    row = await person.finds(await person.counter.begin(), MISMATCH)
    person.counter.channel.queries = [captured(2_600)]
    with pytest.raises(Conflict, match="give_back"):
        await person.decides(row, Verdict.ACCEPT_CAPTURE)
    assert await untouched(person, row)


async def test_a_capture_is_not_accepted_while_a_reversal_can_still_be_carried_out(person: Person) -> None:
    row = await person.finds(await person.counter.begin(), "not_reversible", since_s=5)
    person.counter.channel.queries = [captured()]
    with pytest.raises(Conflict, match="some minutes"):
        await person.decides(row, Verdict.ACCEPT_CAPTURE)
    assert await untouched(person, row)
    await person.finds(row, "not_reversible", since_s=600)
    before = turnover_fen()
    await person.decides(row, Verdict.ACCEPT_CAPTURE)
    assert (await person.counter.payment(row)).status is Status.SUCCEEDED
    assert turnover_fen() == before + row.amount, "whoever brings an end about, it is counted"


def turnover_fen() -> float:
    flush_hot_metrics()
    told = {"wallet": "wechat", "account": "wechat_direct"}
    return REGISTRY.get_sample_value("mashang_turnover_fen_total", told) or 0.0


@pytest.mark.parametrize("verdict", [Verdict.ACCEPT_CAPTURE, Verdict.GIVE_BACK])
async def test_nothing_is_decided_while_the_channel_does_not_answer(person: Person, verdict: Verdict) -> None:
    row = await person.finds(await person.counter.begin(), MISMATCH)
    person.counter.channel.queries = [SILENT]
    with pytest.raises(Unavailable) as caught:
        await person.decides(row, verdict)
    assert (caught.value.code, caught.value.retry_after_s) == ("channel_away", 10)
    assert await untouched(person, row)


async def test_a_payment_that_is_captured_while_the_channel_is_asked_stays_so(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = person.counter
    row = await person.finds(await counter.begin(), MISMATCH)

    async def query(*_: Any) -> TradeReport:
        await counter.settle(await counter.payment(row), captured())
        return captured()

    monkeypatch.setattr(counter.channel, "query", query)
    with pytest.raises(Conflict) as caught:
        await person.decides(row, Verdict.GIVE_BACK)
    assert caught.value.code == "review_changed"
    assert (await counter.payment(row)).status is Status.SUCCEEDED
    assert await counter.events(row) == ["created", "captured"]


async def test_a_payment_that_came_back_for_another_reason_is_judged_anew(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = person.counter
    row = await person.finds(await counter.begin(), MISMATCH)

    async def query(*_: Any) -> TradeReport:
        await counter.pool.execute("UPDATE payments SET review = 'not_reversible' WHERE id = $1", row.payment_id)
        return captured()

    monkeypatch.setattr(counter.channel, "query", query)
    with pytest.raises(Conflict):
        await person.decides(row, Verdict.ACCEPT_CAPTURE)
    assert await untouched(person, row)


@pytest.mark.parametrize(
    ("verdict", "answer", "advice"),
    [
        (Verdict.MARK_SUCCEEDED, RefundReport(RefundState.PENDING), "by itself"),
        (Verdict.MARK_SUCCEEDED, RefundReport(RefundState.FAILED), "ask_again"),
        (Verdict.MARK_SUCCEEDED, RefundReport(RefundState.NOT_FOUND), "ask_again"),
        (Verdict.MARK_FAILED, RefundReport(RefundState.PENDING), "by itself"),
        (Verdict.MARK_FAILED, RefundReport(RefundState.SUCCEEDED), "went back"),
        (Verdict.MARK_FAILED, ABNORMAL, "own console"),
    ],
)
async def test_a_refund_is_not_marked_as_what_the_channel_denies(
    person: Person, verdict: Verdict, answer: RefundReport, advice: str
) -> None:
    refund = await person.finds_refund()
    person.counter.channel.refund_queries = [answer]
    with pytest.raises(Conflict, match=advice):
        await person.decides(refund, verdict)
    found = await person.counter.desk.store.find(refund.merchant_id, refund.id)
    assert found is not None
    assert (found.status, found.review) == (RefundStatus.PENDING, "abnormal")


@pytest.mark.parametrize("answer", [ABNORMAL, RefundReport(RefundState.SUCCEEDED, amount_fen=900)])
async def test_a_refund_that_somebody_has_seen_arrive_is_booked_in_its_own_amount(
    person: Person, answer: RefundReport
) -> None:
    refund = await person.finds_refund()
    person.counter.channel.refund_queries = [answer]
    await person.decides(refund, Verdict.MARK_SUCCEEDED)
    found = await person.counter.desk.store.find(refund.merchant_id, refund.id)
    assert found is not None
    assert (found.status, found.review, found.returned_to_customer) == (RefundStatus.SUCCEEDED, None, 1_000)


async def test_a_refund_that_its_channel_does_not_know_fails_only_when_nothing_can_arrive_any_more(
    person: Person,
) -> None:
    refund = await person.finds_refund(asked_s=5)
    with pytest.raises(Conflict, match="some minutes"):
        await person.decides(refund, Verdict.MARK_FAILED)
    refund = await person.finds_refund(asked_s=600)
    await person.decides(refund, Verdict.MARK_FAILED)
    found = await person.counter.desk.store.find(refund.merchant_id, refund.id)
    assert found is not None
    assert found.status is RefundStatus.FAILED


async def test_a_refund_that_a_worker_asks_for_while_a_person_decides_is_not_marked(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = person.counter
    refund = await person.finds_refund()

    async def query_refund(*_: Any) -> RefundReport:
        assert await counter.desk.store.ask(refund, 5.0) is not None
        return RefundReport(RefundState.NOT_FOUND)

    monkeypatch.setattr(counter.channel, "query_refund", query_refund)
    with pytest.raises(Conflict) as caught:
        await person.decides(refund, Verdict.MARK_FAILED)
    assert caught.value.code == "review_changed"
    found = await counter.desk.store.find(refund.merchant_id, refund.id)
    assert found is not None
    assert (found.status, found.review) == (RefundStatus.PENDING, "abnormal")


async def test_a_refund_that_ends_leaves_no_task_that_sleeps_for_a_day(person: Person) -> None:
    counter = person.counter
    refund = await person.finds_refund()
    await counter.pool.execute(
        "UPDATE recovery_tasks SET next_at = now() + interval '1 day' WHERE payment_id = $1", refund.payment_id
    )
    counter.channel.refund_queries = [ABNORMAL]
    await person.decides(refund, Verdict.MARK_SUCCEEDED)
    due: bool = await counter.pool.fetchval(
        "SELECT next_at <= now() FROM recovery_tasks WHERE payment_id = $1 AND purpose = 'refund'", refund.payment_id
    )
    assert due
