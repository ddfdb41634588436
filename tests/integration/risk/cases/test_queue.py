"""The queue: what is due first, or what most is at stake in, page by page; and the terms by which it is due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from risk.cases.case import Case, Kind, Terms, Verdict
from risk.cases.store import CaseFilter, Order, all_terms, page_of_cases, set_terms
from tests.integration.risk.cases.conftest import Office


async def pages(office: Office, wanted: CaseFilter, size: int = 2) -> list[str]:
    """Every case of the queue, read in pages of that size."""
    found: list[Case] = []
    while page := await page_of_cases(office.pool, wanted, size, found[-1] if found else None):
        assert len(page) <= size
        found += page
    return [case.id for case in found]


async def test_what_is_due_first_or_costs_most_stands_first(office: Office) -> None:
    amounts = (500, 90_000, 500, 20_000, 700)
    cases = [await office.reviewed(amount=amount) for amount in amounts]
    for case, hours in zip(cases, (3, 1, 5, 2, 4), strict=True):
        await office.later(case, hours)
    by_due = [cases[number].id for number in (2, 4, 0, 3, 1)]
    assert await pages(office, CaseFilter()) == by_due
    by_amount = await pages(office, CaseFilter(order=Order.AMOUNT))
    assert by_amount[:3] == [cases[1].id, cases[3].id, cases[4].id]
    assert set(by_amount[3:]) == {cases[0].id, cases[2].id}


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_pages_lose_and_repeat_nothing_where_many_are_due_at_once(office: Office, size: int) -> None:
    cases = [await office.reviewed(amount=2_000) for _ in range(7)]
    await office.pool.execute("UPDATE risk_cases SET due_at = now()")
    for order in Order:
        assert sorted(await pages(office, CaseFilter(order=order), size)) == sorted(case.id for case in cases)


async def test_each_filter_leaves_what_it_names(office: Office) -> None:
    late, held, complained, plain = [await office.reviewed() for _ in range(4)]
    await office.later(late, 25)
    await office.claim(held, "li.wei")
    await office.pool.execute("UPDATE risk_cases SET kind = 'complaint' WHERE id = $1", complained.id)
    decided = await office.reviewed()
    await office.decide(decided, "zhang.min", Verdict.FRAUD)
    expected = {
        CaseFilter(overdue=True): {late.id},
        CaseFilter(unclaimed=True): {late.id, complained.id, plain.id},
        CaseFilter(by="li.wei"): {held.id},
        CaseFilter(kind=Kind.COMPLAINT): {complained.id},
        CaseFilter(payment_id=plain.payment_id): {plain.id},
        CaseFilter(merchant_id="mer_nobody"): set(),
        CaseFilter(decided=True): {decided.id},
        CaseFilter(decided=True, by="zhang.min"): {decided.id},
        CaseFilter(decided=True, by="li.wei"): set(),
    }
    for wanted, ids in expected.items():
        assert set(await pages(office, wanted)) == ids, wanted


async def test_decided_cases_come_newest_first(office: Office) -> None:
    cases = [await office.reviewed() for _ in range(3)]
    for case in cases:
        await office.decide(case, "li.wei", Verdict.GOOD)
    assert await pages(office, CaseFilter(decided=True)) == [case.id for case in reversed(cases)]


async def test_other_terms_hold_for_what_is_opened_from_then_on(office: Office) -> None:
    before = await office.reviewed()
    async with office.pool.acquire() as connection:
        await set_terms(connection, Terms(Kind.REVIEW, due_hours=2, claim_minutes=5))
        try:
            after = await office.claim(await office.reviewed(), "li.wei")
            assert {each.kind: each.due_hours for each in await all_terms(connection)} == {
                Kind.REVIEW: 2, Kind.COMPLAINT: 72,
            }  # fmt: skip
        finally:
            await set_terms(connection, Terms(Kind.REVIEW, due_hours=24, claim_minutes=30))
    assert (before.due_at - before.opened_at, after.due_at - after.opened_at) == (
        timedelta(hours=24), timedelta(hours=2),
    )  # fmt: skip
    assert after.claimed_until is not None
    assert after.claimed_until - after.read_at == timedelta(minutes=5)
