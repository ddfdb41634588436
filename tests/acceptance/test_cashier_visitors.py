"""Whoever opens a code is recognised by the browser and identified by the wallet; nobody passes for somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from gateway.codes.visits import ASKING_COOKIE, TRIPS_MAX, VISIT_COOKIE
from tests.support.cashier import USER_AGENTS, CashierPage, Customer, code_of_one, made_code
from tests.support.gateway import GatewayStack
from tests.support.till import WALLETS, Till

pytestmark = pytest.mark.asyncio(loop_scope="module")

EACH_WALLET = pytest.mark.parametrize("wallet", WALLETS)


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Codes lead to the gateway itself."""
    return {"callbacks": True}


async def _sent_to_wallet(customer: Customer, url: str) -> httpx.Response:
    """The first answer to a scan: on to the wallet."""
    answer = await customer.client.get(url)
    assert answer.status_code == 302, answer.text
    return answer


async def _sent_back(customer: Customer, url: str) -> str:
    """The address to which the wallet brings its browser back, code and state included."""
    asked = await _sent_to_wallet(customer, url)
    there = await customer.client.get(asked.headers["location"])
    assert there.status_code == 302, there.text
    return there.headers["location"].partition("#")[0]


def _cookie(response: httpx.Response, name: str) -> str:
    [found] = [line for line in response.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    return found


@EACH_WALLET
async def test_the_trip_to_the_wallet_leaks_nothing_and_its_cookies_are_the_pages_own(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    code = await made_code(till)
    async with Customer(stack, wallet) as customer:
        asked = await _sent_to_wallet(customer, code["url"])
        assert asked.headers["location"].startswith(stack.simulators.base_urls[wallet])
        assert asked.headers["referrer-policy"] == "no-referrer"
        assert asked.headers["cache-control"] == "no-store"
        back = await _sent_back(customer, code["url"])
        assert back.startswith(f"{code['url']}/back/{wallet}?")
        known = await customer.client.get(back)
        assert known.status_code == 303
        assert known.headers["location"].startswith(f"{httpx.URL(code['url']).path}?sale=")
        for answer, name in ((asked, ASKING_COOKIE), (known, VISIT_COOKIE)):
            cookie = _cookie(answer, name)
            assert f"; Path={httpx.URL(code['url']).path};" in f"{cookie};"
            assert "HttpOnly" in cookie
            assert "samesite=lax" in cookie.lower()


async def test_a_sale_survives_the_trip_to_the_wallet(stack: GatewayStack, till: Till) -> None:
    """A phone that forgot its cookies while the customer paid in another app comes back to the sale all the same."""
    code = await made_code(till)
    async with Customer(stack, "unionpay") as customer, Customer(stack, "unionpay") as forgetful:
        page = await customer.open(code["url"])
        await customer.ready(page, amount=900)
        again = await forgetful.open(f"{code['url']}?sale={page.sale}&back=1")
        assert again.sale == page.sale
        assert "<small>¥</small>9.00" in again.response.text


async def test_the_way_back_is_good_twice_for_the_same_browser(stack: GatewayStack, till: Till) -> None:
    """WeChat on Android calls it twice, with one code."""
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        back = await _sent_back(customer, code["url"])
        first, second = await customer.client.get(back), await customer.client.get(back)
        assert first.status_code == second.status_code == 303
        assert first.headers["location"] == second.headers["location"]
        page = await customer.open(f"{stack.url}{second.headers['location']}")
        await customer.ready(page, amount=100)


async def test_who_lost_the_answer_of_the_first_way_back_is_sent_once_more(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        back = await _sent_back(customer, code["url"])
        await customer.client.get(back)
        customer.client.cookies.delete(VISIT_COOKIE)
        page = await customer.open(back)
        assert page.config is not None
        await customer.ready(page, amount=100)


async def test_a_browser_that_keeps_no_cookies_is_told_so_at_once(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        back = await _sent_back(customer, code["url"])
    async with Customer(stack, "wechat") as without:
        page = await without.open(back)
    assert (page.response.status_code, page.config) == (400, None)
    assert "allow cookies for this page" in page.response.text
    assert f'href="{httpx.URL(code["url"]).path}"' in page.response.text


async def test_a_browser_that_drops_the_cookie_of_the_visit_does_not_go_to_and_fro_for_ever(
    stack: GatewayStack, till: Till
) -> None:
    code = await made_code(till)
    async with Customer(stack, "alipay") as customer:
        for _ in range(TRIPS_MAX):
            back = await _sent_back(customer, code["url"])
            assert (await customer.client.get(back)).status_code == 303
            customer.client.cookies.delete(VISIT_COOKIE)
        told = await customer.client.get(code["url"])
        assert (told.status_code, "location" in told.headers) == (200, False)
        assert "The payer is not known" in told.text
        page = await customer.open(code["url"])
        assert page.config is not None, "trying again begins anew"


async def test_a_code_of_the_wallet_is_not_taken_with_a_state_that_was_not_sent(
    stack: GatewayStack, till: Till
) -> None:
    """Mallory brings the browser of somebody else back with a code of her own."""
    code = await made_code(till)
    async with Customer(stack, "wechat") as mallory, Customer(stack, "wechat") as somebody:
        hers = httpx.URL(await _sent_back(mallory, code["url"]))
        await _sent_to_wallet(somebody, code["url"])
        answer = await somebody.client.get(hers)
        assert VISIT_COOKIE not in somebody.client.cookies
        assert answer.status_code == 303
        stale = hers.copy_set_param("state", "")
        assert (await somebody.client.get(stale)).status_code == 303
        assert VISIT_COOKIE not in somebody.client.cookies


@pytest.mark.parametrize("wallet", ["alipay", "paypal", "..", "wechat%00"])
async def test_the_way_back_of_another_wallet_identifies_nobody(stack: GatewayStack, till: Till, wallet: str) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        back = (await _sent_back(customer, code["url"])).replace("/back/wechat", f"/back/{wallet}")
        answer = await customer.client.get(back)
        assert answer.status_code < 500
        assert VISIT_COOKIE not in customer.client.cookies


async def test_a_code_that_the_wallet_does_not_know_identifies_nobody(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        back = httpx.URL(await _sent_back(customer, code["url"]))
        for made_up in ("", "x" * 300, "made-up", "a&secret=b#c", "\r\nX: y"):
            answer = await customer.client.get(back.copy_set_param("code", made_up))
            assert answer.status_code == 303
            assert VISIT_COOKIE not in customer.client.cookies


async def test_a_cookie_of_one_code_opens_nothing_at_another(stack: GatewayStack, till: Till) -> None:
    here, there = await made_code(till), await made_code(till)
    async with Customer(stack, "wechat") as customer:
        page, other = await customer.open(here["url"]), await customer.open(there["url"])
        jar = [cookie for cookie in customer.client.cookies.jar if cookie.name == VISIT_COOKIE]
        mine = next(cookie.value for cookie in jar if page.token in cookie.path)
        async with Customer(stack, "wechat") as thief:
            thief.client.headers["Cookie"] = f"{VISIT_COOKIE}={mine}"
            refused = await thief.asked(other, amount=100)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_identified")
            assert (await thief.client.get(there["url"])).status_code == 302
            assert (await thief.asked(page, amount=100)).status_code == 200


async def test_a_sale_of_one_code_begins_nothing_at_another(stack: GatewayStack, till: Till) -> None:
    here, there = await made_code(till), await made_code(till)
    async with Customer(stack, "wechat") as customer:
        page, other = await customer.open(here["url"]), await customer.open(there["url"])
        refused = await customer.asked(page, amount=100, sale=other.sale)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_sale")


async def test_a_browser_that_changes_its_name_is_identified_anew_and_the_name_charges_nobody(
    stack: GatewayStack, till: Till
) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        customer.client.headers["User-Agent"] = USER_AGENTS["alipay"]
        assert (await customer.ready(page, amount=100))["bridge"]["package"].startswith("prepay_id="), "as identified"
        asked = await _sent_to_wallet(customer, code["url"])
        assert asked.headers["location"].startswith(stack.simulators.base_urls["alipay"])
        again = await customer.open(code["url"])
        assert again.config is not None
        assert again.config["wallet"] == "alipay"
        assert "tradeNO" in (await customer.ready(again, amount=100))["bridge"]


async def test_the_state_of_a_sale_is_told_to_whoever_has_the_sale_and_to_nobody_else(
    stack: GatewayStack, till: Till
) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer, Customer(stack, "wechat") as stranger:
        page = await customer.open(code["url"])
        await customer.ready(page, amount=4_200)
        blind = CashierPage(page.response, page.token, {"sale": None})
        assert (await stranger.state(blind))["amount"] is None
        assert (await stranger.state(page))["amount"] == 4_200


async def test_the_payer_and_the_codes_of_the_wallet_reach_no_log(stack: GatewayStack, till: Till) -> None:
    code = await code_of_one(till)
    async with Customer(stack, "wechat") as customer:
        back = httpx.URL(await _sent_back(customer, code["url"]))
        page = await customer.open(str(back))
        await customer.confirm(await customer.ready(page))
        await customer.until(page, "paid")
        payer = customer.client.cookies["simulated_payer"]  # the openid ends in it
    log = stack.log_of(stack.gateways[0]) + stack.log_of(stack.workers[0])
    for private in (back.params["code"], back.params["state"], payer):
        assert private not in log


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0 Safari/537.36", "Tap Scan and point the phone at the code"),
        ("Mozilla/5.0 (iPhone) Version/17.0 Mobile/15E148 Safari/604.1", "Take a screenshot of the code"),
        ("Mozilla/5.0 (Windows NT 10.0) MicroMessenger/7.0.20 WindowsWechat", "Tap Scan and point the phone"),
    ],
)
async def test_a_browser_that_is_no_wallets_is_shown_the_code_to_scan(
    stack: GatewayStack, till: Till, user_agent: str, words: str
) -> None:
    code = await made_code(till, name="Corner Café", amount=700)
    async with Customer(stack, "wechat", user_agent=user_agent) as somebody:
        page = await somebody.open(code["url"])
    assert page.response.status_code == 200
    for shown in (words, "Corner Café", "<small>¥</small>7.00", "<svg"):
        assert shown in page.response.text
    assert "set-cookie" not in page.response.headers


async def test_in_development_any_browser_can_play_each_wallet_in_turn(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat", user_agent="Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0") as somebody:
        for wallet in (*WALLETS, "wechat"):
            page = await somebody.open(f"{code['url']}?as={wallet}")
            assert page.config is not None
            assert page.config["wallet"] == wallet


async def test_parameters_that_apps_add_to_the_address_do_no_harm(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till)
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(f"{code['url']}?from=singlemessage&isappinstalled=0&scene=1#wechat_redirect")
        assert page.config is not None


@EACH_WALLET
async def test_a_wallet_that_the_shop_does_not_take_is_named_as_such(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    code = await made_code(till)
    accounts = [seed.id for seed in stack.simulators.accounts if seed.wallet == wallet]
    async with Customer(stack, wallet) as customer, stack.admin() as admin:
        page = await customer.open(code["url"])
        try:
            await _set_status(admin, accounts, "draining")
            for _ in range(100):
                gone = await customer.open(code["url"])
                if gone.config is None:
                    break
                await asyncio.sleep(0.05)
            assert "This wallet is not accepted" in gone.response.text
            refused = await customer.asked(page, amount=100)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_identified")
        finally:
            await _set_status(admin, accounts, "enabled")
        for _ in range(100):
            again = await customer.open(code["url"])
            if again.config is not None:
                break
            await asyncio.sleep(0.05)
        await customer.ready(again, amount=100)


async def _set_status(admin: httpx.AsyncClient, accounts: Sequence[str], status: str) -> None:
    for account_id in accounts:
        answer = await admin.patch(f"/admin/v1/channel_accounts/{account_id}", json={"status": status})
        assert answer.status_code == 200, answer.text
