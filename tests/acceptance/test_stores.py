"""Merchants and stores as campaigns look at them: realm, category and region, over the admin API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.till import error_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
MERCHANTS = "/admin/v1/merchants"
NOBODY = "mer_00000000000000000000000000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def merchant(admin: httpx.AsyncClient) -> str:
    """The path of a new one."""
    answer = await admin.post(MERCHANTS, json={"name": "A chain"})
    assert answer.status_code == 201, answer.text
    return f"{MERCHANTS}/{answer.json()['id']}"


async def test_a_merchant_is_created_with_what_campaigns_look_at(admin: httpx.AsyncClient) -> None:
    given = {"name": "A chain", "customer_realm": "group", "category": "cafe", "region": "上海"}
    answer = await admin.post(MERCHANTS, json=given)
    assert answer.status_code == 201, answer.text
    settings = (await admin.get(f"{MERCHANTS}/{answer.json()['id']}")).json()
    assert {name: settings[name] for name in given} == given


async def test_what_a_merchant_takes_while_features_are_away_is_an_amount_any_or_none(
    admin: httpx.AsyncClient, merchant: str
) -> None:
    before = (await admin.get(merchant)).json()
    assert (before["risk_open_amount_max"], before["risk_tier"]) == (500_000, None)
    for amount in (0, None, 1_000):
        changed = await admin.patch(merchant, json={"risk_open_amount_max": amount, "risk_tier": "new"})
        assert changed.json() == before | {"risk_open_amount_max": amount, "risk_tier": "new"}
        assert (await admin.get(merchant)).json() == changed.json()


async def test_a_merchant_moves_and_null_takes_away(admin: httpx.AsyncClient, merchant: str) -> None:
    before = (await admin.get(merchant)).json()
    assert (before["customer_realm"], before["category"], before["region"]) == (None, None, None)
    moved = await admin.patch(merchant, json={"customer_realm": "group", "region": "杭州"})
    assert moved.json() == before | {"customer_realm": "group", "region": "杭州"}
    back = await admin.patch(merchant, json={"region": None})
    assert back.json() == before | {"customer_realm": "group"}
    assert (await admin.get(merchant)).json() == back.json()


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"customer_realm": ""}, "customer_realm"),
        ({"customer_realm": "a b"}, "customer_realm"),
        ({"customer_realm": NOBODY}, "customer_realm"),
        ({"customer_realm": "x" * 65}, "customer_realm"),
        ({"category": ""}, "category"),
        ({"region": "\x00"}, "region"),
        ({"region": 1}, "region"),
        ({"name": None}, "name"),
        ({"risk_tier": ""}, "risk_tier"),
        ({"risk_open_amount_max": -1}, "risk_open_amount_max"),
        ({"risk_open_amount_max": "1"}, "risk_open_amount_max"),
        ({"realm": "group"}, "realm"),
    ],
)
async def test_a_wrong_change_is_refused_by_name(
    admin: httpx.AsyncClient, merchant: str, change: dict[str, Any], param: str
) -> None:
    before = (await admin.get(merchant)).json()
    error_of(await admin.patch(merchant, json=change), 400, None, param)
    assert (await admin.get(merchant)).json() == before


async def test_stores_are_written_read_listed_and_deleted(admin: httpx.AsyncClient, merchant: str) -> None:
    store = {"name": "人民广场店", "category": "cafe", "region": "上海", "latitude": 31.2304, "longitude": 121.4737}
    written = await admin.put(f"{merchant}/stores/s-1", json=store)
    assert written.status_code == 200, written.text
    assert written.json() == {"object": "store", "store_id": "s-1", **store}
    assert (await admin.get(f"{merchant}/stores/s-1")).json() == written.json()
    again = await admin.put(f"{merchant}/stores/s-1", json={"region": "杭州"})
    rest = dict.fromkeys(("name", "category", "latitude", "longitude"))
    assert again.json() == {"object": "store", "store_id": "s-1", "region": "杭州", **rest}
    many = [{"store_id": f"s-{number}", "region": "苏州"} for number in range(2, 6)]
    answer = await admin.put(f"{merchant}/stores", json={"stores": many})
    assert answer.json() == {"object": "stores_written", "stores": 4}
    page = (await admin.get(f"{merchant}/stores", params={"limit": 2, "starting_after": "s-1"})).json()
    assert ([each["store_id"] for each in page["data"]], page["has_more"]) == (["s-2", "s-3"], True)
    assert (await admin.delete(f"{merchant}/stores/s-2")).status_code == 204
    error_of(await admin.delete(f"{merchant}/stores/s-2"), 404, "not_found", "store_id")
    error_of(await admin.get(f"{merchant}/stores/s-2"), 404, "not_found", "store_id")
    rest = (await admin.get(f"{merchant}/stores")).json()
    assert ([each["store_id"] for each in rest["data"]], rest["has_more"]) == (["s-1", "s-3", "s-4", "s-5"], False)


async def test_a_thousand_stores_are_written_at_once(admin: httpx.AsyncClient, merchant: str) -> None:
    stores = [{"store_id": f"s-{number}"} for number in range(1_001)]
    assert (await admin.put(f"{merchant}/stores", json={"stores": stores[:1_000]})).json()["stores"] == 1_000
    error_of(await admin.put(f"{merchant}/stores", json={"stores": stores}), 400, None, "stores")
    error_of(await admin.put(f"{merchant}/stores", json={"stores": []}), 400, None, "stores")
    error_of(await admin.put(f"{merchant}/stores", json={"stores": [stores[0]] * 2}), 400, None, "stores")
    listed = (await admin.get(f"{merchant}/stores", params={"limit": 1_000})).json()
    assert (len(listed["data"]), listed["has_more"]) == (1_000, False)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "stores", None),
        ("PUT", "stores", {"stores": [{"store_id": "s-1"}]}),
        ("PUT", "stores/s-1", {"region": "上海"}),
    ],
)
async def test_nobodys_stores_are_not_found(
    admin: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = await admin.request(method, f"{MERCHANTS}/{NOBODY}/{path}", json=body)
    error_of(answer, 404, "not_found", "merchant_id")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("stores/" + "x" * 33, {}, "store_id"),
        ("stores/%00", {}, "store_id"),
        ("stores/s-1", {"region": ""}, "region"),
        ("stores/s-1", {"latitude": 90.1, "longitude": 0}, "latitude"),
        ("stores/s-1", {"latitude": 31.2, "longitude": "121.5"}, "longitude"),
        ("stores/s-1", {"latitude": 31.2}, None),
        ("stores/s-1", {"store_id": "s-1"}, "store_id"),
        ("stores", {"stores": [{"region": "上海"}]}, "stores.0.store_id"),
        ("stores", {}, "stores"),
    ],
)
async def test_a_wrong_store_is_refused_by_name(
    admin: httpx.AsyncClient, merchant: str, path: str, body: dict[str, Any], param: str
) -> None:
    error_of(await admin.put(f"{merchant}/{path}", json=body), 400, None, param)


async def test_what_changed_stands_in_the_trail_and_what_did_not_does_not(
    admin: httpx.AsyncClient, database: asyncpg.Connection, merchant: str
) -> None:
    last = await database.fetchval("SELECT max(seq) FROM audit_trail")
    for _ in range(2):
        await admin.put(f"{merchant}/stores/s-1", json={"region": "上海"})
    await admin.put(f"{merchant}/stores", json={"stores": [{"store_id": "s-2"}]})
    await admin.delete(f"{merchant}/stores/s-1")
    told = await database.fetch("SELECT action, subject, detail FROM audit_trail WHERE seq > $1 ORDER BY seq", last)
    assert [each["action"] for each in told] == ["store.written", "stores.written", "store.deleted"]
    assert {each["subject"] for each in told} == {merchant.rpartition("/")[2]}
    assert '"region":{"from":null,"to":"上海"}' in told[0]["detail"]
