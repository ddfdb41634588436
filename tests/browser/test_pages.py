"""What else customers meet: typed amounts, ends, no script, no wallet, print; for all eyes, ears and keyboards."""

from __future__ import annotations

import re

import asyncpg
import pytest

from tests.browser.accessible import assert_accessible
from tests.browser.conftest import PhoneMaker
from tests.browser.phones import LARGE, SMALL, Desk, Look
from tests.support.gateway import GatewayStack
from tests.support.servers import run_aside

pytestmark = pytest.mark.browser

LONG = "ナノ🦜" * 30 + "\u202ekcab" + "W" * 2
BROWSERS = {
    "phone": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1",
    "desk": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36",
}
LOOKS = pytest.mark.parametrize("look", [Look(LARGE, "zh"), Look(SMALL, "en", dark=True)], ids=str)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Type the amount, for example 12.50"),
        ("0", "Type the amount"),
        ("0.00", "Type the amount"),
        ("-5", "Type the amount"),
        ("1.234", "Type the amount"),
        ("1e5", "Type the amount"),
        ("12 34", "Type the amount"),
        ("１２x", "Type the amount"),
        ("50000.01", "a payment has at most ¥50000.00"),
        ("999999999", "a payment has at most ¥50000.00"),
    ],
)
def test_an_amount_that_is_none_is_refused_on_the_page(phone: PhoneMaker, desk: Desk, typed: str, said: str) -> None:
    code = desk.code()
    customer = phone("wechat")
    page = customer.scan(code["url"])
    page.fill("#amount", typed)
    page.press("#amount", "Enter")
    customer.message(said)
    assert page.locator("#amount").get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "amount"
    assert desk.payments_of(code) == []


@pytest.mark.parametrize(
    ("typed", "fen"),
    [
        ("12.5", 1_250),
        ("0.01", 1),
        ("8.", 800),
        (".5", 50),
        ("12,5", 1_250),
        ("１２。５", 1_250),
        ("¥7", 700),
        ("007", 700),
    ],
)
def test_an_amount_is_read_to_the_fen_however_the_keypad_writes_it(
    phone: PhoneMaker, desk: Desk, typed: str, fen: int
) -> None:
    code = desk.code()
    customer = phone("wechat")
    page = customer.scan(code["url"])
    page.fill("#amount", typed)
    customer.tap_pay()
    page.locator("[data-testid=wallet-sheet]").wait_for()
    [payment] = desk.payments_of(code)
    assert payment["amount"] == fen


def test_everything_can_be_done_by_the_keyboard_alone(phone: PhoneMaker, desk: Desk) -> None:
    customer = phone("alipay")
    page = customer.scan(desk.code()["url"])
    assert page.evaluate("document.activeElement.id") == "amount", "the first thing to do is to type"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "go"
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("6.60")
    page.keyboard.press("Enter")
    page.locator("[data-testid=wallet-cancel]").wait_for()
    page.focus("[data-testid=wallet-cancel]")
    page.keyboard.press("Enter")
    customer.message("You cancelled")
    page.focus("#go")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "change"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.locator("[data-testid=wallet-pay]").wait_for()
    page.keyboard.press("Enter")
    customer.end("paid")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Make another payment"


@LOOKS
def test_every_state_of_the_page_is_accessible(phone: PhoneMaker, desk: Desk, look: Look) -> None:
    static, one = desk.code(name="Corner Café"), desk.one(description="latte")
    customer = phone("wechat", look)
    page = customer.scan(static["url"])
    assert_accessible(page)
    page.fill("#amount", "x")
    customer.tap_pay()
    page.locator("#message.bad").wait_for()
    assert_accessible(page)
    customer.scan(one["url"])
    assert_accessible(page)
    customer.tap_pay()
    customer.in_wallet("pay")
    customer.end("paid")
    assert_accessible(page)
    for address in (one["url"], f"{static['url']}x", f"{one['url']}/back/wechat"):
        customer.troubles.clear()
        page.goto(address)
        assert_accessible(page)
    customer.troubles.clear()
    visitor = phone("wechat", look, user_agent=BROWSERS["phone"])
    visitor.scan(static["url"])
    assert_accessible(visitor.page)


