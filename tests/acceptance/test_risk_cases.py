"""An analyst's day over the admin API: the queue, a claim, the evidence, a verdict, a complaint, a label."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.admin.risk.cases.schemas import CaseDetail, CaseList, CaseObject
from gateway.admin.risk.complaint_schemas import ComplaintObject
from gateway.admin.risk.label_schemas import LabelList, LabelObject, LabelResults
from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_id, new_ulid
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, shape_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CASES = "/admin/v1/risk/cases"
COMPLAINTS = "/admin/v1/risk/complaints"
LABELS = "/admin/v1/risk/labels"
CUSTOMER = {
    "id": "customer-0042",
    "ip": "203.0.113.77",
    "device_id": "device-7788",
    "card_bin": "622202",
    "location": {"latitude": 31.2304, "longitude": 121.4737},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    """The analysts' client."""
    async with stack.admin() as client:
        yield client


async def sold(till: Till, **changes: Any) -> dict[str, Any]:
    """A payment of that customer."""
    return await till.paid(**{"customer": CUSTOMER, "store_id": "s-1", "terminal_id": "t-1", **changes})


async def complain(admin: httpx.AsyncClient, payment_id: str, **changes: Any) -> httpx.Response:
    body = {
        "payment_id": payment_id,
        "reason": "not_authorised",
        "text": "I was at home.\nIt was not me.",
        "channel": "wechat",
        "channel_complaint_id": new_ulid(),
        "by": "hotline",
    }
    return await admin.post(COMPLAINTS, json=body | changes)


async def complained(admin: httpx.AsyncClient, payment_id: str, **changes: Any) -> dict[str, Any]:
    """The same, where it must be taken: exactly as documented."""
    answer = await complain(admin, payment_id, **changes)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert shape_of(found) == shape_of(ComplaintObject.model_validate_json(answer.content).model_dump(mode="json"))
    return found


async def step(admin: httpx.AsyncClient, case_id: str, kind: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"{CASES}/{case_id}/{kind}", json={"by": "li.wei", **body})
    assert answer.status_code == status, answer.text
    if status == 200:
        CaseObject.model_validate_json(answer.content)
    found: dict[str, Any] = answer.json()
    return found


