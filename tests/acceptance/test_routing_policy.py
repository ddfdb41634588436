"""Operations steer payments without a deployment: policies over the admin API, in force everywhere at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack, kill
from tests.support.policies import EXPLAIN, POLICY, SECOND, add_second_account, in_force, put
from tests.support.till import Till, error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIRST = "wechat_direct"
AVOID_FIRST = {"name": "avoid", "when": "payment.wallet == 'wechat'", "order": [SECOND]}


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes."""
    return {"gateways": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        await add_second_account(stack, client)
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tills(stack: GatewayStack) -> AsyncIterator[list[Till]]:
    """A till at each process."""
    async with stack.till(gateway=0) as first, stack.till(gateway=1) as second:
        yield [first, second]


async def channel_of(till: Till, **changes: Any) -> str:
    return str((await till.paid("wechat", **changes))["channel"])


async def test_a_policy_steers_the_payments_of_every_process_within_a_second(
    stack: GatewayStack, admin: httpx.AsyncClient, tills: list[Till]
) -> None:
    published = await put(admin, AVOID_FIRST)
    began = time.monotonic()
    await in_force(stack, published["version"])
    assert time.monotonic() - began < 1
    assert [await channel_of(till) for till in tills] == [SECOND, SECOND]
    await in_force(stack, (await put(admin, AVOID_FIRST | {"order": [FIRST]}))["version"])
    assert [await channel_of(till) for till in tills] == [FIRST, FIRST]


async def test_a_policy_is_rolled_back_in_one_call(
    stack: GatewayStack, admin: httpx.AsyncClient, tills: list[Till]
) -> None:
    good = await put(admin, AVOID_FIRST | {"order": [FIRST]}, note="good")
    bad = await put(admin, AVOID_FIRST, note="bad")
    assert (await admin.get(POLICY)).json()["version"] == bad["version"]
    answer = await admin.post(f"{POLICY}/roll_back", json={})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["version"], answer.json()["policy"]) == (good["version"], good["policy"])
    await in_force(stack, good["version"])
    assert [await channel_of(till) for till in tills] == [FIRST, FIRST]
    back = (await admin.post(f"{POLICY}/roll_back", json={"version": bad["version"]})).json()
    assert (back["version"], back["in_force"]) == (bad["version"], True)
    error_of(await admin.post(f"{POLICY}/roll_back", json={"version": 99_999}), 404, "not_found", "version")
    await admin.post(f"{POLICY}/roll_back", json={"version": 0})
    error_of(await admin.post(f"{POLICY}/roll_back", json={}), 409, "no_version_before", "version")


async def test_a_split_is_exact_in_each_process_whatever_is_published_in_between(
    stack: GatewayStack, admin: httpx.AsyncClient, tills: list[Till]
) -> None:
    split = {"name": "contract", "when": "payment.amount == 777", "split": {FIRST: 70, SECOND: 30}}
    await in_force(stack, (await put(admin, split))["version"])
    counts = [Counter([await channel_of(till, amount=777) for _ in range(5)]) for till in tills]
    assert await channel_of(tills[0], amount=778) in {FIRST, SECOND}, "not eligible: no turn is taken"
    other = {"name": "other", "when": "payment.amount == 1", "order": [FIRST]}
    await in_force(stack, (await put(admin, other, split))["version"])
    for _ in range(3):  # looking takes no turn
        await admin.post(EXPLAIN, json={"amount": 777, "wallet": "wechat"})
    for till, count in zip(tills, counts, strict=True):
        count.update([await channel_of(till, amount=777) for _ in range(15)])
        assert count == {FIRST: 14, SECOND: 6}


async def test_a_policy_with_problems_is_refused_whole_and_the_present_one_stays(
    stack: GatewayStack, admin: httpx.AsyncClient, database: asyncpg.Connection, tills: list[Till]
) -> None:
    before = await put(admin, AVOID_FIRST, note="stays")
    await in_force(stack, before["version"])
    rows = await database.fetchval("SELECT count(*) FROM routing_policies")
    wrong = [AVOID_FIRST | {"order": [FIRST]}, {"name": "x", "when": "payment.hours < 6", "exclude": ["nobody"]}]
    error = error_of(await admin.put(POLICY, json={"rules": wrong}), 400, "policy_refused", "rules.1.when")
    assert "rules.1.when (line 1, column 1): " in error["message"]
    assert "payment.hour" in error["message"]
    assert "rules.1.exclude.0: there is no channel account “nobody”" in error["message"]
    assert (await admin.get(POLICY)).json() == before
    assert await database.fetchval("SELECT count(*) FROM routing_policies") == rows
    assert [await channel_of(till) for till in tills] == [SECOND, SECOND]


async def test_whoever_builds_on_an_older_version_is_told(admin: httpx.AsyncClient) -> None:
    first = await put(admin, AVOID_FIRST, note="first")
    second = await put(admin, note="second", base_version=first["version"])
    late = {"rules": [], "note": "late", "base_version": first["version"]}
    error = error_of(await admin.put(POLICY, json=late), 409, "policy_changed", "base_version")
    assert str(second["version"]) in error["message"]
    ends = await asyncio.gather(
        *[admin.put(POLICY, json={**late, "note": note, "base_version": second["version"]}) for note in "abcdef"]
    )
    assert Counter(end.status_code for end in ends) == {200: 1, 409: 5}


