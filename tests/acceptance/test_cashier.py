"""Customers scan codes that any wallet can pay: recognised, identified, charged once, and told how it ended."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.support.accounts import ACCOUNTS, settings_of
from tests.support.cashier import CashierPage, Customer, code_of_one, made_code
from tests.support.gateway import GatewayStack
from tests.support.looking import attempts_of, events_of
from tests.support.till import WALLETS, Till

pytestmark = pytest.mark.asyncio(loop_scope="module")

EACH_WALLET = pytest.mark.parametrize("wallet", WALLETS)


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Codes lead to the gateway itself."""
    return {"callbacks": True}


async def _payment_of(till: Till, page: CashierPage) -> dict[str, Any]:
    """The merchant's view of the sale."""
    assert page.sale is not None
    [payment] = (await till.list(merchant_order_no=f"Q-{page.sale[:26]}")).json()["data"]
    found: dict[str, Any] = payment
    return found


def _captured(stack: GatewayStack, payment_id: str) -> list[tuple[str, str]]:
    """Channel and order number of every order of this payment that holds money."""
    ulid = payment_id.removeprefix("pay_")
    return [
        (channel, trade["order_no"])
        for channel in WALLETS
        for trade in stack.simulators.trades(channel)
        if trade["order_no"].startswith(ulid) and trade["status"] == "captured" and not trade["refunded"]
    ]


