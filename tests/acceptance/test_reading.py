"""Reading: one payment, pages of them, filters; never another merchant's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_id
from gateway.payments.schemas import PaymentList
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_order, payment_of, shape_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop_till(stack: GatewayStack) -> AsyncIterator[Till]:
    """A till of a shop with seven payments and nothing else."""
    async with stack.till(stack.new_shop("lists")) as opened:
        for number in range(7):
            magic = "9001" if number in {2, 5} else None
            payment = await opened.taken(
                magic=magic, merchant_order_no=f"L-{number}", store_id=f"s-{number % 2}", terminal_id=f"t-{number % 3}"
            )
            assert payment["merchant_order_no"] == f"L-{number}"
        yield opened


async def test_pages_come_newest_first_and_end(shop_till: Till) -> None:
    seen: list[str] = []
    after: dict[str, Any] = {}
    sizes = []
    while True:
        page = _page(await shop_till.list(limit=3, **after))
        sizes.append(len(page["data"]))
        seen += [payment["merchant_order_no"] for payment in page["data"]]
        if not page["has_more"]:
            break
        after = {"starting_after": page["data"][-1]["id"]}
    assert sizes == [3, 3, 1]
    assert seen == [f"L-{number}" for number in reversed(range(7))]


async def test_a_page_that_ends_exactly_at_the_limit_has_no_more(shop_till: Till) -> None:
    page = _page(await shop_till.list(limit=7))
    assert (len(page["data"]), page["has_more"]) == (7, False)


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"status": "failed"}, [5, 2]),
        ({"status": "succeeded", "store_id": "s-1"}, [3, 1]),
        ({"store_id": "s-0", "terminal_id": "t-0"}, [6, 0]),
        ({"store_id": "nowhere"}, []),
        ({"merchant_order_no": "L-4"}, [4]),
        ({"merchant_order_no": "L-99"}, []),
        ({"created_from": "2020-01-01T00:00:00Z", "limit": 2}, [6, 5]),
        ({"created_from": "2020-01-01T00:00:00+08:00", "created_to": "2099-01-01T00:00:00Z"}, [6, 5, 4, 3, 2, 1, 0]),
        ({"created_to": "2020-01-01T00:00:00Z"}, []),
    ],
)
async def test_filters_narrow_a_list(shop_till: Till, filters: dict[str, Any], numbers: list[int]) -> None:
    page = _page(await shop_till.list(**filters))
    assert [payment["merchant_order_no"] for payment in page["data"]] == [f"L-{number}" for number in numbers]


async def test_the_times_of_a_filter_are_from_inclusive_to_exclusive(shop_till: Till) -> None:
    payments = _page(await shop_till.list())["data"]
    first = payments[-1]
    found = _page(await shop_till.list(created_from=first["created_at"], limit=100))["data"]
    assert first["id"] in {payment["id"] for payment in found}
    before = _page(await shop_till.list(created_to=first["created_at"]))["data"]
    assert before == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("merchant_order_nr=A1", "merchant_order_nr"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1e2", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("starting_after=pay_x", "starting_after"),
        ("starting_after=pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KI", "starting_after"),
        ("status=paid", "status"),
        ("status=%00", "status"),
        ("created_from=yesterday", "created_from"),
        ("created_from=2026-01-01T00:00:00", "created_from"),
        ("created_from=0001-01-01T00:00:00%2B14:00", "created_from"),
        ("created_to=9999-12-31T23:59:59-14:00", "created_to"),
        ("created_to=-1e300", "created_to"),
        ("created_to=2026-13-01T00:00:00Z", "created_to"),
        ("store_id=%00", "store_id"),
        ("store_id=" + "x" * 33, "store_id"),
        ("terminal_id=a%0Ab", "terminal_id"),
        ("merchant_order_no=a%20b", "merchant_order_no"),
        ("merchant_order_no=", "merchant_order_no"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused_by_name(till: Till, query: str, param: str) -> None:
    error_of(await till.client.get(f"/v1/payments?{query}"), 400, param=param)


@pytest.mark.parametrize("query", ["store_id=%FF%FE", "store_id=%E2%80%AE", "store_id='%20OR%201=1--", "x=%FF"])
async def test_odd_text_in_a_filter_finds_nothing_and_breaks_nothing(till: Till, query: str) -> None:
    answer = await till.client.get(f"/v1/payments?{query}")
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        error_of(answer, 400)


@pytest.mark.parametrize(
    "payment_id", ["pay_x", "ref_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "%00", "pay_%F0%9F%92%A9", "x" * 3000]
)
async def test_a_text_that_is_no_payment_id_is_refused(till: Till, payment_id: str) -> None:
    for answer in (
        await till.client.get(f"/v1/payments/{payment_id}"),
        await till.client.post(f"/v1/payments/{payment_id}/cancel"),
    ):
        assert answer.status_code in {400, 404}
        error_of(answer, answer.status_code)


async def test_a_payment_that_is_not_there_is_not_found(till: Till) -> None:
    error_of(await till.get(new_id("pay")), 404, "not_found", "id")
    error_of(await till.cancel(new_id("pay")), 404, "not_found", "id")


async def test_another_merchants_payment_is_not_found_in_any_way(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid()
    async with stack.till(stack.new_shop()) as stranger:
        error_of(await stranger.get(payment["id"]), 404, "not_found")
        error_of(await stranger.get(payment["id"], refresh=True), 404, "not_found")
        error_of(await stranger.cancel(payment["id"]), 404, "not_found")
        assert _page(await stranger.list())["data"] == []
        assert _page(await stranger.list(merchant_order_no=payment["merchant_order_no"]))["data"] == []
        assert _page(await stranger.list(starting_after=payment["id"]))["data"] == []
    assert payment_of(await till.get(payment["id"]))["status"] == "succeeded"


async def test_text_of_every_kind_is_stored_exactly(till: Till) -> None:
    metadata = {
        "emoji": "👩‍👩‍👧 🧾",
        "right to left": "\u202eלחם\u202c",
        "café": "composed",
        "cafe\u0301": "decomposed",
        "sql": "'; DROP TABLE payments; --",
        "lua": "]] redis.call('FLUSHALL') --[[",
        "log": "${jndi:ldap://x} %s %(levelname)s {0}",
        "cel": "true || payment.amount > 0 ? 'x' : \"y\"",
        "json": '"}],"status":"succeeded',
        "surrogate pair": "𠮷野家",
        "width": "ＡＢＣ１２３",
        "empty": "",
    }
    order = new_order(metadata=metadata, description="拿铁 \u202e☕", store_id="店;1", customer={"id": "c'\"--𠮷"})
    payment = payment_of(await till.pay(order), 201)
    assert payment["metadata"] == metadata
    assert payment["store_id"] == "店;1"
    assert payment_of(await till.get(payment["id"])) == payment
    [listed] = _page(await till.list(store_id="店;1"))["data"]
    assert listed == payment
    assert payment_of(await till.pay(order), 201) == payment


def _page(answer: httpx.Response) -> dict[str, Any]:
    """A list in exactly the documented shape."""
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    documented = PaymentList.model_validate_json(answer.content, strict=True).model_dump(mode="json")
    assert shape_of(page) == shape_of(documented)
    return page
