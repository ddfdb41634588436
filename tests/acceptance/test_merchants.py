"""Merchants as operators see them: listed, with their keys, suspended and back, over the API and as typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file
from tests.support.till import error_of, new_order, payment_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


def mashang(state: Path, *arguments: str, status: int = 0) -> str:
    """What `mashang merchant …` prints, and what it says beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "merchant", *arguments, "--state", str(state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment, "COLUMNS": "160"},
        check=False,
        timeout=120,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


async def listed(admin: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await admin.get("/admin/v1/merchants", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_merchants_are_listed_newest_first_page_by_page_and_by_a_part_of_their_names(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    shops = [stack.new_shop(f"Listed Shop {number}") for number in range(5)]
    ids, query = [], {"name": "listed sh", "limit": 2}
    while True:
        page = await listed(admin, **query)
        ids += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
        query["starting_after"] = ids[-1]
    assert ids == [shop.id for shop in reversed(shops)]
    assert (await listed(admin, name="no such shop"))["data"] == []
    [newest] = (await listed(admin, limit=1))["data"]
    assert newest == (await admin.get(f"/admin/v1/merchants/{newest['id']}")).json()
    error_of(await admin.get("/admin/v1/merchants", params={"starting_after": "mer_1"}), 400, "invalid_field")


async def test_keys_are_listed_by_how_they_end_and_never_with_their_secrets(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    shop = stack.new_shop("shop with keys")
    made = (await admin.post(f"/admin/v1/merchants/{shop.id}/keys", json={"scopes": ["read", "pay"]})).json()
    answer = await admin.get(f"/admin/v1/merchants/{shop.id}/keys")
    newest, oldest = answer.json()["data"]
    assert (newest["id"], newest["scopes"], newest["hint"]) == (made["id"], ["pay", "read"], made["secret"][-4:])
    assert (newest["revoked_at"], oldest["id"]) == (None, shop.key.id)
    assert not {made["secret"], made["signing_secret"], shop.key.secret} & set(answer.text.split('"'))
    assert (await admin.post(f"/admin/v1/merchants/{shop.id}/keys/{made['id']}/revoke")).status_code == 204
    newest, _ = (await admin.get(f"/admin/v1/merchants/{shop.id}/keys")).json()["data"]
    assert newest["revoked_at"] >= newest["created_at"]


async def test_a_suspended_merchant_takes_nothing_until_it_is_resumed(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    shop = stack.new_shop("shop to be suspended")
    async with stack.till(shop) as till:
        await till.paid()

        async def answers(status: int) -> bool:
            return (await till.list(limit=1)).status_code == status

        changed = await admin.patch(f"/admin/v1/merchants/{shop.id}", json={"status": "suspended"})
        assert changed.json()["status"] == "suspended"
        await eventually(lambda: answers(401))
        error_of(await till.pay(new_order()), 401, "invalid_key")
        await admin.patch(f"/admin/v1/merchants/{shop.id}", json={"status": "active"})
        await eventually(lambda: answers(200))
        assert payment_of(await till.pay(new_order()), 201)["status"] == "succeeded"
    for wrong in ("closed", None, 1):
        assert (await admin.patch(f"/admin/v1/merchants/{shop.id}", json={"status": wrong})).status_code == 400


@pytest.mark.slow
async def test_a_merchant_is_made_limited_given_keys_and_suspended_at_a_terminal(
    state: Path, stack: GatewayStack
) -> None:
    made = json.loads(mashang(state, "add", "Typed Café", "--category", "cafe", "--scope", "pay", "--json"))
    assert (made["name"], made["key"]["scopes"]) == ("Typed Café", ["pay"])
    async with stack.till(key=made["key"]["secret"]) as till:
        assert payment_of(await till.pay(new_order()), 201)["status"] == "succeeded"
    told = mashang(state, "set", made["id"], "payments_per_s=50", "region=上海", "signing_required=true")
    assert "50" in told
    assert "上海" in told
    found = json.loads(mashang(state, "set", made["id"], "region=", "--json"))
    assert (found["region"], found["payments_per_s"], found["signing_required"]) == (None, 50, True)
    told = mashang(state, "add-key", made["id"], "--scope", "read")
    assert "may read" in told
    assert "sk_test_" in told
    shown = json.loads(mashang(state, "show", made["id"], "--json"))
    newest, first = shown["keys"]
    assert (newest["scopes"], first["id"]) == (["read"], made["key"]["id"])
    assert "is revoked" in mashang(state, "revoke-key", made["id"], first["id"])
    assert first["id"] in mashang(state, "show", made["id"])
    assert "suspended" in mashang(state, "suspend", made["id"])
    assert "Typed Café" in mashang(state, "list", "--name", "typed")
    assert "50 payments/s" in mashang(state, "list", "--name", "typed")
    assert "active" in mashang(state, "resume", made["id"])


@pytest.mark.slow
async def test_what_cannot_be_done_is_told_in_a_sentence(state: Path, stack: GatewayStack) -> None:
    shop = stack.shop.id
    assert "is no change" in mashang(state, "set", shop, "payments_per_s", status=2)
    assert "is a whole number" in mashang(state, "set", shop, "payments_per_s=many", status=2)
    assert "colour" in mashang(state, "set", shop, "colour=red", status=2)
    assert "not_found" in mashang(state, "show", "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", status=2)
    assert "There are no such merchants" in mashang(state, "list", "--name", "no such shop")
