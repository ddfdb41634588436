"""The shop's customers: they scan codes with their wallets, and pay in the page behind a code as its script would."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class OpenPage:
    """The cashier page in the browser of one customer's wallet."""

    browser: httpx.AsyncClient = field(repr=False)
    wallet: str
    address: str
    config: dict[str, Any]

    async def tap(self, amount: int | None = None) -> dict[str, Any]:
        """Tap "pay", having typed the amount where there is a field for it: what the page is told."""
        wanted = {"amount": amount, "sale": self.config["sale"]}
        answer = await self.browser.post(
            f"{self.address}/pay",
            json={name: value for name, value in wanted.items() if value is not None},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def state(self) -> dict[str, Any]:
        """What the page shows while the payment is under way."""
        query = {} if self.config["sale"] is None else {"sale": self.config["sale"]}
        answer = await self.browser.get(f"{self.address}/state", params=query)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@dataclass(slots=True)
class Customers:
    """Everybody who comes in."""

    simulators: Simulators

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
            timeout=30,
        ) as browser:
            answer = await browser.get(url)
            assert answer.status_code == 200, answer.text
            config = json.loads(answer.text.partition('id="config">')[2].partition("</script>")[0])
            assert config["wallet"] == wallet
            yield OpenPage(browser, wallet, url, config)

    async def pay(self, page: OpenPage, told: dict[str, Any]) -> None:
        """Confirm in the wallet, as its bridge or its own page would."""
        home = self.simulators.base_urls[page.wallet]
        if page.wallet == "unionpay":
            parts = urlsplit(told["pay_url"])
            form = {"tn": parts.query.removeprefix("tn="), "action": "pay"}
            answer = await page.browser.post(told["pay_url"], data=form)
            assert answer.status_code == 200, answer.text
            return
        if page.wallet == "wechat":
            answer = await page.browser.post(f"{home}/_simulator/bridge/pay", content=json.dumps(told["bridge"]))
        else:
            sent = {"trade_no": told["bridge"]["tradeNO"], "action": "pay"}
            answer = await page.browser.post(f"{home}/_simulator/bridge/trade", content=json.dumps(sent))
        assert answer.status_code == 200, answer.text
        assert "error" not in answer.json(), answer.text
        assert answer.json().get("result_code") in {None, "9000"}, answer.text
