"""Campaigns over the admin API, as scripts of a bank rely on it: the contract's objects, the life, the refusals."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.kernel.ids import is_id, new_ulid
from tests.support.campaign_lives import CAMPAIGN, CAMPAIGNS, document
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = "cam_00000000000000000000000000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


async def created(admin: httpx.AsyncClient, *steps: str, **changes: Any) -> dict[str, Any]:
    """A campaign, after some steps."""
    answer = await admin.post(CAMPAIGNS, json=document(**changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    for step in steps:
        answer = await admin.post(f"{CAMPAIGNS}/{found['id']}/{step}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
    return found


async def top_up(admin: httpx.AsyncClient, campaign_id: str, amount: Any, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key or new_ulid()}
    return await admin.post(f"{CAMPAIGNS}/{campaign_id}/top_up", json={"amount": amount}, headers=headers)


def as_sent(value: Any) -> bytes:
    """As it is, lone surrogates too."""
    return json.dumps(value).encode()


async def test_a_campaign_is_created_as_the_contract_says(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(CAMPAIGNS, json=dict(CAMPAIGN))
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert is_id(found["id"], "cam")
    assert (found["object"], found["status"], found["version"]) == ("campaign", "draft", 1)
    for name in ("name", "benefit", "condition", "on_refund", "funding", "timezone", "when_exhausted"):
        assert found[name] == CAMPAIGN[name]
    for part in ("limits", "stacking"):
        for name, value in CAMPAIGN[part].items():
            shown = found[part][name]
            assert {**shown, **value} == shown if isinstance(value, Mapping) else shown == value
    budget = found["budget"]
    amounts = [budget[name] for name in ("total", "spent", "held", "left", "returned_to_sponsor")]
    assert amounts == [1_000_000, 0, 0, 1_000_000, 0]
    assert (budget["today"]["budget"], budget["today"]["left"]) == (200_000, 200_000)
    assert (await admin.get(f"{CAMPAIGNS}/{found['id']}")).json() == found


async def test_it_is_activated_paused_resumed_and_ended(admin: httpx.AsyncClient) -> None:
    found = await created(admin)
    for step, status in [("activate", "active"), ("pause", "paused"), ("resume", "active"), ("end", "ended")]:
        answer = await admin.post(f"{CAMPAIGNS}/{found['id']}/{step}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == status
    budget = answer.json()["budget"]
    assert (budget["total"], budget["left"], budget["returned_to_sponsor"]) == (1_000_000, 0, 1_000_000)
    error = error_of(await admin.post(f"{CAMPAIGNS}/{found['id']}/resume"), 409, "campaign_status", "status")
    assert "final" in error["message"]


async def test_illegal_steps_are_conflicts_that_say_what_can_be_done(admin: httpx.AsyncClient) -> None:
    draft = await created(admin)
    for step in ("pause", "resume"):
        error = error_of(await admin.post(f"{CAMPAIGNS}/{draft['id']}/{step}"), 409, "campaign_status", "status")
        assert "“activate” or “end”" in error["message"]
    for step in ("activate", "pause", "resume", "end"):
        error_of(await admin.post(f"{CAMPAIGNS}/{NOBODY}/{step}"), 404, "not_found", "campaign_id")
    error_of(await admin.post(f"{CAMPAIGNS}/{draft['id']}/begin"), 404, "no_such_path", None)


async def test_an_edit_is_a_new_version_in_force_at_once(admin: httpx.AsyncClient) -> None:
    running = await created(admin, "activate")
    path = f"{CAMPAIGNS}/{running['id']}"
    better = document(name="更好")
    answer = await admin.put(path, json=better | {"base_version": 1})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["version"], answer.json()["status"]) == ("更好", 2, "active")
    assert (await admin.put(path, json=better)).json() == answer.json(), "the same again is no new version"
    error = error_of(await admin.put(path, json=document() | {"base_version": 1}), 409, "campaign_changed", None)
    assert "version 2" in error["message"]
    patched = await admin.patch(path, json={"limits": {"budget_per_day": 300_000}, "base_version": 2})
    assert (patched.json()["limits"]["budget_per_day"], patched.json()["version"]) == (300_000, 3)
    listed = (await admin.get(f"{path}/versions")).json()
    assert [(each["version"], each["in_force"]) for each in listed["data"]] == [(3, True), (2, False), (1, False)]
    assert listed["data"][1]["campaign"]["name"] == "更好"
    page = (await admin.get(f"{path}/versions", params={"limit": 1, "starting_after": 2})).json()
    assert ([each["version"] for each in page["data"]], page["has_more"]) == ([1], False)


async def test_an_etag_notices_a_top_up_too(admin: httpx.AsyncClient) -> None:
    running = await created(admin, "activate")
    path = f"{CAMPAIGNS}/{running['id']}"
    read = await admin.get(path)
    assert read.headers["etag"] == f'"{running["revision"]}"'
    assert (await top_up(admin, running["id"], 1)).status_code == 200
    stale = await admin.put(path, json=document(name="late"), headers={"If-Match": read.headers["etag"]})
    error_of(stale, 409, "campaign_changed", "base_version")
    fresh = (await admin.get(path)).headers["etag"]
    changed = await admin.patch(path, json={"name": "in time"}, headers={"If-Match": fresh})
    assert changed.status_code == 200, changed.text
    assert changed.json()["budget"]["total"] == 1_000_001, "the patch says nothing of the budget"
    error_of(await admin.patch(path, json={}, headers={"If-Match": "seven"}), 400, "invalid_header", "If-Match")


async def test_of_editors_at_the_same_time_one_writes(admin: httpx.AsyncClient) -> None:
    running = await created(admin, "activate")
    path = f"{CAMPAIGNS}/{running['id']}"
    ends = await asyncio.gather(
        *[admin.put(path, json=document(name=f"editor {n}") | {"base_version": 1}) for n in range(6)]
    )
    assert Counter(end.status_code for end in ends) == {200: 1, 409: 5}
    assert (await admin.get(path)).json()["version"] == 2


async def test_what_a_running_campaign_stands_on_stays(admin: httpx.AsyncClient) -> None:
    running = await created(admin, "activate")
    path = f"{CAMPAIGNS}/{running['id']}"
    for change, param in [({"timezone": "Europe/Berlin"}, "timezone"), ({"coupon": {"code": "SPRING5"}}, "coupon")]:
        error = error_of(await admin.patch(path, json=change), 409, "campaign_running", param)
        assert param in error["message"]
    assert (await admin.get(path)).json() == running
    draft = await created(admin)
    moved = await admin.patch(f"{CAMPAIGNS}/{draft['id']}", json={"timezone": "Europe/Berlin"})
    assert moved.json()["timezone"] == "Europe/Berlin"


async def test_a_top_up_is_added_once_for_each_key(admin: httpx.AsyncClient) -> None:
    running = await created(admin, "activate")
    key = new_ulid()
    ends = await asyncio.gather(*[top_up(admin, running["id"], 500, key) for _ in range(50)])
    assert Counter(end.status_code for end in ends) == {200: 50}
    assert len({end.text for end in ends}) == 1, "the same answer to all"
    budget = (await admin.get(f"{CAMPAIGNS}/{running['id']}")).json()["budget"]
    assert (budget["total"], budget["left"]) == (1_000_500, 1_000_500)
    error_of(await top_up(admin, running["id"], 501, key), 409, "idempotency_key_reused", "Idempotency-Key")
    assert (await top_up(admin, running["id"], 500)).json()["budget"]["total"] == 1_001_000, "another key adds again"


async def test_a_key_of_a_top_up_is_known_after_its_answer_is_forgotten(
    admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    running, key = await created(admin, "activate"), new_ulid()
    await top_up(admin, running["id"], 700, key)
    await database.execute("DELETE FROM admin_requests WHERE key = $1", key)
    again = await top_up(admin, running["id"], 700, key)
    assert (again.status_code, again.json()["budget"]["total"]) == (200, 1_000_700)
    await database.execute("DELETE FROM admin_requests WHERE key = $1", key)
    error = error_of(await top_up(admin, running["id"], 701, key), 409, "idempotency_key_reused", "Idempotency-Key")
    assert "700 fen" in error["message"]


async def test_a_top_up_needs_a_key_a_budget_and_a_campaign_that_goes_on(admin: httpx.AsyncClient) -> None:
    running = await created(admin, "activate")
    path = f"{CAMPAIGNS}/{running['id']}/top_up"
    error_of(await admin.post(path, json={"amount": 5}), 400, "invalid_header", "Idempotency-Key")
    for amount in (0, -1, 1.5, "5", True, None, 10**18):
        error_of(await top_up(admin, running["id"], amount), 400, None, "amount")
    unlimited = await created(admin, limits={"budget": None})
    error = error_of(await top_up(admin, unlimited["id"], 5), 409, "campaign_status", "status")
    assert "no budget" in error["message"]
    await admin.post(f"{CAMPAIGNS}/{running['id']}/end")
    error_of(await top_up(admin, running["id"], 5), 409, "campaign_status", "status")
    error_of(await top_up(admin, NOBODY, 5), 404, "not_found", "campaign_id")


async def test_campaigns_are_listed_newest_first(admin: httpx.AsyncClient) -> None:
    tag = new_ulid()
    made = [(await created(admin, *steps, name=f"{tag} {n}"))["id"] for n, steps in enumerate([(), ("activate",), ()])]
    found = (await admin.get(CAMPAIGNS, params={"name": tag.lower()})).json()
    assert [each["id"] for each in found["data"]] == made[::-1]
    assert found["data"][0] == (await admin.get(f"{CAMPAIGNS}/{made[2]}")).json()
    drafts = (await admin.get(CAMPAIGNS, params={"name": tag, "status": "draft", "limit": 1})).json()
    assert ([each["id"] for each in drafts["data"]], drafts["has_more"]) == ([made[2]], True)
    rest = (await admin.get(CAMPAIGNS, params={"name": tag, "starting_after": made[2]})).json()
    assert [each["id"] for each in rest["data"]] == [made[1], made[0]]
    error_of(await admin.get(CAMPAIGNS, params={"status": "running"}), 400, "invalid_field", "status")
    error_of(await admin.get(CAMPAIGNS, params={"stauts": "draft"}), 400, "unknown_field", "stauts")
    error_of(await admin.get(CAMPAIGNS, params={"name": "\x00"}), 400, "invalid_field", "name")


async def test_a_check_tells_all_problems_or_what_the_condition_would_match(
    admin: httpx.AsyncClient, till: Till, database: asyncpg.Connection
) -> None:
    for wallet in ("wechat", "wechat", "alipay"):
        await till.paid(wallet, amount=4321)
    before = await database.fetchval("SELECT count(*) FROM campaigns")
    given = document(condition="payment.amount == 4321 && payment.wallet == 'wechat'")
    found = (await admin.post(f"{CAMPAIGNS}/check", json=given)).json()
    assert (found["valid"], found["problems"], found["payments"]["matched"]) == (True, [], 2)
    assert not found["payments"]["needs_history"]
    first = (await admin.post(f"{CAMPAIGNS}/check", json=document(condition="customer.first_payment"))).json()
    assert (first["payments"]["matched"], first["payments"]["needs_history"]) == (0, True)
    two = (await admin.post(f"{CAMPAIGNS}/check", params={"payments": 2}, json=given)).json()
    assert two["payments"]["looked_at"] == 2
    wrong = document(condition="payment.hours > 3", funding=[{"sponsor": "bank", "share": "0.5"}]) | {"surprise": 1}
    found = (await admin.post(f"{CAMPAIGNS}/check", json=wrong)).json()
    assert (found["valid"], found["payments"]) == (False, None)
    assert [problem["path"] for problem in found["problems"]] == ["surprise", "condition", "funding"]
    assert found["problems"][1]["line"] == 1
    assert await database.fetchval("SELECT count(*) FROM campaigns") == before


async def test_every_example_can_be_created(admin: httpx.AsyncClient) -> None:
    found = (await admin.get(f"{CAMPAIGNS}/examples")).json()["data"]
    assert len(found) >= 10
    for each in found:
        answer = await admin.post(CAMPAIGNS, json=each["campaign"])
        assert answer.status_code == 201, (each["name"], answer.text)


async def test_what_changed_stands_in_the_trail_and_what_did_not_does_not(
    admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    last = await database.fetchval("SELECT max(seq) FROM audit_trail")
    running = await created(admin, "activate", "activate")
    path = f"{CAMPAIGNS}/{running['id']}"
    await admin.put(path, json=document())
    await admin.put(path, json=document(name="told"))
    await admin.put(path, json=document(name="told", limits={"budget": 0}))
    await top_up(admin, running["id"], 5, key := new_ulid())
    await top_up(admin, running["id"], 5, key)
    await admin.post(f"{CAMPAIGNS}/check", json=document())
    for step in ("pause", "resume", "end"):
        await admin.post(f"{path}/{step}")
    told = await database.fetch("SELECT action, subject, detail FROM audit_trail WHERE seq > $1 ORDER BY seq", last)
    assert [each["action"] for each in told] == [
        "campaign.created",
        "campaign.activated",
        "campaign.replaced",
        "campaign.topped_up",
        "campaign.paused",
        "campaign.resumed",
        "campaign.ended",
    ]
    assert {each["subject"] for each in told} == {running["id"]}
    assert '"from":"满20减5","to":"told"' in told[2]["detail"]
    assert key in told[3]["detail"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"funding": [{"sponsor": "bank", "share": "0.7"}]}, "funding"),
        ({"funding": [{"sponsor": "bank", "share": 1}]}, "funding.0.share"),
        ({"benefit": {"type": "amount_off", "tiers": []}}, "benefit.tiers"),
        ({"benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}] * 2}}, "benefit.tiers.1.spend"),
        ({"benefit": {"type": "random_off", "min": 1, "max": 5, "mean": 9, "spend": 100}}, "benefit.mean"),
        ({"benefit": {"type": "surprise"}}, "benefit.type"),
        ({"condition": "payment.hours > 3"}, "condition"),
        ({"condition": "payment.amount > 5 && payment.amount < 5"}, "condition"),
        ({"condition": "'\ud800' == payment.wallet"}, "condition"),
        ({"limits": {"budget": -1}}, "limits.budget"),
        ({"limits": {"budget": "5"}}, "limits.budget"),
        ({"limits": {"budget": True}}, "limits.budget"),
        ({"limits": {"budget": 10**30}}, "limits.budget"),
        ({"timezone": "Shanghai"}, "timezone"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"name": "\x00"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"surprise": 1}, "surprise"),
        ({"id": NOBODY}, "id"),
    ],
    ids=lambda value: ascii(value)[:60],
)
async def test_a_wrong_campaign_is_refused_by_name_and_leaves_nothing(
    admin: httpx.AsyncClient, database: asyncpg.Connection, changes: dict[str, Any], param: str
) -> None:
    running = await created(admin, "activate")
    count = "SELECT (SELECT count(*) FROM campaigns) + (SELECT count(*) FROM campaign_versions)"
    before = await database.fetchval(count)
    content, headers = as_sent(document(**changes)), {"Content-Type": "application/json"}
    for method, path in (("POST", CAMPAIGNS), ("PUT", f"{CAMPAIGNS}/{running['id']}")):
        answer = await admin.request(method, path, content=content, headers=headers)
        error_of(answer, 400, "campaign_refused", param)
    assert await database.fetchval(count) == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff", b"[" * 20_000])
async def test_what_is_no_campaign_at_all_is_refused(admin: httpx.AsyncClient, content: bytes) -> None:
    draft = await created(admin)
    headers = {"Content-Type": "application/json"}
    path = f"{CAMPAIGNS}/{draft['id']}"
    for method, where in (("POST", CAMPAIGNS), ("PUT", path), ("PATCH", path), ("POST", f"{CAMPAIGNS}/check")):
        answer = await admin.request(method, where, content=content, headers=headers)
        assert answer.status_code == 400, (method, where, answer.text)


@pytest.mark.parametrize("base", ["1", -1, 0, True, 1.5, 2**31])
async def test_a_wrong_base_version_is_refused_by_name(admin: httpx.AsyncClient, base: Any) -> None:
    draft = await created(admin)
    answer = await admin.put(f"{CAMPAIGNS}/{draft['id']}", json=document() | {"base_version": base})
    error_of(answer, 400, "invalid_field", "base_version")


async def test_a_deep_patch_is_refused(admin: httpx.AsyncClient) -> None:
    draft = await created(admin)
    content = b'{"limits":' + b'{"a":' * 500 + b"1" + b"}" * 501
    headers = {"Content-Type": "application/json"}
    answer = await admin.patch(f"{CAMPAIGNS}/{draft['id']}", content=content, headers=headers)
    error_of(answer, 400, None, "limits.a")


async def test_nobody_gets_in_without_the_admin_token(stack: GatewayStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        for method, path in [
            ("GET", CAMPAIGNS),
            ("POST", CAMPAIGNS),
            ("POST", f"{CAMPAIGNS}/{NOBODY}/activate"),
            ("GET", f"{CAMPAIGNS}/examples"),
        ]:
            error_of(await client.request(method, path), 401, "invalid_admin_token", None)