@LOOKS
def test_an_order_that_is_over_or_being_checked_says_so(
    stack: GatewayStack, phone: PhoneMaker, desk: Desk, look: Look
) -> None:
    expired, checked = desk.one(), desk.one()
    _update(stack, "UPDATE payments SET expires_at = now() WHERE id = $1", expired["payment_id"])
    _update(stack, "UPDATE payments SET review = 'amount_mismatch' WHERE id = $1", checked["payment_id"])
    customer = phone("wechat", look)
    customer.scan(expired["url"])
    customer.end("over")
    customer.shoot("expired")
    customer.scan(checked["url"])
    customer.end("checking")
    customer.shoot("checking")
    assert customer.page.locator("button").count() == 0


@LOOKS
def test_without_a_script_the_page_says_what_is_missing(phone: PhoneMaker, desk: Desk, look: Look) -> None:
    customer = phone("alipay", look, script=False)
    page = customer.page
    page.goto(desk.code()["url"])
    words = "请启用 JavaScript 后付款。" if look.language == "zh" else "Turn on JavaScript to pay."
    assert page.locator("noscript p").inner_text() == words
    assert page.locator("#go").is_disabled()
    customer.shoot("no-script")


@LOOKS
@pytest.mark.parametrize("name", ["Corner Café", LONG], ids=["short", "long"])
def test_a_name_of_any_length_and_script_fits(phone: PhoneMaker, desk: Desk, look: Look, name: str) -> None:
    code = desk.code(name=name, description=name, amount=9_999_999_99)
    customer = phone("unionpay", look)
    customer.scan(code["url"])
    customer.shoot(f"name-{len(name)}")
    visitor = phone("wechat", look, user_agent=BROWSERS["phone"])
    visitor.scan(code["url"])
    visitor.page.goto(code["card_url"])
    visitor.fits()


@pytest.mark.parametrize(("kind", "size"), [("phone", SMALL), ("phone", LARGE), ("desk", (1_280, 800))])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_browser_that_is_no_wallets_shows_the_code(
    phone: PhoneMaker, desk: Desk, kind: str, size: tuple[int, int], language: str
) -> None:
    code = desk.one(description="latte")
    visitor = phone("wechat", Look(size, language), user_agent=BROWSERS[kind])
    page = visitor.scan(code["url"])
    visitor.shoot(f"landing-{kind}")
    assert page.locator("svg").first.bounding_box()["width"] >= 200  # type: ignore[index]
    assert page.locator(".code[role=img][aria-label]").count() == 1


def test_the_card_prints_on_one_sheet_of_a6(phone: PhoneMaker, desk: Desk) -> None:
    for name in ("街角咖啡 Corner Café", LONG):
        code = desk.code(name=name, amount=1_250)
        visitor = phone("wechat", Look((1_280, 800), "zh"), user_agent=BROWSERS["desk"])
        visitor.page.goto(code["card_url"])
        visitor.shoot(f"card-{len(name)}")
        printed = visitor.page.pdf(prefer_css_page_size=True, print_background=True)
        boxes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([0-9.]+)\s+([0-9.]+)\s*\]", printed)
        assert [(round(float(wide)), round(float(high))) for wide, high in boxes] == [(298, 420)], "A6, once"


def test_the_wallets_bridge_may_call_its_app_by_a_frame_and_nothing_else_may_be_framed(
    phone: PhoneMaker, desk: Desk
) -> None:
    """WeixinJSBridge on iPhones does; a page of ours is the only one that allows it."""
    customer = phone("wechat")
    page = customer.scan(desk.code()["url"])
    refused = page.evaluate(
        """async () => {
          const refused = [];
          document.addEventListener("securitypolicyviolation", (event) => refused.push(event.blockedURI));
          for (const address of ["weixin://dispatch_message/", "weixinping://iframe", "https://evil.example/"]) {
            const frame = document.createElement("iframe");
            frame.src = address;
            document.body.append(frame);
          }
          await new Promise((resolve) => setTimeout(resolve, 500));
          return refused;
        }"""
    )
    assert refused == ["https://evil.example"]
    customer.troubles.clear()


def _update(stack: GatewayStack, statement: str, payment_id: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(stack.database_url)
        try:
            await connection.execute(statement, payment_id)
        finally:
            await connection.close()

    run_aside(run)
