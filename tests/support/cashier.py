"""A customer before the cashier page over HTTP: his wallet's browser with its cookies, and the wallet's bridge.

async with Customer(stack, "wechat") as customer:
    page = await customer.open(code["url"])
    order = await customer.pay(page, amount=1250)
    await customer.confirm(order)
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

from tests.support.gateway import GatewayStack
from tests.support.till import Till, new_order

USER_AGENTS: Final = {
    "wechat": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Mobile/15E148 MicroMessenger/8.0.50(0x18003237) NetType/WIFI Language/zh_CN",
    "alipay": "Mozilla/5.0 (Linux; U; Android 14; zh-CN) AppleWebKit/537.36 Mobile Safari/537.36"
    " NebulaSDK/1.8.100112 AlipayDefined AliApp(AP/10.5.96.8000) AlipayClient/10.5.96.8000 Language/zh-Hans",
    "unionpay": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36"
    " (com.unionpay.chsp) (cordova 4.5.4) (UnionPay/1.0 CloudPay) (clientVersion 169)",
}
_CONFIG: Final = re.compile(r'<script type="application/json" id="config">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class CashierPage:
    """What the browser shows in the end; `config` is what its script reads, None where there is no script."""

    response: httpx.Response
    token: str
    config: dict[str, Any] | None

    @property
    def sale(self) -> str | None:
        """The sale at a static code."""
        assert self.config is not None, self.response.text
        found: str | None = self.config["sale"]
        return found


class Customer:
    """One person with one wallet on one phone."""

    def __init__(self, stack: GatewayStack, wallet: str, *, user_agent: str | None = None) -> None:
        self.wallet = wallet
        self._simulators, self._gateway = stack.simulators, stack.url
        self.client = httpx.AsyncClient(
            headers={"User-Agent": user_agent or USER_AGENTS[wallet], "Accept-Language": "en"},
            timeout=20,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    def go_to(self, gateway_url: str) -> None:
        """From now on the page's requests reach that gateway process, as behind a load balancer."""
        self._gateway = gateway_url

    async def open(self, url: str) -> CashierPage:
        """Scan a code: through the wallet's identification to the page."""
        response = await self.client.get(url, follow_redirects=True)
        found = _CONFIG.search(response.text)
        token = httpx.URL(url).path.split("/")[2]
        return CashierPage(response, token, None if found is None else json.loads(found[1]))

    async def asked(self, page: CashierPage, amount: int | None = None, **more: Any) -> httpx.Response:
        """POST /q/{token}/pay, as the page does."""
        wanted = {"amount": amount, "sale": page.sale}
        body = {name: value for name, value in wanted.items() if value is not None} | more
        return await self.client.post(self._at(page, "pay"), json=body)

    async def pay(self, page: CashierPage, amount: int | None = None) -> dict[str, Any]:
        """The same, where it is answered."""
        response = await self.asked(page, amount)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def ready(self, page: CashierPage, amount: int | None = None) -> dict[str, Any]:
        """The same, where the wallet can be called."""
        answer = await self.pay(page, amount)
        assert answer["status"] == "ready", answer
        return answer

    async def state(self, page: CashierPage) -> dict[str, Any]:
        """GET /q/{token}/state, as the page does."""
        sale = {} if page.sale is None else {"sale": page.sale}
        response = await self.client.get(self._at(page, "state"), params=sale)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def until(self, page: CashierPage, status: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """The state once it is this."""
        deadline = time.monotonic() + timeout_s
        while (state := await self.state(page))["status"] != status:
            assert time.monotonic() < deadline, state
            await asyncio.sleep(0.1)
        return state

    async def confirm(self, order: dict[str, Any]) -> httpx.Response:
        """Pay in the wallet, as its bridge or its page lets the customer do."""
        return await self._decide(order, "pay")

    async def cancel(self, order: dict[str, Any]) -> httpx.Response:
        """Change one's mind in UnionPay's page; the bridges of the others ask nothing for that."""
        assert self.wallet == "unionpay"
        return await self._decide(order, "cancel")

    async def _decide(self, order: dict[str, Any], action: str) -> httpx.Response:
        base = self._simulators.base_urls[self.wallet]
        if self.wallet == "wechat":
            return await self.client.post(f"{base}/_simulator/bridge/pay", json=order["bridge"])
        if self.wallet == "alipay":
            trade = {"trade_no": order["bridge"]["tradeNO"], "action": "pay"}
            return await self.client.post(f"{base}/_simulator/bridge/trade", json=trade)
        number = httpx.URL(order["pay_url"]).params["tn"]
        return await self.client.post(order["pay_url"], data={"tn": number, "action": action})

    def _at(self, page: CashierPage, what: str) -> str:
        return f"{self._gateway}/q/{page.token}/{what}"


async def made_code(till: Till, **fields: Any) -> dict[str, Any]:
    """A new code; static unless the fields say otherwise."""
    answer = await till.client.post("/v1/codes", json=fields)
    assert answer.status_code == 201, answer.text
    code: dict[str, Any] = answer.json()
    return code


async def code_of_one(till: Till, **changes: Any) -> dict[str, Any]:
    """A new code for one payment of ¥25.99, unless the changes say otherwise."""
    order = new_order(**changes)
    return await made_code(till, **{name: order[name] for name in ("merchant_order_no", "amount", *changes)})
