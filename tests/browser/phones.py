"""A customer's phone with his wallet's browser, the shop's desk, and what both can look at."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from gateway.kernel.ids import new_ulid
from tests.support.cashier import USER_AGENTS
from tests.support.gateway import GatewayStack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response

PAGE_BYTES_MAX: Final = 30_000
LARGE, SMALL = (390, 844), (320, 568)
_PAID_MS: Final = 20_000
_OF_THE_SIMULATOR: Final = "favicon.ico"
"""UnionPay's stand-in has none."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a phone shows pages."""

    size: tuple[int, int] = LARGE
    language: str = "en"
    dark: bool = False

    def __str__(self) -> str:
        return f"{self.size[0]}-{self.language}-{'dark' if self.dark else 'light'}"


class Phone:
    """One browser with its own cookies; every page in it is watched."""

    def __init__(
        self,
        browser: Browser,
        stack: GatewayStack,
        wallet: str,
        look: Look,
        shots: Path,
        *,
        user_agent: str | None = None,
        script: bool = True,
    ) -> None:
        self.wallet, self.look = wallet, look
        self._stack, self._shots = stack, shots
        self.context = browser.new_context(
            user_agent=user_agent or USER_AGENTS[wallet],
            viewport={"width": look.size[0], "height": look.size[1]},
            locale="zh-CN" if look.language == "zh" else "en-US",
            color_scheme="dark" if look.dark else "light",
            java_script_enabled=script,
        )
        self.context.set_default_timeout(_PAID_MS)
        self.troubles: list[str] = []
        self.page = self.new_page()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.close()
        if kind is None:
            assert self.troubles == []

    def new_page(self) -> Page:
        """One more tab."""
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("response", self._answered)
        return page

    def scan(self, url: str, page: Page | None = None) -> Page:
        """Open a code, and be back from the wallet's identification."""
        page = page or self.page
        response = page.goto(url)
        assert response is not None
        assert len(response.body()) <= PAGE_BYTES_MAX
        self.fits(page)
        return page

    def shoot(self, name: str, page: Page | None = None) -> None:
        """Keep what is shown."""
        (page or self.page).screenshot(path=self._shots / f"{name}-{self.wallet}-{self.look}.png")

    def fits(self, page: Page | None = None) -> None:
        """Nothing is wider than the screen."""
        wide = (page or self.page).evaluate("document.documentElement.scrollWidth")
        assert wide <= self.look.size[0], f"{wide} pixels wide on {self.look}"

    def tap_pay(self, page: Page | None = None) -> None:
        """The page's own button."""
        (page or self.page).click("#go")

    def in_wallet(self, action: str, page: Page | None = None) -> None:
        """Decide in the wallet's sheet or page: `pay` or `cancel`."""
        (page or self.page).click(f"[data-testid=wallet-{action}]")

    def message(self, text: str, page: Page | None = None) -> None:
        """Wait until the page says this, where a screen reader hears it."""
        (page or self.page).locator("#message[aria-live=polite]", has_text=text).wait_for()

    def end(self, kind: str, page: Page | None = None) -> Locator:
        """Wait until it is `paid`, `over` or `checking`."""
        shown = (page or self.page).locator(f"#end-{kind}")
        shown.wait_for(state="visible")
        self.fits(page)
        return shown

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and _OF_THE_SIMULATOR not in str(message.location):
            self.troubles.append(f"console: {message.text} {message.location}")

    def _answered(self, response: Response) -> None:
        known = (self._stack.url, *self._stack.simulators.base_urls.values())
        if not response.url.startswith((*known, "data:")):
            self.troubles.append(f"asked {response.url}")
        if response.status >= 400 and response.url.startswith(self._stack.url):
            self.troubles.append(f"{response.status} of {response.url}")


class Desk:
    """The merchant's key, synchronously."""

    def __init__(self, stack: GatewayStack) -> None:
        self._client = httpx.Client(
            base_url=stack.url,
            headers={"Authorization": f"Bearer {stack.shop.key.secret}"},
            timeout=20,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def code(self, **fields: Any) -> dict[str, Any]:
        """A static code."""
        return self._answered(self._client.post("/v1/codes", json={"type": "static", **fields}))

    def one(self, **fields: Any) -> dict[str, Any]:
        """A code for one payment of ¥25.99."""
        wanted = {"merchant_order_no": f"B-{new_ulid()}", "amount": 2_599, **fields}
        return self._answered(self._client.post("/v1/codes", json=wanted))

    def cancel(self, payment_id: str) -> None:
        """And wait until it is over."""
        self._answered(self._client.post(f"/v1/payments/{payment_id}/cancel"))
        deadline = time.monotonic() + 20
        while self._answered(self._client.get(f"/v1/payments/{payment_id}"))["status"] == "requires_action":
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def payments_of(self, code: dict[str, Any]) -> list[dict[str, Any]]:
        """The payments that customers began at a static code, newest first."""
        found = self._answered(self._client.get("/v1/payments", params={"method": "qrcode", "limit": 100}))
        return [payment for payment in found["data"] if payment["code_id"] == code["id"]]

    @staticmethod
    def _answered(answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found
