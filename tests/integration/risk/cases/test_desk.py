"""One analyst works on a case at a time, until the claim runs out; a verdict closes it and becomes a label."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from gateway.kernel.errors import ApiError, Conflict
from risk.cases.case import Case, StepKind, Verdict
from risk.cases.desk import CaseDesk
from risk.labels.label import Source
from tests.integration.risk.cases.conftest import Office


async def test_of_many_who_claim_a_case_at_once_one_wins(office: Office) -> None:
    case = await office.reviewed()
    people = [f"analyst-{number}" for number in range(20)]
    answers = await asyncio.gather(*[office.claim(case, by) for by in people], return_exceptions=True)
    won = [answer for answer in answers if not isinstance(answer, BaseException)]
    lost = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(won) == 1
    assert {type(error) for error in lost} == {Conflict}
    assert {error.code for error in lost if isinstance(error, ApiError)} == {"case_claimed"}
    holder = won[0].holder
    assert (await office.case(case.id)).holder == holder
    assert [(step.seq, step.kind, step.by) for step in await office.steps(case)] == [(1, StepKind.CLAIMED, holder)]
    assert all(str(holder) in str(error) for error in lost)


async def test_a_claim_runs_out_and_is_held_longer_by_claiming_again(office: Office) -> None:
    case = await office.claim(await office.reviewed(), "li.wei")
    assert case.claimed_until is not None
    assert case.claimed_until - case.read_at == timedelta(minutes=30)
    await office.later(case, 0.4)
    assert (await office.claim(case, "li.wei")).claimed_until is not None
    await office.later(case, 0.4)
    with pytest.raises(Conflict, match=r"li\.wei works on the case"):
        await office.claim(case, "zhang.min")
    await office.later(case, 0.4)
    assert (await office.case(case.id)).holder is None
    assert (await office.claim(case, "zhang.min")).holder == "zhang.min"
    assert [step.kind for step in await office.steps(case)] == [StepKind.CLAIMED] * 3


async def test_a_case_is_taken_over_only_from_whoever_holds_it(office: Office) -> None:
    case = await office.claim(await office.reviewed(), "li.wei")
    with pytest.raises(Conflict):
        await office.claim(case, "zhang.min", take_over_from="wang.fang")
    assert (await office.claim(case, "zhang.min", take_over_from="li.wei")).holder == "zhang.min"
    taken = (await office.steps(case))[-1]
    assert (taken.kind, taken.detail) == (StepKind.TAKEN_OVER, {"from": "li.wei"})
    with pytest.raises(Conflict):
        await office.decide(case, "li.wei", Verdict.GOOD)


async def test_a_released_case_is_anybodys_and_only_its_holder_releases_it(office: Office) -> None:
    case = await office.claim(await office.reviewed(), "li.wei")
    with pytest.raises(Conflict):
        await office.release(case, "zhang.min")
    assert (await office.release(case, "li.wei")).holder is None
    assert (await office.release(case, "li.wei")).version == 2, "there was nothing to release"
    assert (await office.claim(case, "zhang.min")).holder == "zhang.min"


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_a_verdict_closes_the_case_and_becomes_the_payments_label(office: Office, verdict: Verdict) -> None:
    case = await office.claim(await office.reviewed(), "li.wei")
    decided, label = await office.decide(case, "li.wei", verdict, "the customer was called")
    assert (decided.verdict, decided.decided_by, decided.holder, decided.is_open) == (verdict, "li.wei", None, False)
    assert label is not None
    assert (label.fraud, label.source, label.by, label.note) == (
        verdict is Verdict.FRAUD, Source.CASE, "li.wei", case.id,
    )  # fmt: skip
    assert await office.labels(case.payment_id) == [label]
    step = (await office.steps(case))[-1]
    assert (step.kind, step.note, step.detail) == (
        StepKind.DECIDED, "the customer was called", {"verdict": verdict.value},
    )  # fmt: skip
    for late in (office.claim(case, "li.wei"), office.decide(case, "li.wei", Verdict.GOOD)):
        with pytest.raises(Conflict, match=f"decided the case as {verdict}"):
            await late


async def test_of_two_verdicts_at_once_one_counts(office: Office) -> None:
    case = await office.reviewed()
    wanted = [(f"analyst-{n}", Verdict.FRAUD if n % 2 else Verdict.GOOD) for n in range(6)]
    answers = await asyncio.gather(*[office.decide(case, *each) for each in wanted], return_exceptions=True)
    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert len(await office.labels(case.payment_id)) == 1
    assert [step.kind for step in await office.steps(case)] == [StepKind.DECIDED]


async def _decide_and_fail(office: Office, case: Case) -> None:
    async with office.pool.acquire() as connection, connection.transaction():
        await CaseDesk(connection, office.vault).decide(case.id, "li.wei", Verdict.FRAUD, "x", {})
        await connection.execute("SELECT 1 / 0")


async def test_a_verdict_and_its_label_stand_or_fall_together(office: Office) -> None:
    case = await office.reviewed()
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _decide_and_fail(office, case)
    assert (await office.case(case.id)).is_open
    assert await office.labels(case.payment_id) == []
    assert await office.steps(case) == []


async def test_a_decided_case_is_opened_again_and_decided_anew_and_its_newest_label_stands(office: Office) -> None:
    case = await office.reviewed()
    with pytest.raises(Conflict, match="open"):
        await office.reopen(case, "li.wei", "new facts")
    await office.decide(case, "li.wei", Verdict.GOOD)
    opened = await office.reopen(case, "zhang.min", "the bank called")
    assert (opened.is_open, opened.verdict, opened.since > case.opened_at) == (True, None, True)
    assert opened.due_at - opened.read_at == timedelta(hours=24)
    await office.decide(case, "zhang.min", Verdict.FRAUD)
    assert [label.fraud for label in await office.labels(case.payment_id)] == [False, True]
    reopened = (await office.steps(case))[1]
    assert (reopened.kind, reopened.note, reopened.detail) == (
        StepKind.REOPENED, "the bank called", {"verdict_before": "good"},
    )  # fmt: skip


async def test_anybody_notes_something_on_a_case_that_another_holds_and_it_is_stored_sealed(office: Office) -> None:
    case = await office.claim(await office.reviewed(), "li.wei")
    await office.note(case, "zhang.min", "the shop's owner called: 13800138000")
    assert (await office.steps(case))[-1].note == "the shop's owner called: 13800138000"
    stored = await office.pool.fetchval(
        "SELECT string_agg(s::text, '') FROM risk_case_steps s WHERE case_id = $1", case.id
    )
    assert "13800138000" not in stored
    assert b"13800138000".hex() not in stored


async def test_what_was_done_is_never_changed(office: Office) -> None:
    case = await office.claim(await office.reviewed(), "li.wei")
    for statement in (
        "UPDATE risk_case_steps SET by = 'nobody' WHERE case_id = $1",
        "DELETE FROM risk_case_steps WHERE case_id = $1",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await office.pool.execute(statement, case.id)
