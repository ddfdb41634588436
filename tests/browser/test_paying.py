"""Customers pay on their phones: every wallet, size, language and light; cancelled, refused, repeated, interrupted."""

from __future__ import annotations

import pytest

from tests.browser.conftest import PhoneMaker
from tests.browser.phones import LARGE, SMALL, Desk, Look
from tests.support.gateway import GatewayStack
from tests.support.till import WALLETS

pytestmark = pytest.mark.browser

EACH_WALLET = pytest.mark.parametrize("wallet", WALLETS)
LOOKS = pytest.mark.parametrize(
    "look",
    [Look(LARGE, "zh"), Look(LARGE, "en", dark=True), Look(SMALL, "en"), Look(SMALL, "zh", dark=True)],
    ids=str,
)
PAID = {"zh": "付款成功", "en": "Paid"}


@EACH_WALLET
@LOOKS
def test_a_customer_types_an_amount_and_pays(phone: PhoneMaker, desk: Desk, wallet: str, look: Look) -> None:
    code = desk.code(name="街角咖啡 Corner Café", description="外卖 take-away")
    customer = phone(wallet, look)
    page = customer.scan(code["url"])
    customer.shoot("1-form")
    page.fill("#amount", "12.5")
    customer.tap_pay()
    page.locator("[data-testid=wallet-sheet]").wait_for()
    customer.shoot("2-wallet")
    customer.in_wallet("pay")
    end = customer.end("paid")
    customer.shoot("3-paid")
    assert end.locator("h2").inner_text() == PAID[look.language]
    assert end.locator(".amount").inner_text().replace("\n", "") == "¥12.50"
    [payment] = desk.payments_of(code)
    assert (payment["status"], payment["amount"], payment["wallet"]) == ("succeeded", 1_250, wallet)
    assert end.locator(".number").inner_text() == payment["merchant_order_no"]
    if wallet != "unionpay":  # its customer comes back to a new page
        assert page.evaluate("document.activeElement.id") == "end-paid", "a screen reader is led to the end"


@EACH_WALLET
def test_a_customer_pays_an_order_and_loading_the_page_again_changes_nothing(
    phone: PhoneMaker, desk: Desk, wallet: str
) -> None:
    code = desk.one(description="latte")
    customer = phone(wallet)
    page = customer.scan(code["url"])
    assert "latte" in page.inner_text("form")
    customer.shoot("order")
    customer.tap_pay()
    customer.in_wallet("pay")
    assert customer.end("paid").locator("h2").inner_text() == "Paid"
    page.reload()
    customer.end("paid")
    customer.scan(code["url"])
    assert customer.end("paid").locator("h2").inner_text() == "This order is paid"
    customer.shoot("order-paid")
    assert page.locator("#go").count() == 0


@pytest.mark.parametrize("wallet", ["wechat", "alipay"])
def test_who_cancels_in_the_wallet_can_go_on_or_change_the_amount(phone: PhoneMaker, desk: Desk, wallet: str) -> None:
    code = desk.code()
    customer = phone(wallet)
    page = customer.scan(code["url"])
    page.fill("#amount", "50")
    customer.tap_pay()
    customer.in_wallet("cancel")
    customer.message("You cancelled. You can pay again.")
    customer.shoot("cancelled")
    assert page.locator("#amount").get_attribute("readonly") is not None
    customer.tap_pay()
    customer.in_wallet("cancel")
    customer.message("You cancelled")
    with page.expect_navigation():
        page.click("#change")
    page.locator("#amount").wait_for()
    page.fill("#amount", "5")
    customer.tap_pay()
    customer.in_wallet("pay")
    customer.end("paid")
    assert [(payment["status"], payment["amount"]) for payment in desk.payments_of(code)] == [
        ("succeeded", 500),
        ("closed", 5_000),
    ]


def test_who_cancels_on_the_wallets_own_page_comes_back_and_can_go_on(phone: PhoneMaker, desk: Desk) -> None:
    customer = phone("unionpay")
    page = customer.scan(desk.code()["url"])
    page.fill("#amount", "7")
    customer.tap_pay()
    customer.in_wallet("cancel")
    customer.message("Waiting for the result")
    customer.message("No payment has arrived")
    customer.shoot("cancelled")
    customer.tap_pay()
    customer.in_wallet("pay")
    assert customer.end("paid").locator("h2").inner_text() == "Paid"


def test_who_goes_back_from_the_wallets_own_page_finds_the_form_in_order(phone: PhoneMaker, desk: Desk) -> None:
    customer = phone("unionpay")
    page = customer.scan(desk.code()["url"])
    page.fill("#amount", "7")
    customer.tap_pay()
    page.locator("[data-testid=wallet-sheet]").wait_for()
    page.go_back()
    page.locator("#go:enabled").wait_for()
    customer.tap_pay()
    customer.in_wallet("pay")
    customer.end("paid")


