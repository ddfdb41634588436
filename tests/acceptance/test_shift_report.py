"""A till's day from outside: what each till took and gave back, equal to the ledger, as JSON, page and file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from gateway.kernel.clock import rfc3339
from gateway.merchants.store import Scope
from gateway.reports.schemas import ShiftReportObject
from tests.support.gateway import GatewayStack, Shop
from tests.support.refunds import refund
from tests.support.till import Till, error_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/shift_report"


@pytest.fixture
def shop(stack: GatewayStack) -> Shop:
    return stack.new_shop("交班 shop")


async def report(till: Till, **asked: Any) -> dict[str, Any]:
    answer = await till.client.get(PATH, params=asked)
    assert answer.status_code == 200, answer.text
    ShiftReportObject.model_validate_json(answer.content)
    found: dict[str, Any] = answer.json()
    assert found["ledger"]["agrees"] is True, found["ledger"]
    return found


async def a_day(till: Till) -> None:
    """Two sales at one till, one at another; one declined; parts of two refunded, one of them at the other till."""
    first = await till.paid("wechat", amount=2_599, store_id="s-1", terminal_id="t-1", operator_id="o-1")
    await till.paid("alipay", amount=1_000, store_id="s-1", terminal_id="t-1", operator_id="o-2")
    third = await till.paid("unionpay", amount=500, store_id="s-1", terminal_id="t-2", operator_id="o-1")
    assert (await till.taken("wechat", "9001", amount=9_900, store_id="s-1"))["status"] == "failed"
    for payment, amount, terminal in ((first, 600, "t-1"), (third, 500, "t-1")):
        made = await refund(till, payment, amount, store_id="s-1", terminal_id=terminal, operator_id="o-1")
        assert made["status"] == "succeeded", made


async def test_a_day_is_summed_by_till_operator_and_wallet(stack: GatewayStack, shop: Shop) -> None:
    async with stack.till(shop) as till:
        await a_day(till)
        found = await report(till)
    assert found["merchant_name"] == "交班 shop"
    assert found["totals"]["payments"] == {"count": 3, "amount": 4_099, "discount": 0, "payable": 4_099}
    assert found["totals"]["refunds"] == {
        "count": 2,
        "amount": 1_100,
        "returned_to_customer": 1_100,
        "discount_returned": 0,
    }
    assert found["totals"]["net"] == 2_999
    assert found["totals"]["fees"] == 10 + 4 + 2 - 2 - 2
    assert found["ledger"]["merchant_payable"] == 2_999 - found["totals"]["fees"]
    by_terminal = {row["terminal_id"]: (row["payments"]["count"], row["net"]) for row in found["by_terminal"]}
    assert by_terminal == {"t-1": (2, 3_599 - 1_100), "t-2": (1, 500)}
    by_operator = {row["operator_id"]: row["net"] for row in found["by_operator"]}
    assert by_operator == {"o-1": 3_099 - 1_100, "o-2": 1_000}
    assert {row["wallet"]: row["net"] for row in found["by_wallet"]} == {
        "wechat": 1_999,
        "alipay": 1_000,
        "unionpay": 0,
    }
    statuses = {(row["wallet"], row["status"]): row["count"] for row in found["payments_by_status"]}
    assert statuses[("wechat", "failed")] == 1
    assert [row["amount"] for row in found["refunds"]["data"]] == [600, 500]
    assert len(found["payments"]["data"]) == 4


async def test_a_shift_of_one_till_or_operator_has_its_own_and_nothing_else(stack: GatewayStack, shop: Shop) -> None:
    async with stack.till(shop) as till:
        await a_day(till)
        one_till = await report(till, store_id="s-1", terminal_id="t-2")
        nobody = await report(till, operator_id="o-9")
        operator = await report(till, operator_id="o-2")
    assert (one_till["totals"]["payments"]["count"], one_till["totals"]["refunds"]["count"]) == (1, 0)
    assert (nobody["totals"]["payments"]["count"], nobody["payments"]["data"]) == (0, [])
    assert operator["totals"]["net"] == 1_000


async def test_the_lists_are_as_long_as_they_are_asked_to_be(stack: GatewayStack, shop: Shop) -> None:
    async with stack.till(shop) as till:
        await a_day(till)
        found = await report(till, limit=2)
    assert (len(found["payments"]["data"]), found["payments"]["has_more"]) == (2, True)
    assert (len(found["refunds"]["data"]), found["refunds"]["has_more"]) == (2, False)
    assert found["totals"]["payments"]["count"] == 3


async def test_without_bounds_it_is_the_merchants_own_day(stack: GatewayStack, shop: Shop) -> None:
    now = datetime.now(ZoneInfo("America/New_York"))
    async with stack.admin() as admin, stack.till(shop) as till:
        changed = await admin.patch(f"/admin/v1/merchants/{shop.id}", json={"timezone": "America/New_York"})
        assert changed.json()["timezone"] == "America/New_York"

        async def followed() -> bool:
            return (await report(till))["timezone"] == "America/New_York"

        await eventually(followed)
        found = await report(till)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    assert found["from"] == rfc3339(midnight)
    assert found["to"] == rfc3339((midnight + timedelta(hours=36)).replace(hour=0))


async def test_a_time_before_the_first_sale_has_nothing(stack: GatewayStack, shop: Shop) -> None:
    async with stack.till(shop) as till:
        await till.paid()
        moment = datetime.now(UTC)
        before = {"from": rfc3339(moment - timedelta(days=30)), "to": rfc3339(moment - timedelta(days=1))}
        assert (await report(till, **before))["totals"]["payments"]["count"] == 0
        since = {"from": rfc3339(moment - timedelta(minutes=5)), "to": rfc3339(moment + timedelta(minutes=5))}
        assert (await report(till, **since))["totals"]["payments"]["count"] == 1


async def test_the_file_opens_in_spreadsheets(stack: GatewayStack, shop: Shop) -> None:
    async with stack.till(shop) as till:
        await a_day(till)
        await till.paid(store_id="=1+1")
        answer = await till.client.get(PATH, params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="shift-')
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["kind"] for row in rows] == ["payment"] * 5 + ["refund"] * 2
    assert rows[4]["store_id"] == "'=1+1"
    assert sum(
        int(row["customer_fen"]) for row in rows if row["status"] == "succeeded" and row["kind"] == "payment"
    ) == (4_099 + 2_599)


@pytest.mark.parametrize(
    ("accept_language", "word"), [("zh-CN,zh;q=0.9", "与账本一致"), ("en-US,en;q=0.5", "equal to the ledger")]
)
async def test_a_browser_gets_a_page_in_its_language(
    stack: GatewayStack, shop: Shop, accept_language: str, word: str
) -> None:
    async with stack.till(shop) as till:
        await a_day(till)
        headers = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": accept_language}
        answer = await till.client.get(PATH, headers=headers)
        forced = await till.client.get(PATH, params={"format": "html"})
    assert answer.headers["content-type"] == forced.headers["content-type"] == "text/html; charset=utf-8"
    assert word in answer.text
    assert "交班 shop" in answer.text


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-22T00:00:00"}, "from"),
        ({"to": "0001-01-01T00:00:00Z"}, "to"),
        ({"from": "2026-11-22T00:00:00Z", "to": "2026-11-22T00:00:00Z"}, "to"),
        ({"from": "2026-11-22T00:00:00Z", "to": "2026-11-21T00:00:00Z"}, "to"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-02-02T00:00:00Z"}, "to"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"store_id": ""}, "store_id"),
        ({"store_id": "x" * 33}, "store_id"),
        ({"terminal_id": "a\x00b"}, "terminal_id"),
        ({"format": "pdf"}, "format"),
        ({"store": "s-1"}, "store"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(till: Till, asked: dict[str, str], param: str) -> None:
    error_of(await till.client.get(PATH, params=asked), 400, param=param)


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9998-12-31T00:00:00Z", "2026-11-22T00:00:00+14:00"])
async def test_any_time_can_be_asked_for(till: Till, moment: str) -> None:
    for bound in ("from", "to"):
        answer = await till.client.get(PATH, params={bound: moment})
        assert answer.status_code == 200, answer.text


async def test_it_takes_a_key_that_may_read(stack: GatewayStack) -> None:
    key = stack.new_key(stack.shop, frozenset({Scope.PAY}))
    async with stack.till(key=key.secret) as till:
        error_of(await till.client.get(PATH), 403, "scope_missing")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        error_of(await anybody.get(PATH), 401, "missing_key")
