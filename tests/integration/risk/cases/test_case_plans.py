"""What is asked of cases and labels finds its rows by keys, however many there are."""

from __future__ import annotations

import asyncpg
import pytest

from risk.cases.store import SQL as CASES
from risk.labels.store import SQL as LABELS
from tests.support.plans import conditions, generic_plan, scans


@pytest.fixture(scope="module")
async def many_cases(pool: asyncpg.Pool) -> None:
    """A database in which analysts have worked for long: 2,000 cases wait, 18,000 are decided."""
    await pool.execute(
        "INSERT INTO risk_cases (id, merchant_id, kind, payment_id, amount, due_at, verdict, decided_by, decided_at)"
        " SELECT 'case_' || n, 'mer_1', 'review', 'pay_' || n, n, now() + n * interval '1 second',"
        " CASE WHEN n % 10 > 0 THEN 'good' END, CASE WHEN n % 10 > 0 THEN 'x' END,"
        " CASE WHEN n % 10 > 0 THEN now() - n * interval '1 second' END FROM generate_series(1, 20000) n"
    )
    await pool.execute("ANALYZE risk_cases")


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [
        ("find", "risk_cases", "id = $1"),
        ("hold", "risk_cases", "id = $1"),
        ("newest_of_payment", "risk_cases", "payment_id = $1"),
        ("claim", "risk_cases", "id = $1"),
        ("decide", "risk_cases", "id = $1"),
        ("reopen", "risk_cases", "id = $1"),
        ("steps", "risk_case_steps", "case_id = $1"),
        ("complaints", "risk_complaints", "payment_id = $1"),
        ("complaint_by_number", "risk_complaints", "channel_complaint_id = $3"),
        ("payment", "payments", "id = $1"),
        ("recent_payments", "payments", "merchant_id = $1"),
        ("untold", "payments", "id = c"),
    ],
)
async def test_what_is_asked_of_a_case_is_found_by_its_key(pool: asyncpg.Pool, name: str, table: str, key: str) -> None:
    found = conditions(await generic_plan(pool, CASES[name]), table)
    assert found
    assert all(key in condition for condition in found), found


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("open_by_due", "risk_cases_by_due"),
        ("open_by_amount", "risk_cases_by_amount"),
        ("decided", "risk_cases_decided"),
    ],
)
async def test_a_page_of_the_queue_is_read_along_an_index_and_not_sorted(
    pool: asyncpg.Pool, many_cases: None, name: str, index: str
) -> None:
    plan = await generic_plan(pool, CASES[name])
    [read] = scans(plan, "risk_cases")
    assert read["Index Name"] == index
    assert "ROW(" in read["Index Cond"]
    assert "Sort" not in str(plan)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("untold", "risk_labels_untold"),
        ("add", "risk_labels_pkey"),
        ("of_payment", "risk_labels_pkey"),
        ("newest", "risk_labels_by_seq"),
    ],
)
async def test_labels_are_found_by_their_payments_or_because_they_are_not_told(
    pool: asyncpg.Pool, name: str, index: str
) -> None:
    read = scans(await generic_plan(pool, LABELS[name]), "risk_labels")
    assert index in {node.get("Index Name") for node in read}
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan"}


async def test_what_is_not_told_of_complaints_is_an_index_of_its_own(pool: asyncpg.Pool) -> None:
    [read] = scans(await generic_plan(pool, CASES["untold"]), "risk_complaints")
    assert read["Index Name"] == "risk_complaints_untold"