async def test_versions_are_listed_and_shown(admin: httpx.AsyncClient) -> None:
    published = [await put(admin, AVOID_FIRST, note=f"version {number}") for number in range(3)]
    numbers = [each["version"] for each in published]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    page = (await admin.get(f"{POLICY}/versions", params={"limit": 2})).json()
    assert page["has_more"]
    assert [(each["version"], each["in_force"], each["note"], each["rules"]) for each in page["data"]] == [
        (numbers[2], True, "version 2", 1),
        (numbers[1], False, "version 1", 1),
    ]
    rest = (await admin.get(f"{POLICY}/versions", params={"limit": 1, "starting_after": numbers[1]})).json()
    assert rest["data"][0]["version"] == numbers[0]
    shown = (await admin.get(f"{POLICY}/versions/{numbers[0]}")).json()
    assert shown == published[0] | {"in_force": False}
    error_of(await admin.get(f"{POLICY}/versions/{numbers[2] + 1}"), 404, "not_found", "version")
    again = await admin.put(POLICY, json=published[2]["policy"])
    assert again.json() == published[2], "the same again is no new version"


async def test_a_check_tells_all_problems_or_what_the_rules_would_match(
    admin: httpx.AsyncClient, tills: list[Till]
) -> None:
    before = (await admin.get(POLICY)).json()
    for _ in range(3):
        await tills[0].paid("wechat", amount=4321)
    await tills[0].paid("alipay", amount=4321)
    rules = [
        {"name": "first", "when": "payment.amount == 4321 && payment.wallet == 'wechat'", "order": [FIRST]},
        {"name": "out", "when": "payment.amount == 4321", "exclude": [SECOND]},
        {"name": "later", "when": "payment.amount == 4321", "prefer": [FIRST]},
        {"name": "off", "when": "true", "order": [SECOND], "enabled": False},
    ]
    answer = await admin.post(f"{POLICY}/check", json={"rules": rules})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["valid"], found["problems"]) == (True, [])
    assert found["payments"]["rules"] == [
        {"name": "first", "matched": 3, "decided": 3},
        {"name": "out", "matched": 4, "decided": 0},
        {"name": "later", "matched": 4, "decided": 1},
    ]
    assert found["payments"]["undecided"] == found["payments"]["looked_at"] - 4
    none = (await admin.post(f"{POLICY}/check", params={"payments": 2}, json={"rules": rules})).json()
    assert none["payments"]["looked_at"] == 2
    wrong = (await admin.post(f"{POLICY}/check", json={"rules": [{"when": "payment.amount >"}], "x": 1})).json()
    assert (wrong["valid"], wrong["payments"]) == (False, None)
    assert [problem["path"] for problem in wrong["problems"]] == ["x", "rules.0.name", "rules.0.when", "rules.0"]
    assert [problem["line"] for problem in wrong["problems"]] == [None, None, 1, None]
    assert (await admin.get(POLICY)).json() == before, "nothing changes by a check"


async def test_what_changed_stands_in_the_trail_and_what_did_not_does_not(
    admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    await put(admin, note="from here")
    last = await database.fetchval("SELECT max(seq) FROM audit_trail")
    published = await put(admin, AVOID_FIRST, note="told")
    await put(admin, AVOID_FIRST, note="told")
    await admin.post(f"{POLICY}/check", json={"rules": []})
    await admin.post(EXPLAIN, json={"amount": 1, "wallet": "wechat"})
    await admin.put(POLICY, json={"rules": 1})
    await admin.post(f"{POLICY}/roll_back", json={})
    told = await database.fetch("SELECT action, subject, detail FROM audit_trail WHERE seq > $1 ORDER BY seq", last)
    assert [(each["action"], each["subject"]) for each in told] == [
        ("routing_policy.published", "routing_policy"),
        ("routing_policy.rolled_back", "routing_policy"),
    ]
    assert str(published["version"]) in told[0]["detail"]


async def test_a_repeated_roll_back_goes_back_once(admin: httpx.AsyncClient) -> None:
    for note in ("one", "two", "three"):
        last = await put(admin, note=note)
    key = {"Idempotency-Key": f"roll-back-{last['version']}"}
    for _ in range(2):
        answer = await admin.post(f"{POLICY}/roll_back", json={}, headers=key)
        assert answer.json()["version"] == last["version"] - 1
    assert (await admin.get(POLICY)).json()["policy"]["note"] == "two"


async def test_of_policies_published_at_the_same_time_each_process_ends_with_the_last(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    async with stack.admin(gateway=1) as other:
        await asyncio.gather(*[put((admin, other)[number % 2], note=str(number)) for number in range(10)])
    await in_force(stack, (await admin.get(POLICY)).json()["version"])


async def test_a_process_that_starts_goes_by_the_policy_from_its_first_payment(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    await put(admin, AVOID_FIRST, note="before the start")
    kill(stack.gateways[1])
    stack.restart(stack.gateways[1])
    async with stack.till(gateway=1) as till:
        assert await channel_of(till) == SECOND


async def test_an_excluded_wallet_is_no_channel(stack: GatewayStack, admin: httpx.AsyncClient, till: Till) -> None:
    listed = (await admin.get("/admin/v1/routing/accounts")).json()["data"]
    everybody = [account["id"] for account in listed]
    rule = {"name": "closed", "when": "payment.amount == 999", "exclude": everybody}
    await in_force(stack, (await put(admin, rule))["version"])
    payment = payment_of(await till.pay(new_order("wechat", amount=999)), 201)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "no_channel")
