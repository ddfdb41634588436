"""The shop's customers: they scan codes with their wallets, and pay in the page behind a code as its script would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tests.support.channels import Simulators

USER_AGENTS: Final = {
    "wechat": "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.50 Language/zh_CN",
    "alipay": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 AlipayClient/10.6.0",
    "unionpay": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 UnionPay/1.0 CloudPay",
}


_TRIES: Final = 20
_PAUSE_S: Final = 0.3


@dataclass(slots=True)
class Browser:
    """The browser in a wallet.  A page that does not come is loaded again; `reloads` counts."""

    client: httpx.AsyncClient = field(repr=False)
    reloads: int = 0

    async def ask(self, method: str, url: str, **sent: Any) -> httpx.Response:
        """The page, or what its script is told: a good answer in the end."""
        for _ in range(_TRIES):
            try:
                answer = await self.client.request(method, url, **sent)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                assert answer.status_code < 400, answer.text
                return answer
            self.reloads += 1
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError(f"{method} {url} was never answered")


@dataclass(frozen=True, slots=True)
class OpenPage:
    """The cashier page in the browser of one customer's wallet."""

    browser: Browser
    wallet: str
    address: str
    config: dict[str, Any]

    async def tap(self, amount: int | None = None) -> dict[str, Any]:
        """Tap "pay", having typed the amount where there is a field for it: what the page is told."""
        wanted = {"amount": amount, "sale": self.config["sale"]}
        body = {name: value for name, value in wanted.items() if value is not None}
        answer = await self.browser.ask(
            "POST", f"{self.address}/pay", json=body, headers={"Sec-Fetch-Site": "same-origin"}
        )
        told: dict[str, Any] = answer.json()
        return told


@dataclass(slots=True)
class Customers:
    """Everybody who comes in.  `reloads` counts what did not come at the first try."""

    simulators: Simulators
    reloads: int = 0

    async def scan(self, wallet: str, qr_code: str, **more: Any) -> int:
        """Scan a code of that wallet and pay; the simulator's HTTP status: 404 or 409 where it cannot be paid."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            url = f"{self.simulators.base_urls[wallet]}/_simulator/scan"
            return (await client.post(url, json={"qr_code": qr_code, **more})).status_code

    @asynccontextmanager
    async def page(self, wallet: str, url: str) -> AsyncIterator[OpenPage]:
        """Scan a code that any wallet can pay: the wallet's browser is sent round to tell who its customer is."""
        async with httpx.AsyncClient(
            headers={"User-Agent": USER_AGENTS[wallet], "Accept-Language": "zh-CN"},
            follow_redirects=True,
            trust_env=False,
            timeout=15,
        ) as client:
            browser = Browser(client)
            answer = await browser.ask("GET", url)
            config = json.loads(answer.text.partition('id="config">')[2].partition("</script>")[0])
            assert config["wallet"] == wallet
            yield OpenPage(browser, wallet, url, config)
            self.reloads += browser.reloads

    async def pay(self, page: OpenPage, told: dict[str, Any]) -> None:
        """Confirm in the wallet, as its bridge or its own page would."""
        home = self.simulators.base_urls[page.wallet]
        if page.wallet == "unionpay":
            form = {"tn": urlsplit(told["pay_url"]).query.removeprefix("tn="), "action": "pay"}
            back = await page.browser.ask("POST", told["pay_url"], data=form, follow_redirects=False)
            await page.browser.ask("GET", back.headers["location"])
            return
        if page.wallet == "wechat":
            address, sent = f"{home}/_simulator/bridge/pay", told["bridge"]
        else:
            address, sent = f"{home}/_simulator/bridge/trade", {"trade_no": told["bridge"]["tradeNO"], "action": "pay"}
        said = (await page.browser.ask("POST", address, content=json.dumps(sent))).json()
        assert "error" not in said, said
        assert said.get("result_code") in {None, "9000"}, said