@EACH_WALLET
def test_a_wallet_that_refuses_an_amount_is_reported_and_another_try_is_offered(
    stack: GatewayStack, phone: PhoneMaker, desk: Desk, wallet: str
) -> None:
    codes = {"wechat": "RULE_LIMIT", "alipay": "ACQ.TOTAL_FEE_EXCEED", "unionpay": "33"}
    customer = phone(wallet)
    page = customer.scan(desk.one()["url"])
    rule = {"kind": "error_code", "code": codes[wallet], "calls": ["create_page"], "times": 1}
    stack.simulators.set_faults(wallet, rule)
    try:
        customer.tap_pay()
        customer.message("That is over a limit of this wallet")
        customer.shoot("refused")
    finally:
        stack.simulators.clear_faults()
    page.locator("#go:enabled").wait_for()
    customer.tap_pay()
    customer.in_wallet("pay")
    customer.end("paid")


def test_an_order_that_was_closed_while_the_wallet_was_open_is_reported_as_closed(
    phone: PhoneMaker, desk: Desk
) -> None:
    code = desk.one()
    customer = phone("wechat")
    page = customer.scan(code["url"])
    customer.tap_pay()
    page.locator("[data-testid=wallet-sheet]").wait_for()
    desk.cancel(code["payment_id"])
    customer.in_wallet("pay")
    assert "Money that was taken comes back by itself" in customer.end("over").inner_text()
    customer.shoot("over")


def test_another_customer_waits_for_his_turn_which_comes_by_itself(phone: PhoneMaker, desk: Desk) -> None:
    code = desk.one()
    first, second = phone("wechat"), phone("alipay")
    first.scan(code["url"])
    first.tap_pay()
    first.page.locator("[data-testid=wallet-sheet]").wait_for()
    second.scan(code["url"])
    second.tap_pay()
    second.message("Somebody else is paying this order")
    second.page.locator("#count", has_text="about").wait_for()
    assert second.page.locator("#count").get_attribute("aria-hidden") == "true", "nobody hears every second"
    second.shoot("busy")
    second.page.click("#go")
    second.message("You are not waiting any more")
    second.tap_pay()
    second.in_wallet("pay")
    second.end("paid")
    first.in_wallet("pay")
    assert first.end("paid").locator("h2").inner_text() == "This order is paid", "and not by this customer"


def test_another_customer_who_waits_learns_that_the_order_was_paid(phone: PhoneMaker, desk: Desk) -> None:
    code = desk.one()
    first, second = phone("wechat"), phone("alipay")
    first.scan(code["url"])
    first.tap_pay()
    first.page.locator("[data-testid=wallet-sheet]").wait_for()
    second.scan(code["url"])
    second.tap_pay()
    second.message("Somebody else is paying this order")
    first.in_wallet("pay")
    first.end("paid")
    assert second.end("paid").locator("h2").inner_text() == "This order is paid"


def test_tapping_twice_and_two_tabs_make_one_payment(phone: PhoneMaker, desk: Desk) -> None:
    code = desk.code()
    customer = phone("wechat")
    page = customer.scan(code["url"])
    page.fill("#amount", "3")
    page.dblclick("#go")
    page.locator("[data-testid=wallet-sheet]").wait_for()
    assert page.locator("[data-testid=wallet-sheet]").count() == 1
    tab = customer.new_page()
    customer.scan(page.url, tab)
    tab.locator("#go:enabled").wait_for()
    customer.tap_pay(tab)
    tab.locator("[data-testid=wallet-sheet]").wait_for()
    customer.in_wallet("pay")
    customer.end("paid")
    customer.in_wallet("pay", tab)
    customer.end("paid", tab)
    [payment] = desk.payments_of(code)
    assert (payment["status"], payment["amount"], payment["late_captures"]) == ("succeeded", 300, [])


def test_an_answer_that_is_lost_costs_nothing_and_the_next_tap_finds_the_order(phone: PhoneMaker, desk: Desk) -> None:
    code = desk.code()
    customer = phone("alipay")
    page = customer.scan(code["url"])

    def lose(route: object) -> None:
        route.fetch()  # type: ignore[attr-defined]
        route.abort("connectionreset")  # type: ignore[attr-defined]

    page.route("**/pay", lose, times=1)
    page.fill("#amount", "4")
    customer.tap_pay()
    customer.message("The network is slow. Try again; you will not be charged twice.")
    customer.tap_pay()
    customer.in_wallet("pay")
    customer.end("paid")
    assert len(desk.payments_of(code)) == 1
    customer.troubles[:] = [trouble for trouble in customer.troubles if "ERR_CONNECTION_RESET" not in trouble]


def test_a_page_that_is_loaded_again_while_the_wallet_is_open_comes_back_to_its_sale(
    phone: PhoneMaker, desk: Desk
) -> None:
    code = desk.code()
    customer = phone("wechat")
    page = customer.scan(code["url"])
    page.fill("#amount", "8.88")
    customer.tap_pay()
    page.locator("[data-testid=wallet-sheet]").wait_for()
    page.reload()
    page.locator("#go:enabled").wait_for()
    assert page.locator("#pay .amount").inner_text().replace("\n", "") == "¥8.88"
    customer.tap_pay()
    customer.in_wallet("pay")
    customer.end("paid")
    page.click("text=Make another payment")
    page.locator("#amount").wait_for()
    assert len(desk.payments_of(code)) == 1
