"""Every change over the admin API leaves one entry in the audit trail, nothing else does, and the chain is verified."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from gateway.trail.schemas import EntryList, EntryObject
from tests.support.accounts import ACCOUNTS, settings_of
from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file
from tests.support.till import error_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
TRAIL = "/admin/v1/audit_trail"
MERCHANTS = "/admin/v1/merchants"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes: their entries form one chain."""
    return {"gateways": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admins(stack: GatewayStack) -> AsyncIterator[list[httpx.AsyncClient]]:
    """A client of the admin API at each process."""
    async with stack.admin(gateway=0) as first, stack.admin(gateway=1) as second:
        yield [first, second]


@pytest.fixture
def admin(admins: list[httpx.AsyncClient]) -> httpx.AsyncClient:
    return admins[0]


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


async def entries(admin: httpx.AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    """The newest entries, exactly as documented."""
    answer = await admin.get(TRAIL, params={"limit": 100, **filters})
    assert answer.status_code == 200, answer.text
    EntryList.model_validate_json(answer.content)
    found: list[dict[str, Any]] = answer.json()["data"]
    assert all(set(entry) == set(EntryObject.model_fields) for entry in found)
    return found


async def last_seq(admin: httpx.AsyncClient) -> int:
    return max([entry["seq"] for entry in await entries(admin, limit=1)], default=0)


async def since(admin: httpx.AsyncClient, seq: int) -> list[dict[str, Any]]:
    """What was added after that entry, oldest first."""
    return [entry for entry in reversed(await entries(admin)) if entry["seq"] > seq]


async def test_every_change_leaves_one_entry_that_says_what_was_done(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    before = await last_seq(admin)
    named = {"Mashang-Actor": "li.wei"}
    merchant = (await admin.post(MERCHANTS, json={"name": "角落咖啡"}, headers=named)).json()["id"]
    change = {"name": "Corner Café", "signing_required": True}
    assert (await admin.patch(f"{MERCHANTS}/{merchant}", json=change)).status_code == 200
    key = (await admin.post(f"{MERCHANTS}/{merchant}/keys", json={"scopes": ["read", "pay"]})).json()["id"]
    assert (await admin.post(f"{MERCHANTS}/{merchant}/keys/{key}/revoke")).status_code == 204
    settings = settings_of(stack, "unionpay_keyed")
    wanted = {"channel": "unionpay", "merchant_id": merchant, "settings": settings}
    account = (await admin.post(ACCOUNTS, json=wanted)).json()["id"]
    assert (await admin.patch(f"{ACCOUNTS}/{account}", json={"status": "draining", "priority": 7})).status_code == 200
    other = settings | {"back_trans_url": "http://127.0.0.1:1/elsewhere"}
    assert (await admin.post(f"{ACCOUNTS}/{account}/rotate", json={"settings": other})).status_code == 200

    added = await since(admin, before)
    assert [entry["seq"] for entry in added] == list(range(before + 1, before + 8))
    assert [(entry["action"], entry["subject"]) for entry in added] == [
        ("merchant.created", merchant),
        ("merchant.changed", merchant),
        ("key.created", key),
        ("key.revoked", key),
        ("channel_account.created", account),
        ("channel_account.changed", account),
        ("channel_account.rotated", account),
    ]
    assert [entry["person"] for entry in added] == ["li.wei", *[None] * 6]
    assert {(entry["actor"], entry["address"]) for entry in added} == {("admin", "127.0.0.1")}
    details = [entry["detail"] for entry in added]
    assert details[:4] == [
        {"created": {"name": "角落咖啡", "timezone": "Asia/Shanghai"}},
        {
            "changed": {
                "name": {"from": "角落咖啡", "to": "Corner Café"},
                "signing_required": {"from": False, "to": True},
            }
        },
        {"created": {"merchant_id": merchant, "scopes": ["pay", "read"]}},
        {"merchant_id": merchant},
    ]
    created = details[4]["created"]
    assert (created["channel"], created["merchant_id"], created["status"]) == ("unionpay", merchant, "enabled")
    assert created["addresses"]["back_trans_url"] == settings["back_trans_url"]
    assert "secret_key" in {key["setting"] for key in created["keys"]}
    assert details[5] == {
        "changed": {"status": {"from": "enabled", "to": "draining"}, "priority": {"from": 100, "to": 7}}
    }
    assert details[6]["overlap_hours"] == 168
    assert set(details[6]["changed"]) == {"addresses", "settings_fingerprint"}
    assert details[6]["changed"]["addresses"]["to"]["back_trans_url"] == "http://127.0.0.1:1/elsewhere"


async def test_what_is_refused_and_what_changes_nothing_leaves_none(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    before = await last_seq(admin)
    settings = settings_of(stack, "unionpay_keyed")
    nobody = f"{MERCHANTS}/mer_{new_ulid()}"
    for key in ({}, {"Idempotency-Key": f"K-{new_ulid()}"}):
        error_of(await admin.post(MERCHANTS, json={"name": ""}, headers=key), 400)
        error_of(await admin.post(f"{nobody}/keys", json={}, headers=key), 404)
        error_of(await admin.post(f"{nobody}/keys/key_{new_ulid()}/revoke", headers=key), 404)
        taken = {"id": "unionpay_direct", "channel": "unionpay", "settings": settings}
        error_of(await admin.post(ACCOUNTS, json=taken, headers=key), 409, "account_exists")
        other = settings | {"mer_id": "777290058110049"}
        answer = await admin.post(f"{ACCOUNTS}/unionpay_direct/rotate", json={"settings": other}, headers=key)
        error_of(answer, 409, "account_identity")
    error_of(await admin.patch(nobody, json={"name": "x"}), 404)
    error_of(await admin.patch(f"{ACCOUNTS}/nobody", json={"status": "disabled"}), 404)
    error_of(await admin.patch(f"{ACCOUNTS}/unionpay_direct", json={"status": "gone"}), 400, param="status")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as stranger:
        error_of(await stranger.post(MERCHANTS, json={"name": "x"}), 401)
    for path in (MERCHANTS + f"/{stack.shop.id}", ACCOUNTS, TRAIL, "/admin/v1/reviews"):
        assert (await admin.get(path)).status_code == 200
    same = next(seed.settings for seed in stack.simulators.accounts if seed.id == "unionpay_keyed")
    made = await admin.post(ACCOUNTS, json={"channel": "unionpay", "settings": same, "status": "disabled"})
    rotated = await admin.post(f"{ACCOUNTS}/{made.json()['id']}/rotate", json={"settings": same})
    assert rotated.status_code == 200
    assert [entry["action"] for entry in await since(admin, before)] == ["channel_account.created"]


async def test_a_repetition_leaves_no_second_entry(admins: list[httpx.AsyncClient]) -> None:
    before = await last_seq(admins[0])
    key = {"Idempotency-Key": f"K-{new_ulid()}"}
    answers = await asyncio.gather(
        *[admins[number % 2].post(MERCHANTS, json={"name": "once"}, headers=key) for number in range(6)]
    )
    assert {answer.status_code for answer in answers} == {201}
    [entry] = await since(admins[0], before)
    assert entry["subject"] == answers[0].json()["id"]


async def test_no_secret_stands_in_the_trail(
    stack: GatewayStack, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    secrets: list[str] = []
    merchant = (await admin.post(MERCHANTS, json={"name": "secretive"})).json()
    key = (await admin.post(f"{MERCHANTS}/{merchant['id']}/keys", json={})).json()
    secrets += [merchant["webhook_secret"], key["secret"], key["signing_secret"]]
    for seed in stack.simulators.accounts:
        wanted = {"channel": seed.channel, "settings": seed.settings, "status": "disabled"}
        made = await admin.post(ACCOUNTS, json=wanted)
        assert made.status_code == 201, made.text
        rotation = {"settings": {**seed.settings, "notify_url": "http://127.0.0.1:1/new"}}
        assert (await admin.post(f"{ACCOUNTS}/{made.json()['id']}/rotate", json=rotation)).status_code == 200
        secrets += [value for value in flat(seed.settings) if "KEY-----" in value]
        secrets += [
            seed.settings[name] for name in ("api_v3_key", "secret_key", "app_secret", "key") if name in seed.settings
        ]
    assert len(secrets) > 10
    told = "\n".join([str(dict(row)) for row in await database.fetch("SELECT * FROM audit_trail")])
    assert "channel_account.rotated" in told
    for secret in secrets:
        for line in secret.strip().splitlines():
            assert line.startswith("-----") or line not in told


def flat(value: Any) -> Iterator[str]:
    """Every string within."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from flat(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", [b"", b"li\twei", b"x" * 65, b"caf\xc3\xa9", b"\xff"])
async def test_a_name_that_cannot_stand_in_the_trail_is_refused(admin: httpx.AsyncClient, name: bytes) -> None:
    before = await last_seq(admin)
    for headers in ({b"mashang-actor": name}, {b"mashang-actor": name, b"idempotency-key": new_ulid().encode()}):
        answer = await admin.post(MERCHANTS, json={"name": "x"}, headers=headers)
        error_of(answer, 400, "invalid_header", "Mashang-Actor")
    assert await since(admin, before) == []


@pytest.mark.parametrize("name", ["a", "Li Wei (night shift)", "x" * 64, "'; DROP TABLE audit_trail; --"])
async def test_a_name_is_kept_as_it_is(admin: httpx.AsyncClient, name: str) -> None:
    before = await last_seq(admin)
    assert (await admin.post(MERCHANTS, json={"name": "x"}, headers={"Mashang-Actor": name})).status_code == 201
    assert [entry["person"] for entry in await since(admin, before)] == [name]


async def test_the_trail_is_read_newest_first_by_pages_and_filters(admin: httpx.AsyncClient) -> None:
    merchant = (await admin.post(MERCHANTS, json={"name": "filtered"})).json()["id"]
    for name in ("a", "b"):
        await admin.patch(f"{MERCHANTS}/{merchant}", json={"name": name})
    changed, created = await entries(admin, subject=merchant, limit=1), await entries(admin, subject=merchant)
    assert [entry["seq"] for entry in created] == [created[0]["seq"] - age for age in range(3)]
    assert changed == created[:1]
    page = (await admin.get(TRAIL, params={"subject": merchant, "limit": 2})).json()
    assert page["has_more"] is True
    rest = (await admin.get(TRAIL, params={"subject": merchant, "before": page["data"][-1]["seq"]})).json()
    assert (rest["data"], rest["has_more"]) == (created[2:], False)
    assert await entries(admin, subject=merchant, action="merchant.created") == created[2:]
    assert await entries(admin, subject=merchant, at_from=created[0]["at"]) == created[:1]
    assert await entries(admin, subject=merchant, at_to=created[0]["at"]) == created[1:]
    assert await entries(admin, action="nothing.of_this_name") == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1e9", "limit"),
        ("before=0", "before"),
        ("before=-1", "before"),
        ("before=9223372036854775808", "before"),
        ("before=x", "before"),
        ("subject=%00", "subject"),
        ("subject=" + "x" * 129, "subject"),
        ("subject='%20OR%201=1", "subject"),
        ("action=%F0%9F%92%B0", "action"),
        ("action=A", "action"),
        ("at_from=yesterday", "at_from"),
        ("at_from=2026-11-22T00:00:00", "at_from"),
        ("at_to=99999-01-01T00:00:00Z", "at_to"),
        ("at_to=0001-01-01T00:00:00%2B23:59", "at_to"),
        ("person=li.wei", "person"),
    ],
)
async def test_a_wrong_filter_is_refused_by_name(admin: httpx.AsyncClient, query: str, param: str) -> None:
    error_of(await admin.get(f"{TRAIL}?{query}"), 400, param=param)


async def test_nobody_writes_the_trail(admin: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        error_of(await admin.request(method, TRAIL, json={}), 405)


def mashang(state: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments, "--state", str(state)],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=environment | {"COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


async def test_changes_on_two_processes_at_once_form_one_chain_and_a_broken_one_is_found(
    stack: GatewayStack, admins: list[httpx.AsyncClient], database: asyncpg.Connection, state: Path
) -> None:
    before = await last_seq(admins[0])
    changes = [
        admins[number % 2].patch(f"{MERCHANTS}/{stack.shop.id}", json={"name": f"shop {number}"})
        for number in range(20)
    ]
    made = [
        admins[number % 2].post(
            MERCHANTS, json={"name": "x"}, headers={"Idempotency-Key": new_ulid()} if number % 3 else {}
        )
        for number in range(20)
    ]
    answers = await asyncio.gather(*changes, *made)
    assert {answer.status_code for answer in answers} == {200, 201}
    added = await since(admins[0], before)
    assert [entry["seq"] for entry in added] == list(range(before + 1, before + 41))
    names = [entry["detail"]["changed"]["name"] for entry in added if entry["action"] == "merchant.changed"]
    assert [name["from"] for name in names[1:]] == [name["to"] for name in names[:-1]], "before and after meet"

    verified = json.loads(mashang(state, "audit", "--trail", "--json")[0])
    assert (verified["holds"], verified["entries"]) == (True, before + 40)
    shown, _ = mashang(state, "audit", "--trail")
    [head] = [line.removeprefix("Head ") for line in shown.splitlines() if line.startswith("Head ")]
    assert head == f"{before + 40}:{verified['head']['hash']}"
    assert verified["head"]["hash"] == added[-1]["hash"]
    mashang(state, "audit", "--trail", "--head", head)

    listed = json.loads(mashang(state, "trail", "--json", "--subject", stack.shop.id, "--limit", "5")[0])
    assert [entry["seq"] for entry in listed] == [
        entry["seq"] for entry in await entries(admins[0], subject=stack.shop.id, limit=5)
    ]
    assert "merchant.changed" in mashang(state, "trail")[0]
    assert "There is no such entry" in mashang(state, "trail", "--subject", "nobody")[1]

    await database.execute("ALTER TABLE audit_trail DISABLE TRIGGER audit_trail_stays")
    await database.execute("DELETE FROM audit_trail WHERE seq = $1", before + 40)
    mashang(state, "audit", "--trail")
    shown, _ = mashang(state, "audit", "--trail", "--head", head, status=1)
    assert f"broken at entry {before + 40}" in shown
    await database.execute("UPDATE audit_trail SET person = 'somebody' WHERE seq = $1", before + 3)
    broken = json.loads(mashang(state, "audit", "--trail", "--json", status=1)[0])
    assert (broken["holds"], broken["broken_seq"], broken["head"]) == (False, before + 3, None)
    _, said = mashang(state, "audit", "--trail", "--head", "nonsense", status=2)
    assert "SEQ:HASH" in said
