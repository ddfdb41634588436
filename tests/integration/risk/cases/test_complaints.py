"""A complaint joins the open case of its payment, opens a decided one again, or opens a case."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from gateway.kernel.errors import Conflict, InvalidRequest
from gateway.kernel.ids import new_id
from risk.cases.case import Evidence, Kind, Reason, StepKind, Verdict
from risk.cases.store import complaints_of
from tests.integration.risk.cases.conftest import Office


async def test_a_complaint_opens_a_case_that_is_due_in_three_days(office: Office) -> None:
    row = await office.paid()
    evidence = (Evidence("url", "screenshot", url="https://files.example/1"), Evidence("text", "chat", text="hello"))
    taken = await office.complain(row.payment_id, evidence=evidence)
    assert (taken.is_new, taken.case.kind, taken.case.amount_fen) == (True, Kind.COMPLAINT, row.amount)
    assert taken.case.due_at - taken.case.opened_at == timedelta(hours=72)
    [complaint] = await complaints_of(office.pool, office.vault, row.payment_id, office.merchant_id)
    assert complaint == taken.complaint
    assert (complaint.text, complaint.evidence) == ("That was not me.", evidence)
    assert [step.kind for step in await office.steps(taken.case)] == [StepKind.COMPLAINED]


async def test_a_complaint_joins_the_open_case_and_leaves_it_with_whoever_holds_it(office: Office) -> None:
    case = await office.claim(await office.reviewed(), "li.wei")
    taken = await office.complain(case.payment_id)
    assert (taken.case.id, taken.case.kind, taken.case.holder) == (case.id, Kind.REVIEW, "li.wei")
    assert taken.case.due_at == case.due_at, "a review that is due is not put off by a complaint"


async def test_a_complaint_opens_a_decided_case_again(office: Office) -> None:
    case = await office.reviewed()
    await office.decide(case, "li.wei", Verdict.GOOD)
    taken = await office.complain(case.payment_id)
    assert (taken.case.id, taken.case.is_open) == (case.id, True)
    assert taken.case.due_at - taken.case.read_at == timedelta(hours=72)
    assert [step.kind for step in await office.steps(case)] == [
        StepKind.DECIDED, StepKind.REOPENED, StepKind.COMPLAINED,
    ]  # fmt: skip


async def test_the_same_complaint_is_taken_once_and_another_under_its_number_is_refused(office: Office) -> None:
    row = await office.paid()
    first = await office.complain(row.payment_id)
    again = await office.complain(row.payment_id, by="somebody else")
    assert (again.is_new, again.complaint) == (False, first.complaint)
    other = await office.paid()
    for change in ({"text": "Really not me."}, {"reason": Reason.DECEIVED}, {"payment_id": other.payment_id}):
        with pytest.raises(Conflict) as caught:
            await office.complain(**{"payment_id": row.payment_id, **change})
        assert (caught.value.code, caught.value.param) == ("complaint_reused", "channel_complaint_id")
    assert await office.pool.fetchval("SELECT count(*) FROM risk_cases WHERE merchant_id = $1", office.merchant_id) == 1


async def test_complaints_about_one_payment_that_come_at_once_share_one_case(office: Office) -> None:
    row = await office.paid()
    taken = await asyncio.gather(*[office.complain(row.payment_id, f"c-{number % 5}") for number in range(15)])
    assert len({each.case.id for each in taken}) == 1
    assert sum(each.is_new for each in taken) == 5
    assert len(await complaints_of(office.pool, office.vault, row.payment_id, office.merchant_id)) == 5
    assert (await office.case(taken[0].case.id)).version == 5


async def test_a_payment_never_has_two_open_cases(office: Office) -> None:
    case = await office.reviewed()
    with pytest.raises(asyncpg.UniqueViolationError):
        await office.pool.execute(
            "INSERT INTO risk_cases (id, kind, payment_id, merchant_id, amount) VALUES ($1, 'complaint', $2, $3, 1)",
            new_id("case"),
            case.payment_id,
            case.merchant_id,
        )


async def test_there_is_nothing_to_complain_of_where_nothing_was_paid(office: Office) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await office.complain(new_id("pay"))
    assert (caught.value.http_status, caught.value.param) == (404, "payment_id")


async def test_what_was_complained_of_is_stored_sealed_and_never_changed(office: Office) -> None:
    taken = await office.complain((await office.paid()).payment_id, text="My number is 13800138000.")
    stored = await office.pool.fetchval("SELECT c::text FROM risk_complaints c WHERE id = $1", taken.complaint.id)
    assert "13800138000" not in stored
    assert b"13800138000".hex() not in stored
    for statement in ("DELETE FROM risk_complaints WHERE id = $1", "UPDATE risk_complaints SET by = '' WHERE id = $1"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await office.pool.execute(statement, taken.complaint.id)