async def detail(admin: httpx.AsyncClient, case_id: str) -> dict[str, Any]:
    answer = await admin.get(f"{CASES}/{case_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    documented = CaseDetail.model_validate_json(answer.content).model_dump(mode="json")
    assert shape_of(found) == shape_of(documented)
    return found


async def listed(admin: httpx.AsyncClient, **filters: Any) -> list[str]:
    answer = await admin.get(CASES, params=filters)
    assert answer.status_code == 200, answer.text
    return [case.id for case in CaseList.model_validate_json(answer.content).data]


async def test_a_complaint_brings_all_the_evidence_and_nothing_that_names_the_customer(
    till: Till, admin: httpx.AsyncClient
) -> None:
    before, after = await sold(till, amount=100), None
    payment = await sold(till, amount=9_900)
    after = await sold(till, amount=300)
    await sold(till, amount=500, customer={"id": "somebody-else"})
    refund = await till.client.post(
        "/v1/refunds", json={"payment_id": payment["id"], "amount": 900, "merchant_refund_no": new_ulid()}
    )
    assert refund.status_code == 201, refund.text
    evidence = [
        {"kind": "url", "name": "screenshot", "url": "https://files.example/1.png"},
        {"kind": "text", "name": "chat", "text": "line 1\nline 2"},
    ]
    complaint = await complained(admin, payment["id"], evidence=evidence)
    answer = await admin.get(f"{CASES}/{complaint['case_id']}")
    found = await detail(admin, complaint["case_id"])

    assert (found["kind"], found["status"], found["amount"]) == ("complaint", "open", 9_900)
    due = datetime.fromisoformat(found["due_at"]) - datetime.fromisoformat(found["opened_at"])
    assert due == timedelta(hours=72)
    assert found["payment"]["id"] == payment["id"]
    assert [attempt["channel"] for attempt in found["payment"]["attempts"]] == ["wechat_direct"]
    assert [each["amount"] for each in found["refunds"]] == [900]
    assert [each["id"] for each in found["recent_payments"]] == [after["id"], before["id"]]
    assert [each["text"] for each in found["complaints"]] == ["I was at home.\nIt was not me."]
    assert [each["name"] for each in found["complaints"][0]["evidence"]] == ["screenshot", "chat"]
    assert found["customer"] == {
        "id": "…42", "device": "…88", "ip": "203.0.113.…", "card_bin": "62…",
        "location": {"latitude": 31.2, "longitude": 121.5},
    }  # fmt: skip
    for secret in ("customer-0042", "device-7788", "203.0.113.77", "31.2304"):
        assert secret not in answer.text
    assert [each["kind"] for each in found["steps"]] == ["complained"]


async def test_the_same_complaint_is_taken_once_however_often_and_at_once_it_is_sent(
    till: Till, admin: httpx.AsyncClient
) -> None:
    payment = await sold(till)
    number = new_ulid()
    answers = await asyncio.gather(*[complain(admin, payment["id"], channel_complaint_id=number) for _ in range(8)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await complain(admin, payment["id"], channel_complaint_id=number, text="Something else.")
    error_of(other, 409, "complaint_reused", "channel_complaint_id")
    second = await complained(admin, payment["id"])
    assert second["case_id"] == answers[0].json()["case_id"]
    assert len((await detail(admin, second["case_id"]))["complaints"]) == 2


async def test_of_ten_who_claim_a_case_at_once_one_has_it_and_the_others_learn_who(
    till: Till, admin: httpx.AsyncClient
) -> None:
    case_id = (await complained(admin, (await sold(till))["id"]))["case_id"]
    answers = await asyncio.gather(
        *[admin.post(f"{CASES}/{case_id}/claim", json={"by": f"analyst-{number}"}) for number in range(10)]
    )
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    holder = won[0]["claimed_by"]
    for answer in answers:
        if answer.status_code != 200:
            assert holder in error_of(answer, 409, "case_claimed", "by")["message"]
    assert [each["by"] for each in (await detail(admin, case_id))["steps"] if each["kind"] == "claimed"] == [holder]
    taken = await step(admin, case_id, "claim", take_over_from=holder)
    assert taken["claimed_by"] == "li.wei"
    assert (await step(admin, case_id, "release"))["claimed_by"] is None


async def test_a_verdict_of_fraud_labels_the_payment_and_puts_its_customer_on_the_list(
    till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    payment = await sold(till)
    case_id = (await complained(admin, payment["id"]))["case_id"]
    await step(admin, case_id, "claim")
    before = await database.fetchval("SELECT count(*) FROM risk_list_entries")
    decided = await step(
        admin,
        case_id,
        "verdict",
        verdict="fraud",
        note="The bank confirms.",
        block=["customer", "device"],
        expires_in_days=30,
    )
    assert (decided["status"], decided["verdict"], decided["decided_by"], decided["claimed_by"]) == (
        "decided", "fraud", "li.wei", None,
    )  # fmt: skip
    found = await detail(admin, case_id)
    assert [(each["fraud"], each["source"]) for each in found["labels"]] == [(True, "case")]
    assert found["steps"][-1]["detail"] == {
        "verdict": "fraud", "block": ["customer", "device"], "expires_in_days": 30,
    }  # fmt: skip
    assert await database.fetchval("SELECT count(*) FROM risk_list_entries") == before + 2
    expiries = await database.fetch("SELECT expires_at FROM risk_list_entries")
    left = {round((each["expires_at"] - datetime.now(UTC)) / timedelta(days=1)) for each in expiries}
    assert left == {30}
    looked_up = await admin.get("/admin/v1/audit_trail", params={"subject": case_id, "action": "risk_case.decided"})
    [entry] = looked_up.json()["data"]
    assert (entry["detail"]["verdict"], entry["detail"]["block"]) == ("fraud", ["customer", "device"])
    assert "The bank confirms." not in looked_up.text
    assert case_id in await listed(admin, status="decided", payment_id=payment["id"])
    again = await admin.post(f"{CASES}/{case_id}/verdict", json={"by": "x", "verdict": "good", "note": "x"})
    assert "li.wei has decided the case as fraud" in error_of(again, 409, "case_decided")["message"]


async def test_a_verdict_on_what_was_read_is_refused_where_something_came_in_since(
    till: Till, admin: httpx.AsyncClient
) -> None:
    payment = await sold(till)
    case_id = (await complained(admin, payment["id"]))["case_id"]
    read = (await detail(admin, case_id))["version"]
    await complained(admin, payment["id"], text="And once more.")
    body = {"by": "li.wei", "verdict": "good", "note": "x", "base_version": read}
    error_of(await admin.post(f"{CASES}/{case_id}/verdict", json=body), 409, "case_changed", "base_version")
    decided = await step(admin, case_id, "verdict", verdict="good", note="x", base_version=read + 1)
    assert decided["status"] == "decided"


async def test_nothing_is_decided_where_a_value_to_be_listed_is_not_there(till: Till, admin: httpx.AsyncClient) -> None:
    payment = await sold(till, customer={"id": "without-a-device"})
    case_id = (await complained(admin, payment["id"]))["case_id"]
    body = {"by": "li.wei", "verdict": "fraud", "note": "x", "block": ["customer", "device"]}
    error = error_of(await admin.post(f"{CASES}/{case_id}/verdict", json=body), 400, "invalid_field", "block")
    assert "names no device" in error["message"]
    found = await detail(admin, case_id)
    assert (found["status"], found["labels"]) == ("open", [])


async def test_new_evidence_opens_a_decided_case_again_and_the_newest_verdict_stands(
    till: Till, admin: httpx.AsyncClient
) -> None:
    payment = await sold(till)
    case_id = (await complained(admin, payment["id"]))["case_id"]
    await step(admin, case_id, "verdict", verdict="good", note="The customer's child paid.")
    assert (await complained(admin, payment["id"]))["case_id"] == case_id
    assert (await detail(admin, case_id))["status"] == "open"
    await step(admin, case_id, "verdict", verdict="good", note="Still so.")
    reopened = await step(admin, case_id, "reopen", note="The police called.")
    assert (reopened["status"], reopened["verdict"]) == ("open", None)
    error_of(await admin.post(f"{CASES}/{case_id}/reopen", json={"by": "x", "note": "x"}), 409, "case_open")
    await step(admin, case_id, "verdict", verdict="fraud", note="Confirmed.")
    found = await detail(admin, case_id)
    assert [label["fraud"] for label in found["labels"]] == [False, True]
    assert [each["kind"] for each in found["steps"]] == [
        "complained", "decided", "reopened", "complained", "decided", "reopened", "decided",
    ]  # fmt: skip


async def test_the_queue_is_read_in_pages_that_lose_and_repeat_nothing(till: Till, admin: httpx.AsyncClient) -> None:
    amounts = (5_000, 100, 70_000, 100, 2_000)
    ids = [(await complained(admin, (await sold(till, amount=amount))["id"]))["case_id"] for amount in amounts]
    merchant = (await detail(admin, ids[0]))["merchant_id"]
    for order in ("due", "amount"):
        whole = await listed(admin, order=order, limit=100, merchant_id=merchant)
        pages: list[str] = []
        while page := await listed(
            admin, order=order, limit=2, merchant_id=merchant, **({"starting_after": pages[-1]} if pages else {})
        ):
            pages += page
        assert pages == whole
        assert set(ids) <= set(pages)
    assert whole[0] == ids[2], "what most is at stake in stands first"
    first, second, third = (await listed(admin, limit=3, merchant_id=merchant))[:3]
    await step(admin, second, "verdict", verdict="good", note="Decided while somebody reads the list.")
    assert await listed(admin, limit=1, merchant_id=merchant, starting_after=second) == [third]
    assert await listed(admin, limit=1, merchant_id=merchant, starting_after=first) == [third]
    gone = await admin.get(CASES, params={"starting_after": new_id("case")})
    error_of(gone, 400, "invalid_field", "starting_after")


async def test_labels_are_added_once_one_by_one_or_many_each_with_its_result(
    till: Till, admin: httpx.AsyncClient
) -> None:
    payments = [await sold(till) for _ in range(3)]
    label = {"payment_id": payments[0]["id"], "fraud": True, "source": "chargeback", "by": "disputes"}
    first = await admin.post(LABELS, json=label)
    assert first.status_code == 201, first.text
    LabelObject.model_validate_json(first.content)
    again = await admin.post(LABELS, json={**label, "note": "the same again"})
    assert again.json()["seq"] == first.json()["seq"]
    error_of(await admin.post(LABELS, json={**label, "payment_id": new_id("pay")}), 404, "not_found", "payment_id")
    future = rfc3339(datetime.now(UTC) + timedelta(days=1))
    error_of(await admin.post(LABELS, json={**label, "known_at": future}), 400, "invalid_field", "known_at")

    rows = [
        label,
        {**label, "payment_id": payments[1]["id"]},
        {**label, "payment_id": new_id("pay")},
        {**label, "payment_id": payments[2]["id"], "known_at": "2001-01-01T00:00:00Z"},
        {**label, "payment_id": payments[0]["id"], "fraud": False, "source": "merchant"},
    ]
    answer = await admin.post(f"{LABELS}/bulk", json={"labels": rows})
    assert answer.status_code == 200, answer.text
    found = LabelResults.model_validate_json(answer.content)
    assert [each.result for each in found.results] == ["unchanged", "added", "no_payment", "bad_time", "added"]
    assert (found.added, found.unchanged, found.refused) == (2, 1, 2)
    listed_ = await admin.get(LABELS, params={"payment_id": payments[0]["id"]})
    found_ = LabelList.model_validate_json(listed_.content).data
    assert [each.fraud for each in found_] == [False, True]
    newest = await admin.get(LABELS, params={"limit": 1})
    assert (newest.json()["data"][0]["seq"], newest.json()["has_more"]) == (found_[0].seq, True)
    behind = await admin.get(LABELS, params={"limit": 100, "before": found_[0].seq})
    assert [each["seq"] for each in behind.json()["data"]] == sorted(
        (each["seq"] for each in behind.json()["data"]), reverse=True
    )
    assert found_[1].seq in {each["seq"] for each in behind.json()["data"]}


async def test_a_thousand_labels_fit_into_one_request_and_one_more_does_not(admin: httpx.AsyncClient) -> None:
    row = {"fraud": True, "source": "chargeback", "by": "disputes", "note": "n" * 60}
    rows = [{**row, "payment_id": new_id("pay"), "known_at": "2026-11-22T02:00:00.000Z"} for _ in range(1_000)]
    answer = await admin.post(f"{LABELS}/bulk", json={"labels": rows})
    assert answer.status_code == 200, answer.text
    assert answer.json()["refused"] == 1_000
    more = await admin.post(f"{LABELS}/bulk", json={"labels": [*rows, rows[0]]})
    assert more.status_code in {400, 422}


async def test_the_pages_show_the_queue_and_a_case_and_name_nobody(till: Till, admin: httpx.AsyncClient) -> None:
    payment = await sold(till)
    case_id = (await complained(admin, payment["id"], text="<script>alert(1)</script>"))["case_id"]
    await step(admin, case_id, "notes", note="<b>called</b>")
    for path in (CASES, f"{CASES}/{case_id}", f"{CASES}?status=decided"):
        answer = await admin.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        assert "<script>" not in answer.text
        assert "<b>called" not in answer.text
        assert "customer-0042" not in answer.text
    page = (await admin.get(f"{CASES}/{case_id}", params={"format": "html"})).text
    assert payment["id"] in page
    assert "&lt;script&gt;" in page


async def test_the_terms_by_which_cases_are_due_are_read_and_changed(admin: httpx.AsyncClient) -> None:
    wanted = {"kind": "review", "due_hours": 12, "claim_minutes": 15}
    changed = await admin.put("/admin/v1/risk/case_terms", json=wanted)
    assert wanted in changed.json()["data"]
    found = await admin.get("/admin/v1/risk/case_terms")
    assert found.json() == changed.json()
    trail = await admin.get("/admin/v1/audit_trail", params={"action": "risk_case.terms"})
    assert trail.json()["data"][0]["detail"]["changed"]["due_hours"] == {"from": 24, "to": 12}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("claim", {}, "by"),
    ("claim", {"by": ""}, "by"),
    ("claim", {"by": "x", "force": True}, "force"),
    ("notes", {"by": "x"}, "note"),
    ("notes", {"by": "x", "note": "a\u0000b"}, "note"),
    ("verdict", {"by": "x", "note": "x", "verdict": "maybe"}, "verdict"),
    ("verdict", {"by": "x", "note": "x", "verdict": "good", "allow": ["shoe_size"]}, "allow.0"),
    ("verdict", {"by": "x", "note": "x", "verdict": "good", "allow": ["customer"], "expires_in_days": 0},
     "expires_in_days"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "param"), BAD)
async def test_a_bad_step_is_refused_by_the_name_of_its_field(
    admin: httpx.AsyncClient, kind: str, body: dict[str, Any], param: str
) -> None:
    answer = await admin.post(f"{CASES}/{new_id('case')}/{kind}", json=body)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["error"]["param"] == param


async def test_what_is_not_there_and_who_has_no_token_are_refused(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    nowhere = new_id("case")
    error_of(await admin.get(f"{CASES}/{nowhere}"), 404, "not_found", "case_id")
    error_of(await admin.post(f"{CASES}/{nowhere}/claim", json={"by": "x"}), 404, "not_found", "case_id")
    error_of(await complain(admin, new_id("pay")), 404, "not_found", "payment_id")
    assert (await admin.get(f"{CASES}/pay_1")).status_code in {400, 404, 422}
    both = [{"kind": "url", "name": "x", "url": "https://x.example", "text": "and a text"}]
    assert (await complain(admin, new_id("pay"), evidence=both)).status_code in {400, 422}
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as nobody:
        for path in (CASES, f"{CASES}/{nowhere}", LABELS):
            error_of(await nobody.get(path), 401)
        error_of(await nobody.post(COMPLAINTS, json={}), 401)
