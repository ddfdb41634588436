"""Lists of the risk check over the admin API: kept, looked up, imported; persons' values stay out of sight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support.gateway import GatewayStack

LISTS = "/admin/v1/risk/lists"


@pytest.fixture(scope="module")
def admin(stack: GatewayStack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.admin_token}", "Mashang-Actor": "li.wei"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def sent(admin: httpx.Client, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = admin.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(admin: httpx.Client, path: str, body: dict[str, Any]) -> tuple[int, str, str | None]:
    answer = admin.post(path, json=body)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


def put(admin: httpx.Client, name: str, *entries: dict[str, Any]) -> Any:
    return sent(admin, f"{LISTS}/{name}/entries", {"reason": "card testing", "entries": list(entries)})


def found(admin: httpx.Client, **value: Any) -> list[Any]:
    data: list[Any] = sent(admin, f"{LISTS}/find", value, 200)["data"]
    return data


def test_three_lists_are_there_and_others_are_made_and_deleted(admin: httpx.Client) -> None:
    assert [each["name"] for each in admin.get(LISTS).json()["data"]] == ["allow", "block", "watch"]
    made = sent(admin, LISTS, {"name": "grey", "description": "Known to ask for refunds."})
    assert (made["name"], made["entries"], made["by_field"]) == ("grey", 0, {})
    assert refused(admin, LISTS, {"name": "grey"}) == (409, "list_exists", "name")
    assert refused(admin, LISTS, {"name": "Grey"})[:2] == (400, "invalid_field")
    put(admin, "grey", {"field": "region", "value": "上海"})
    assert admin.get(f"{LISTS}/grey").json()["by_field"] == {"region": 1}
    assert admin.delete(f"{LISTS}/grey").json() == {"object": "risk_list", "name": "grey", "deleted": True}
    assert admin.get(f"{LISTS}/grey").status_code == 404
    assert admin.delete(f"{LISTS}/block").json()["error"]["code"] == "list_built_in"


def test_why_something_is_listed_is_told_without_showing_who_it_is(admin: httpx.Client, stack: GatewayStack) -> None:
    customer = {"field": "customer", "value": "customer-0042", "merchant_id": stack.shop.id}
    assert put(admin, "block", {**customer, "expires_at": "2027-01-01T00:00:00Z", "reason": "chargebacks"}) == {
        "object": "risk_list_entries_put",
        "list": "block",
        "added": 1,
        "renewed": 0,
    }
    assert put(admin, "watch", customer, customer)["added"] == 1
    first, second = found(admin, **customer)
    assert first["id"].startswith("customer-")
    assert (first["list"], first["value"], first["scope"]) == ("block", "cu…42", stack.shop.id)
    assert (first["reason"], first["expires_at"], first["added_by"]) == (
        "chargebacks",
        "2027-01-01T00:00:00.000Z",
        "li.wei",
    )
    assert (second["list"], second["reason"], second["expires_at"]) == ("watch", "card testing", None)
    assert found(admin, field="customer", value="customer-0042", realm="elsewhere") == []
    shown = admin.get(f"{LISTS}/block/entries", params={"field": "customer"}).text
    assert first["id"] in shown
    assert "customer-0042" not in shown


def test_an_address_is_found_by_its_range_and_a_card_by_its_bin(admin: httpx.Client) -> None:
    put(admin, "block", {"field": "ip", "value": "198.51.100.0/24"}, {"field": "card", "value": "622202"})
    [range_] = found(admin, field="ip", value="198.51.100.77")
    assert (range_["list"], range_["value"]) == ("block", "198.51.…/24")
    assert [each["value"] for each in found(admin, field="card", value="62220288")] == ["62…"]
    assert found(admin, field="ip", value="198.51.101.77") == []


def test_entries_are_removed_by_value_and_by_id(admin: httpx.Client) -> None:
    put(admin, "allow", {"field": "region", "value": "北京"}, {"field": "region", "value": "上海"})
    removed = {"entries": [{"field": "region", "value": "北京"}, {"field": "region", "value": "广州"}]}
    assert sent(admin, f"{LISTS}/allow/entries/remove", removed, 200)["removed"] == 1
    [left] = found(admin, field="region", value="上海")
    assert admin.delete(f"{LISTS}/allow/entries/{left['id']}").json()["removed"] == 1
    assert admin.delete(f"{LISTS}/allow/entries/{left['id']}").status_code == 404
    assert found(admin, field="region", value="上海") == []


def test_pages_follow_each_other(admin: httpx.Client) -> None:
    sent(admin, LISTS, {"name": "pages"})
    put(admin, "pages", *({"field": "region", "value": f"region {number}"} for number in range(7)))
    seen: list[str] = []
    page = admin.get(f"{LISTS}/pages/entries", params={"limit": 3}).json()
    while page["has_more"]:
        seen += [each["value"] for each in page["data"]]
        last = page["data"][-1]["id"]
        page = admin.get(f"{LISTS}/pages/entries", params={"limit": 3, "starting_after": last}).json()
    seen += [each["value"] for each in page["data"]]
    assert sorted(seen) == [f"region {number}" for number in range(7)]


@pytest.mark.parametrize(
    ("entry", "status", "param"),
    [
        ({"field": "customer", "value": "c-1"}, 422, "entries.0.value"),
        ({"field": "customer", "value": "c-1", "merchant_id": "mer_" + "0" * 26}, 422, "entries.0.merchant_id"),
        ({"field": "store", "value": "s-1", "realm": "r"}, 422, "entries.0.realm"),
        ({"field": "ip", "value": "10.0.0.1/8"}, 422, "entries.0.value"),
        ({"field": "card", "value": "6222"}, 422, "entries.0.value"),
        ({"field": "region", "value": "上海", "expires_at": "2090-01-01T00:00:00Z"}, 422, "entries.0.expires_at"),
        ({"field": "shoe", "value": "42"}, 400, "entries.0.field"),
    ],
)
def test_what_cannot_be_listed_is_refused_with_its_place(
    admin: httpx.Client, entry: dict[str, Any], status: int, param: str
) -> None:
    body = {"reason": "a test", "entries": [entry]}
    assert refused(admin, f"{LISTS}/block/entries", body) == (status, "invalid_field", param)


def test_an_import_is_sent_in_batches_and_counts_at_its_end(admin: httpx.Client) -> None:
    sent(admin, LISTS, {"name": "imported"})
    put(admin, "imported", {"field": "region", "value": "old"})
    begin = {"mode": "replace", "reason": "the bank's list", "source": "list.csv"}
    imports = f"{LISTS}/imported/imports"
    begun = sent(admin, imports, begin)
    assert sent(admin, imports, begin) == begun, "the same import is gone on with"
    assert refused(admin, imports, {**begin, "source": "other.csv"})[:2] == (409, "import_open")
    groups = [
        {"field": "region", "values": [f"region {number}" for number in range(4_900)]},
        {"field": "ip", "values": ["203.0.113.0/24", "2001:db8::/32"], "reason": "a botnet"},
    ]
    batches = f"{imports}/{begun['id']}/batches"
    assert sent(admin, batches, {"number": 1, "groups": groups}, 200)["added"] == 4_902
    assert sent(admin, batches, {"number": 1, "groups": groups}, 200)["added"] == 4_902
    assert refused(admin, batches, {"number": 3, "groups": groups}) == (409, "import_batch", "number")
    assert [each["value"] for each in found(admin, field="region", value="old")] == ["old"]
    done = sent(admin, f"{imports}/{begun['id']}/finish", {}, 200)
    while done["status"] != "done":
        done = sent(admin, f"{imports}/{begun['id']}/finish", {}, 200)
    assert (done["batches"], done["added"], done["parts_left"]) == (1, 4_902, None)
    assert admin.get(f"{imports}/{begun['id']}").json() == done
    assert admin.get(f"{LISTS}/imported").json()["by_field"] == {"ip": 2, "region": 4_900}
    assert found(admin, field="region", value="old") == []
    assert [each["reason"] for each in found(admin, field="ip", value="203.0.113.9")] == ["a botnet"]
    assert [each["reason"] for each in found(admin, field="region", value="region 7")] == ["the bank's list"]
    assert refused(admin, batches, {"number": 2, "groups": groups})[:2] == (409, "import_status")


def test_an_import_can_be_abandoned(admin: httpx.Client) -> None:
    sent(admin, LISTS, {"name": "left"})
    begun = sent(admin, f"{LISTS}/left/imports", {"mode": "replace", "reason": "a try"})
    path = f"{LISTS}/left/imports/{begun['id']}"
    sent(admin, f"{path}/batches", {"number": 1, "groups": [{"field": "region", "values": ["a"]}]}, 200)
    assert admin.delete(path).json()["status"] == "abandoned"
    assert admin.delete(path).json()["error"]["code"] == "import_status"
    assert found(admin, field="region", value="a") == []


async def test_the_audit_trail_tells_counts_and_nothing_of_persons(
    admin: httpx.Client, stack: GatewayStack, database: asyncpg.Connection
) -> None:
    before = await database.fetchval("SELECT max(seq) FROM audit_trail")
    secret = {"field": "device", "value": "device-of-somebody", "merchant_id": stack.shop.id}
    put(admin, "watch", secret)
    found(admin, **secret)
    sent(admin, f"{LISTS}/watch/entries/remove", {"entries": [secret]}, 200)
    begun = sent(admin, f"{LISTS}/watch/imports", {"mode": "merge", "reason": "a file"})
    path = f"{LISTS}/watch/imports/{begun['id']}"
    sent(admin, f"{path}/batches", {"number": 1, "groups": [{"field": "region", "values": ["a", "b"]}]}, 200)
    sent(admin, f"{path}/finish", {}, 200)
    sent(admin, f"{path}/finish", {}, 200)
    told = await database.fetch("SELECT action, detail, person FROM audit_trail WHERE seq > $1 ORDER BY seq", before)
    assert [row["action"] for row in told] == [
        "risk_list.entries_put",
        "risk_list.entries_removed",
        "risk_list.import_begun",
        "risk_list.imported",
    ]
    assert '"added":2' in told[3]["detail"]
    assert {row["person"] for row in told} == {"li.wei"}
    assert not any("somebody" in row["detail"] for row in told)
