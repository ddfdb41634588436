"""An analyst writes rules, tries them, and puts them in force: versions over the admin API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from tests.support.gateway import GatewayStack
from tests.support.rule_sets import FAST, RULE_SETS, publish, rule, save
from tests.support.till import error_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
TRAIL = "/admin/v1/audit_trail"
JSON = {"Content-Type": "application/json"}
MANY = [
    rule(f"R_{number}", f"payment.amount > {number} && payment.merchant_id == 'mer_{number}'")
    for number in range(1_200)
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


async def told(admin: httpx.AsyncClient, action: str) -> dict[str, Any]:
    """The newest entry of the audit trail with that action."""
    found: dict[str, Any] = (await admin.get(TRAIL, params={"action": action, "limit": 1})).json()["data"][0]
    return found


async def test_a_rule_set_is_saved_as_a_draft_and_shown_with_every_field(admin: httpx.AsyncClient) -> None:
    saved = await save(admin, FAST, rule("R_OTHER"), note="first")
    assert (saved["status"], saved["note"], saved["rule_count"], saved["published_at"]) == ("draft", "first", 2, None)
    assert "rules" not in saved
    shown = (await admin.get(f"{RULE_SETS}/{saved['version']}")).json()
    assert {**shown, "rules": None} == {**saved, "rules": None}
    assert shown["rules"][0] == {**FAST, "merchants": [], "tests": []}
    assert shown["rules"][1] == {
        "code": "R_OTHER",
        "when": "payment.amount > 50000",
        "action": "review",
        "score": 0,
        "mode": "live",
        "rollout": 100,
        "priority": 0,
        "description": "",
        "merchants": [],
        "tests": [],
    }
    entry = await told(admin, "risk_rule_set.created")
    assert (entry["subject"], entry["detail"]) == (
        "risk_rules",
        {"version": saved["version"], "note": "first", "rules": 2},
    )


async def test_a_version_that_is_shown_can_be_saved_again(admin: httpx.AsyncClient) -> None:
    saved = await save(admin, FAST, thresholds={"review": 40, "decline": None})
    shown = (await admin.get(f"{RULE_SETS}/{saved['version']}")).json()
    again = await save(admin, *shown["rules"], thresholds=shown["thresholds"], model=shown["model"])
    difference = (await admin.get(f"{RULE_SETS}/{again['version']}/diff", params={"against": saved["version"]})).json()
    assert (difference["added"], difference["removed"], difference["changed"], difference["rules"]) == (0, 0, 0, [])
    assert difference["thresholds"] is None


async def test_a_published_version_is_live_and_the_one_before_can_be_put_in_force_again(
    admin: httpx.AsyncClient,
) -> None:
    first = await publish(admin, (await save(admin, FAST, note="one"))["version"])
    assert first["status"] == "live"
    second = await publish(admin, (await save(admin, FAST, note="two"))["version"], base_version=first["version"])
    assert (await admin.get(f"{RULE_SETS}/live")).json()["version"] == second["version"]
    assert (await admin.get(f"{RULE_SETS}/{first['version']}")).json()["status"] == "retired"
    entry = await told(admin, "risk_rule_set.published")
    assert entry["detail"]["version"] == {"before": first["version"], "after": second["version"]}
    answer = await admin.post(f"{RULE_SETS}/{first['version']}/roll_back")
    assert (answer.status_code, answer.json()["status"], answer.json()["note"]) == (200, "live", "one")
    assert (await told(admin, "risk_rule_set.rolled_back"))["detail"]["version"]["after"] == first["version"]
    assert (await admin.post(f"{RULE_SETS}/0/roll_back")).json()["rule_count"] == 0


async def test_the_version_in_force_again_changes_nothing(
    admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    version = (await publish(admin, (await save(admin, FAST))["version"]))["version"]
    count = "SELECT (SELECT count(*) FROM risk_publications) + (SELECT count(*) FROM audit_trail)"
    before = await database.fetchval(count)
    assert (await publish(admin, version))["status"] == "live"
    assert (await admin.post(f"{RULE_SETS}/{version}/roll_back", json={})).status_code == 200
    assert await database.fetchval(count) == before


async def test_of_two_who_publish_at_once_one_wins_and_the_other_is_told(
    admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    base = (await admin.get(f"{RULE_SETS}/live")).json()["version"]
    drafts = [(await save(admin, FAST, note=note))["version"] for note in ("mine", "theirs")]
    answers = await asyncio.gather(
        *[admin.post(f"{RULE_SETS}/{each}/publish", json={"base_version": base}) for each in drafts]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    won = next(answer for answer in answers if answer.status_code == 200).json()["version"]
    lost = next(answer for answer in answers if answer.status_code == 409)
    assert f"Version {won} is in force" in error_of(lost, 409, "rule_set_changed", "base_version")["message"]
    assert await database.fetchval("SELECT version FROM risk_publications ORDER BY seq DESC LIMIT 1") == won
    assert (await admin.get(f"{RULE_SETS}/{next(each for each in drafts if each != won)}")).json()["status"] == "draft"


async def test_a_version_whose_tests_fail_stays_a_draft(admin: httpx.AsyncClient) -> None:
    wrong = [
        {"given": {"payment.amount": 50000, "velocity('count','customer','1h')": 9}, "hits": True},
        {"given": {"payment.amount": 50001, "velocity('count', 'customer', '1h')": 5}, "verdict": "approve"},
        {
            "given": {"payment.amount": 50001, "velocity('count', 'customer', '1h')": 5},
            "hits": True,
            "verdict": "decline",
        },
    ]
    live = (await admin.get(f"{RULE_SETS}/live")).json()["version"]
    saved = await save(admin, FAST | {"tests": wrong})
    assert saved["test_count"] == 3
    assert [failure["path"] for failure in saved["failed_tests"]] == ["rules.0.tests.0.hits", "rules.0.tests.1.verdict"]
    error = error_of(await admin.post(f"{RULE_SETS}/{saved['version']}/publish"), 409, "tests_failed", "version")
    assert "rules.0.tests.0.hits: R_FAST does not hit, and should (no rule hits)" in error["message"]
    assert "rules.0.tests.1.verdict: the set says decline, not approve" in error["message"]
    assert (await admin.get(f"{RULE_SETS}/live")).json()["version"] == live
    assert (await publish(admin, (await save(admin, FAST | {"tests": wrong[2:]}))["version"]))["status"] == "live"


async def test_what_differs_is_told_rule_by_rule(admin: httpx.AsyncClient) -> None:
    before = (await save(admin, FAST, rule("R_GONE"), rule("R_SAME"), note="before"))["version"]
    changed = FAST | {"mode": "shadow", "rollout": 50}
    after = await save(admin, rule("R_SAME"), rule("R_NEW"), changed, note="after", thresholds={"review": 40})
    difference = (await admin.get(f"{RULE_SETS}/{after['version']}/diff", params={"against": before})).json()
    assert (difference["version"], difference["against"]) == (after["version"], before)
    assert difference["note"] == {"before": "before", "after": "after"}
    assert difference["thresholds"]["after"] == {"review": 40, "decline": None}
    assert (difference["added"], difference["removed"], difference["changed"]) == (1, 1, 1)
    assert [(each["code"], each["change"]) for each in difference["rules"]] == [
        ("R_FAST", "changed"),
        ("R_GONE", "removed"),
        ("R_NEW", "added"),
    ]
    assert difference["rules"][0]["fields"] == {
        "mode": {"before": "live", "after": "shadow"},
        "rollout": {"before": 100, "after": 50},
    }
    page = (
        await admin.get(
            f"{RULE_SETS}/{after['version']}/diff",
            params={"against": before, "limit": 1, "starting_after": "R_FAST"},
        )
    ).json()
    assert ([each["code"] for each in page["rules"]], page["has_more"], page["added"]) == (["R_GONE"], True, 1)


async def test_everything_that_is_wrong_is_told_at_once(admin: httpx.AsyncClient) -> None:
    given = {
        "rules": [
            rule("R_A", "payment.amout > 1"),
            rule("R_B", "payment.amount > 1 &&\n  velocity('count', 'nobody', '1h') > 2"),
            rule("R_B", "listed('blok', 'ip')"),
            rule("R_C", "payment.amount > 5 && payment.amount < 3"),
        ],
        "thresholds": {"review": 101},
    }
    answer = (await admin.post(f"{RULE_SETS}/check", json=given)).json()
    assert answer["valid"] is False
    places = [(each["path"], each["line"], each["column"], each["hint"]) for each in answer["problems"]]
    assert ("rules.0.when", 1, 1, "did you mean payment.amount?") in places
    assert ("rules.2.when", 1, 9, "did you mean block?") in places
    assert {path for path, *_ in places} == {
        *("thresholds.review", "rules.0.when", "rules.1.when", "rules.2.when", "rules.3.when", "rules.2.code")
    }
    assert ("rules.1.when", 2) in [place[:2] for place in places]
    error = error_of(await admin.post(RULE_SETS, json=given), 400, "rule_set_refused", "thresholds.review")
    for path, *_ in places:
        assert path in error["message"]


async def test_a_check_tells_the_tests_that_fail_and_leaves_nothing(
    admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    count = "SELECT (SELECT count(*) FROM risk_rule_sets) + (SELECT count(*) FROM audit_trail)"
    before = await database.fetchval(count)
    tried = FAST | {"tests": [{"given": {}, "hits": True}]}
    answer = (await admin.post(f"{RULE_SETS}/check", json={"rules": [tried]})).json()
    assert (answer["valid"], answer["problems"], answer["rule_count"], answer["test_count"]) == (True, [], 1, 1)
    assert [each["path"] for each in answer["failed_tests"]] == ["rules.0.tests.0.hits"]
    assert await database.fetchval(count) == before


async def test_a_large_set_is_checked_in_a_process_of_its_own_and_read_page_by_page(
    admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    saved = await save(admin, *MANY)
    assert saved["rule_count"] == len(MANY)
    shown = (await admin.get(f"{RULE_SETS}/{saved['version']}")).json()
    assert shown["rules"] is None
    url = f"{RULE_SETS}/{saved['version']}/rules"
    page = (await admin.get(url, params={"first": 490, "limit": 20})).json()
    assert [each["code"] for each in page["data"]] == [f"R_{number}" for number in range(490, 510)]
    assert page["has_more"] is True
    last = (await admin.get(url, params={"first": 1_190})).json()
    assert ([each["code"] for each in last["data"]], last["has_more"]) == (
        [f"R_{n}" for n in range(1_190, 1_200)],
        False,
    )
    pieces = "SELECT count(*) FROM risk_artefacts WHERE version = $1"
    assert await database.fetchval(pieces, saved["version"]) > 0
    refused = await admin.post(RULE_SETS, json={"rules": [*MANY, MANY[0]]})
    assert error_of(refused, 400, "rule_set_refused", "rules.1200.code")
    assert (await publish(admin, saved["version"]))["status"] == "live"


async def test_the_same_request_again_saves_one_version(admin: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": new_ulid()}
    answers = [await admin.post(RULE_SETS, json={"rules": [FAST]}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"
    other = await admin.post(RULE_SETS, json={"rules": []}, headers=headers)
    error_of(other, 409, "idempotency_key_reused", "Idempotency-Key")


async def test_versions_are_listed_the_newest_first(admin: httpx.AsyncClient) -> None:
    saved = [(await save(admin, FAST))["version"] for _ in range(3)]
    first = (await admin.get(RULE_SETS, params={"limit": 2})).json()
    assert [each["version"] for each in first["data"]] == [saved[2], saved[1]]
    assert first["has_more"] is True
    rest = (await admin.get(RULE_SETS, params={"limit": 100, "starting_after": saved[1]})).json()
    assert rest["data"][0]["version"] == saved[0]
    assert (rest["data"][-1]["version"], rest["has_more"]) == (0, False)


async def test_there_is_no_way_to_a_version_that_never_was_in_force(admin: httpx.AsyncClient) -> None:
    draft = (await save(admin, FAST))["version"]
    error_of(await admin.post(f"{RULE_SETS}/{draft}/roll_back"), 409, "never_published", "version")
    for path in ("99999999/publish", "99999999/roll_back"):
        error_of(await admin.post(f"{RULE_SETS}/{path}"), 404, "not_found", "version")
    for path in ("99999999", "99999999/rules", "99999999/diff", f"{draft}/diff?against=99999999"):
        error_of(await admin.get(f"{RULE_SETS}/{path}"), 404, "not_found", "version")


@pytest.mark.parametrize("path", ["", "/check"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"5", b"null", b"{", b"\xff", b'{"rules": [NaN]}', b"[" * 5_000, b"x" * 100_000]
)
async def test_what_is_no_json_object_is_refused(admin: httpx.AsyncClient, path: str, content: bytes) -> None:
    answer = await admin.post(f"{RULE_SETS}{path}", content=content, headers=JSON)
    error_of(answer, 400, "invalid_json", "body")


async def test_a_body_is_bounded_and_read_only_from_holders_of_the_token(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    large = json.dumps({"rules": MANY}).encode()
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as stranger:
        error_of(await stranger.post(RULE_SETS, content=large, headers=JSON), 401, "invalid_admin_token")
    error_of(await admin.post(RULE_SETS, content=large, headers={"Content-Type": "text/plain"}), 415)
    length = 64 * 1024 * 1024 + 1
    head = f"POST {RULE_SETS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stack.admin_token}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(stack.url).port)
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert b"413" in await reader.readline()
    writer.close()


async def test_a_version_that_asks_for_a_list_that_was_deleted_does_not_come_into_force(
    admin: httpx.AsyncClient,
) -> None:
    lists, name = "/admin/v1/risk/lists", f"gone-{new_ulid().lower()}"
    assert (await admin.post(lists, json={"name": name})).status_code == 201
    asking = rule("R_LISTED", f"listed('{name}', 'device')", "decline")
    before, draft = (await save(admin, asking))["version"], (await save(admin, asking, FAST))["version"]
    await publish(admin, before)
    error_of(await admin.delete(f"{lists}/{name}"), 409, "list_in_use")
    live = (await publish(admin, (await save(admin, FAST))["version"]))["version"]

    async def deleted() -> bool:
        return (await admin.delete(f"{lists}/{name}")).status_code == 200

    await eventually(deleted)  # once the process that answers has these rules
    for step in (f"{draft}/publish", f"{before}/roll_back"):
        error = error_of(await admin.post(f"{RULE_SETS}/{step}"), 409, "rule_set_outdated", "version")
        assert f"the list {name}" in error["message"]
    assert (await admin.get(f"{RULE_SETS}/live")).json()["version"] == live
    assert (await admin.post(lists, json={"name": name})).status_code == 201
    assert (await admin.post(f"{RULE_SETS}/{before}/roll_back")).json()["status"] == "live"
    await publish(admin, live)