@EACH_WALLET
async def test_a_customer_types_an_amount_at_a_static_code_and_pays_it(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    code = await made_code(till, name="Corner Café", store_id="s-1", metadata={"wall": "left"})
    async with Customer(stack, wallet) as customer:
        page = await customer.open(code["url"])
        assert page.config is not None
        assert (page.config["wallet"], page.config["watch"]) == (wallet, "")
        order = await customer.ready(page, amount=1_250)
        assert (order["amount"], order["discount"], order["payable"]) == (1_250, 0, 1_250)
        assert (await customer.state(page))["status"] == "open"
        await customer.confirm(order)
        state = await customer.until(page, "paid")
    payment = await _payment_of(till, page)
    assert (payment["status"], payment["wallet"], payment["amount"]) == ("succeeded", wallet, 1_250)
    assert (payment["code_id"], payment["store_id"], payment["metadata"]) == (code["id"], "s-1", {"wall": "left"})
    assert state["number"] == payment["merchant_order_no"]
    assert state["paid_at"] is not None
    assert len(_captured(stack, payment["id"])) == 1


@EACH_WALLET
async def test_a_customer_pays_the_one_payment_of_a_code(stack: GatewayStack, till: Till, wallet: str) -> None:
    code = await code_of_one(till, description="latte")
    async with Customer(stack, wallet) as customer:
        page = await customer.open(code["url"])
        assert "latte" in page.response.text
        assert page.sale is None
        await customer.confirm(await customer.ready(page))
        await customer.until(page, "paid")
        again = await customer.open(code["url"])
        assert "This order is paid" in again.response.text
        assert again.config is None
    payment = await till.settled(code["payment_id"])
    assert (payment["status"], payment["wallet"], payment["qr_code"]) == ("succeeded", wallet, None)
    assert (await till.client.get(f"/v1/codes/{code['id']}")).json()["status"] == "paid"


async def test_what_the_wallet_shows_is_what_was_bought(stack: GatewayStack, till: Till) -> None:
    code = await code_of_one(till, description="two lattes")
    async with Customer(stack, "wechat") as customer:
        order = await customer.ready(await customer.open(code["url"]))
        shown = await customer.client.post(
            f"{stack.simulators.base_urls['wechat']}/_simulator/bridge/open", json=order["bridge"]
        )
    assert (shown.json()["description"], shown.json()["amount"]) == ("two lattes", "¥25.99")


async def test_a_page_that_is_loaded_again_comes_back_to_its_sale(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "alipay") as customer:
        page = await customer.open(code["url"])
        again = await customer.open(f"{code['url']}?sale={page.sale}")
        assert again.sale == page.sale
        order = await customer.ready(page, amount=300)
        begun = await customer.open(f"{code['url']}?sale={page.sale}")
        assert begun.config is not None
        assert begun.config["watch"] == "begun"
        assert "<small>¥</small>3.00" in begun.response.text
        await customer.confirm(order)
        await customer.until(page, "paid")
        paid = await customer.open(f"{code['url']}?sale={page.sale}")
        assert "This order is paid" in paid.response.text
        assert (await customer.pay(page, amount=300))["status"] == "paid"
        fresh = await customer.open(code["url"])
        assert fresh.sale != page.sale


async def test_however_often_it_is_tapped_a_sale_is_one_payment_and_one_order(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        answers = await asyncio.gather(*[customer.pay(page, amount=500) for _ in range(8)])
        assert {answer["status"] for answer in answers} <= {"ready", "busy"}
        orders = [answer for answer in answers if answer["status"] == "ready"]
        assert len({order["bridge"]["package"] for order in orders}) == 1
        await customer.confirm(orders[0])
        await customer.until(page, "paid")
    payment = await _payment_of(till, page)
    assert payment["amount"] == 500
    assert len(_captured(stack, payment["id"])) == 1


async def test_another_amount_for_the_same_sale_is_refused(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        await customer.ready(page, amount=500)
        refused = await customer.asked(page, amount=501)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "amount_settled")
        assert (await customer.ready(page))["amount"] == 500


@pytest.mark.parametrize("wallet", ["wechat", "alipay"])
async def test_who_changes_the_amount_cannot_pay_the_first_one_any_more(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    code = await made_code(till)
    async with Customer(stack, wallet) as customer:
        page = await customer.open(code["url"])
        order = await customer.ready(page, amount=5_000)
        given_up = await customer.client.post(f"{stack.url}/q/{page.token}/give_up", json={"sale": page.sale})
        assert (given_up.status_code, given_up.json()["status"]) == (200, "over")
        payment = await till.settled((await _payment_of(till, page))["id"])
        assert payment["status"] == "closed"
        await customer.confirm(order)
        second = await customer.open(code["url"])
        await customer.confirm(await customer.ready(second, amount=500))
        await customer.until(second, "paid")
    assert _captured(stack, payment["id"]) == []
    assert (await _payment_of(till, second))["amount"] == 500


async def test_a_sale_that_is_paid_cannot_be_given_up(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        await customer.confirm(await customer.ready(page, amount=500))
        await customer.until(page, "paid")
        answer = await customer.client.post(f"{stack.url}/q/{page.token}/give_up", json={"sale": page.sale})
        assert answer.json()["status"] == "paid"
    assert (await _payment_of(till, page))["reversal"] is None


async def test_who_cancels_in_the_wallet_can_pay_the_same_order_after_all(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "unionpay") as customer:
        page = await customer.open(code["url"])
        first = await customer.ready(page, amount=700)
        went_back = await customer.cancel(first)
        assert went_back.headers["location"] == f"{code['url']}?sale={page.sale}&back=1"
        shown = await customer.open(went_back.headers["location"])
        assert shown.config is not None
        assert shown.config["watch"] == "back"
        second = await customer.ready(page)
        assert second["pay_url"] == first["pay_url"]
        await customer.confirm(second)
        await customer.until(page, "paid")


async def test_the_wallet_may_send_its_customer_back_by_a_form_of_another_site(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "unionpay") as customer:
        page = await customer.open(code["url"])
        answer = await customer.client.post(
            f"{code['url']}?sale={page.sale}&back=1",
            data={"respCode": "00", "orderId": "x"},
            headers={"Origin": "https://cashier.95516.com", "Sec-Fetch-Site": "cross-site"},
        )
        assert (answer.status_code, answer.headers["location"]) == (303, f"/q/{page.token}?sale={page.sale}&back=1")
        back = await customer.open(f"{stack.url}{answer.headers['location']}")
        assert back.config is not None
        assert (back.sale, back.config["watch"]) == (page.sale, "back")


async def test_another_wallet_waits_for_its_turn_and_learns_of_the_payment(stack: GatewayStack, till: Till) -> None:
    code = await code_of_one(till)
    async with Customer(stack, "wechat") as first, Customer(stack, "alipay") as second:
        order = await first.ready(await first.open(code["url"]))
        page = await second.open(code["url"])
        busy = await second.pay(page)
        assert busy["status"] == "busy"
        assert 50 <= busy["retry_after_s"] <= 60
        await first.confirm(order)
        await second.until(page, "paid")
        assert (await second.pay(page))["status"] == "paid"
    assert _captured(stack, code["payment_id"]) == [("wechat", f"{code['payment_id'].removeprefix('pay_')}A1")]


async def test_of_wallets_that_race_for_a_code_one_is_let_in_and_one_payment_is_kept(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    for _ in range(3):
        code = await code_of_one(till)
        customers = [Customer(stack, wallet) for wallet in WALLETS]
        pages = await asyncio.gather(*[customer.open(code["url"]) for customer in customers])
        answers = await asyncio.gather(
            *[customer.pay(page) for customer, page in zip(customers, pages, strict=True) for _ in range(3)]
        )
        ready = [number // 3 for number, answer in enumerate(answers) if answer["status"] == "ready"]
        assert len(set(ready)) == 1
        winner = customers[ready[0]]
        await winner.confirm(next(answer for answer in answers if answer["status"] == "ready"))
        await asyncio.gather(*[customer.until(page, "paid") for customer, page in zip(customers, pages, strict=True)])
        assert [channel for channel, _ in _captured(stack, code["payment_id"])] == [winner.wallet]
        assert [attempt["state"] for attempt in await attempts_of(database, code["payment_id"])] == ["captured"]
        for customer in customers:
            await customer.client.aclose()


async def test_a_cancellation_of_the_merchant_ends_the_open_page(stack: GatewayStack, till: Till) -> None:
    code = await code_of_one(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        await customer.ready(page)
        await till.cancel(code["payment_id"])
        await customer.until(page, "over")
        assert (await customer.pay(page))["status"] == "over"
        assert "This order is closed" in (await customer.open(code["url"])).response.text
    assert (await till.settled(code["payment_id"]))["status"] == "closed"


async def test_a_revoked_code_is_gone_but_its_sale_under_way_is_paid(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "alipay") as early, Customer(stack, "wechat") as late:
        page, too_late = await early.open(code["url"]), await late.open(code["url"])
        order = await early.ready(page, amount=800)
        assert (await till.client.post(f"/v1/codes/{code['id']}/revoke")).status_code == 200
        refused = await late.asked(too_late, amount=800)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
        gone = await late.open(code["url"])
        assert (gone.response.status_code, gone.config) == (404, None)
        assert "This code is not valid" in gone.response.text
        assert (await early.ready(page))["bridge"] == order["bridge"]
        await early.confirm(order)
        await early.until(page, "paid")


async def test_a_suspended_merchant_takes_nothing_new_and_hides_no_payment(
    stack: GatewayStack, database: asyncpg.Connection
) -> None:
    shop = stack.new_shop("a closed shop")
    async with stack.till(shop) as till, Customer(stack, "wechat") as customer:
        static, one = await made_code(till), await code_of_one(till)
        paid = await customer.open(static["url"])
        await customer.confirm(await customer.ready(paid, amount=100))
        await customer.until(paid, "paid")
        new, open_ = await customer.open(static["url"]), await customer.open(one["url"])
        await database.execute("UPDATE merchants SET status = 'suspended' WHERE id = $1", shop.id)
        for page, amount in ((new, 100), (open_, None)):
            assert (await customer.asked(page, amount)).status_code == 404
            again = await customer.open(f"{stack.url}/q/{page.token}")
            assert (again.response.status_code, again.config) == (404, None)
            assert (await customer.client.get(f"{stack.url}/q/{page.token}/code.svg")).status_code == 404
        assert (await customer.state(paid))["status"] == "paid"
        assert (await customer.state(open_))["status"] == "open", "whoever has paid just now can learn it"


async def test_a_payment_that_a_person_looks_into_is_not_paid_again(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    code = await code_of_one(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        await customer.ready(page)
        await database.execute("UPDATE payments SET review = 'amount_mismatch' WHERE id = $1", code["payment_id"])
        assert (await customer.state(page))["status"] == "checking"
        assert (await customer.pay(page))["status"] == "checking"
        assert "Your payment is being checked" in (await customer.open(code["url"])).response.text
        await database.execute("UPDATE payments SET review = NULL WHERE id = $1", code["payment_id"])


async def test_an_expired_code_says_so(stack: GatewayStack, till: Till, database: asyncpg.Connection) -> None:
    code = await code_of_one(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        await database.execute("UPDATE payments SET expires_at = now() WHERE id = $1", code["payment_id"])
        assert (await customer.state(page))["status"] == "over"
        assert (await customer.pay(page))["status"] == "over"
        assert "This order is closed" in (await customer.open(code["url"])).response.text


async def test_every_step_of_a_customer_leaves_its_event(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    code = await code_of_one(till)
    async with Customer(stack, "alipay") as customer:
        page = await customer.open(code["url"])
        await customer.confirm(await customer.ready(page))
        await customer.until(page, "paid")
    types = [event["type"] for event in await events_of(database, code["payment_id"])]
    assert types == ["payment.code_shown", "payment.attempt_opened", "payment.captured"]


async def test_what_is_typed_over_the_limit_of_an_account_is_refused_before_anything_is_asked(
    stack: GatewayStack,
) -> None:
    """The bank's limit for static codes: the customer pays less, or takes another wallet."""
    shop = stack.new_shop("small sums")
    wanted = {
        "channel": "wechat",
        "merchant_id": shop.id,
        "settings": settings_of(stack, "wechat_direct"),
        "terms": {"limits": {"static_code_max_fen": 2_000}},
    }
    async with stack.admin() as admin:
        made = await admin.post(ACCOUNTS, json=wanted)
    assert made.status_code == 201, made.text
    async with stack.till(shop) as till, Customer(stack, "wechat") as customer:
        code = await made_code(till)
        refused: dict[str, Any] = {"status": "unasked"}
        async with asyncio.timeout(10):  # every process hears of a new account within a second
            while refused["status"] != "refused":
                page = await customer.open(code["url"])
                answer = await customer.asked(page, 2_001)
                if answer.status_code == 403:  # it has just been heard of: the platform's account takes nobody here now
                    assert answer.json()["error"]["code"] == "not_identified"
                    continue
                assert answer.status_code == 200, answer.text
                refused = answer.json()
                await asyncio.sleep(
                    0.3 if refused["status"] != "refused" else 0
                )  # one payer begins twelve sales at most
        assert (refused["failure"], refused["amount"]) == ("limit_exceeded", None)
        order = await customer.ready(page, amount=2_000)
        await customer.confirm(order)
        await customer.until(page, "paid")
        payment = await _payment_of(till, page)
        assert (payment["amount"], payment["channel"]) == (2_000, made.json()["id"])
