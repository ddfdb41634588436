"""Secrets of every kind in everything that goes well and that goes wrong, and what there is to be looked for."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import httpx

from gateway.client.signing import SigningKey
from gateway.codes import visits
from gateway.kernel.ids import new_ulid
from tests.fuzz.contract import operations
from tests.fuzz.shelf import Shelf
from tests.fuzz.world import World
from tests.support import refunds
from tests.support.cashier import Customer
from tests.support.notifications import acknowledged, notifications, resend
from tests.support.till import WALLETS, auth_code, new_code, new_order, payment_of

CARD_NUMBER: Final = "6222021001116245702"
PERSON: Final = {"id": "customer-4711-in-person", "ip": "198.51.100.77", "device_id": "device-0815-in-person"}
CARD_BIN: Final = "62227788"
LOCATION: Final = {"latitude": 31.230416, "longitude": 121.473701}
CUSTOMER: Final = {**PERSON, "card_bin": CARD_BIN, "location": LOCATION}
_SHORTEST: Final = 8
"""Shorter texts would be found everywhere."""


@dataclass(slots=True)
class Sought:
    """What must not be seen, by what it is; every error that a caller was shown, and what is shown masked."""

    texts: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)

    def add(self, name: str, text: str) -> str:
        """One more text to look for, in whichever form it could be written."""
        if len(text) >= _SHORTEST:
            self.texts[text] = name
            self.texts[json.dumps(text)[1:-1]] = name
            self.texts[base64.b64encode(text.encode()).decode().rstrip("=")] = name
            self.texts[text.encode().hex()] = name
        return text

    def hear(self, answer: httpx.Response) -> httpx.Response:
        """Keep what an error says."""
        if answer.status_code >= 400:
            self.errors.append(f"{answer.request.method} {answer.request.url.path}: {answer.headers} {answer.text}")
        return answer

    def found_in(self, text: str) -> list[str]:
        """What stands there and must not."""
        return sorted({f"{name}: {sought}" for sought, name in self.texts.items() if sought in text})


class Scenes:
    """Everything that goes well and that goes wrong, with secrets in it."""

    def __init__(self, world: World, shelf: Shelf, sought: Sought) -> None:
        self.world = world
        self.stack = world.stack
        self.shelf = shelf
        self.sought = sought
        self.client = world.till.client
        self.document = world.request("GET", "/openapi.json").json()
        self.operations = [one for one in operations(self.document) if not one.path.startswith("/callbacks/")]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """In the world's loop."""
        return self.world.run(work)

    def hear(self, answer: httpx.Response) -> None:
        """Keep a refusal."""
        assert answer.is_client_error, answer.text
        self.sought.hear(answer)

    def overhear(self, answer: httpx.Response) -> None:
        """Keep what may be read, but for who the customer is."""
        assert answer.status_code == 200, answer.text
        self.sought.masked.append(answer.text)

    async def bar_codes(self) -> None:
        """Paid, declined, unknown, malformed, and a card number instead of a code."""
        magics = (None, "9001", "9002", "9006", "9008", "9009", "9010", "9012")
        await asyncio.gather(*[self._bar_code(wallet, magic) for wallet in WALLETS for magic in magics])
        for wrong in (CARD_NUMBER, self.sought.add("auth code", "99" + "4" * 16), "fp" + "x" * 33):
            self.sought.hear(await self.world.till.pay(new_order(auth_code=wrong)))

    async def _bar_code(self, wallet: str, magic: str | None) -> None:
        order = new_order(wallet, magic, customer=CUSTOMER, description=CARD_NUMBER)
        self.sought.add("auth code", order["auth_code"])
        self.sought.hear(await self.world.till.pay(order, wait_s=1))
        code = self.sought.add("auth code", auth_code(wallet))
        self.sought.hear(await self.world.till.pay({**order, "auth_code": code}, wait_s=0))

    async def callbacks(self) -> None:
        """Genuine, forged, stale, for somebody else; what they say is looked for."""
        await asyncio.gather(*[self._told(wallet) for wallet in WALLETS])
        for row in await self.rows("SELECT * FROM callbacks WHERE body_sealed IS NOT NULL"):
            name = ":".join(("callbacks", row["payment_id"], row["account_id"], row["notification_id"]))
            body = self.stack.vault.open(row["body_sealed"], f"{name}:body".encode()).partition(b"\r\n\r\n")[2].decode()
            self.sought.add("callback body", body)
            if body.startswith("{"):
                self.sought.add("callback body", json.loads(body)["resource"]["ciphertext"])
            for part in body.split("&"):
                if part.startswith(("sign=", "signature=", "buyer_", "fund_bill_list=")):
                    self.sought.add("callback body", part)

    async def _told(self, wallet: str) -> None:
        payment = payment_of(await self.world.till.pay(new_code(wallet)), 201)
        await asyncio.to_thread(self.stack.simulators.scan, wallet, payment["qr_code"])
        await self.world.till.settled(payment["id"])
        await acknowledged(self.stack.simulators, payment)
        [told] = await asyncio.to_thread(notifications, self.stack.simulators, payment)
        for options in ({"tamper": "signature"}, {"tamper": "merchant"}, {"tamper": "amount"}, {"tamper": "order"},
                        {"signtest": True}, {"age_s": 900}, {"times": 3}):  # fmt: skip
            await asyncio.to_thread(resend, self.stack.simulators, payment, told, **options)
        await refunds.refund(self.world.till, payment, 1, reason=CARD_NUMBER)

    async def pages(self) -> None:
        """Identified payers with their cookies, and codes and cookies that are wrong."""
        code = (await self.client.post("/v1/codes", json={"name": "wall"})).json()
        for wallet in WALLETS:
            async with Customer(self.stack, wallet) as customer:
                page = await customer.open(code["url"])
                order = await customer.pay(page, 1250)
                await customer.confirm(order)
                for hop in page.response.history:
                    for name, value in hop.next_request.url.params.items() if hop.next_request is not None else ():
                        if name in {"code", "auth_code", "userAuthCode", "state"}:
                            self.sought.add(f"{name} of the identification", value)
                for cookie in customer.client.cookies.jar:
                    self.sought.add(f"cookie {cookie.name}", cookie.value or "")
                    visitor = visits.open_visitor(self.stack.vault, page.token, cookie.value)
                    if visitor is not None:
                        self.sought.add("payer", visitor.payer_id)
                for path in (f"/back/{wallet}?code=nobody-knows-this-code&state=wrong", "?sale=wrong", "/pay"):
                    self.sought.hear(await customer.client.get(f"{code['url']}{path}"))
                self.sought.hear(await customer.client.post(f"{code['url']}/pay", json={"amount": 0, "sale": "wrong"}))
        self.sought.add("code of the identification", "nobody-knows-this-code")

    async def keys(self) -> None:
        """Keys that are made, wrong, revoked; signatures that fit and that do not."""
        shop, admin = self.stack.shop, self.shelf.ids["merchant_id"]
        headers = {"Authorization": f"Bearer {self.stack.admin_token}"}
        made = (await self.client.post(f"/admin/v1/merchants/{admin}/keys", json={}, headers=headers)).json()
        self.sought.add("API key", made["secret"])
        self.sought.add("signing secret", made["signing_secret"])
        merchant = (await self.client.post("/admin/v1/merchants", json={"name": "another"}, headers=headers)).json()
        self.sought.add("webhook secret", merchant["webhook_secret"])
        wrong = self.sought.add("API key", "sk_test_" + secrets.token_urlsafe(24))
        for key in (wrong, made["secret"][:-1], self.stack.admin_token):
            self.sought.hear(await self.client.get("/v1/payments", headers={"Authorization": f"Bearer {key}"}))
        self.sought.hear(
            await self.client.get("/admin/v1/channel_accounts", headers={"Authorization": f"Bearer {wrong}"})
        )
        body = json.dumps(new_order()).encode()
        for secret in (shop.key.signing_secret, made["signing_secret"]):
            signed = SigningKey(shop.key.id, secret).headers("POST", "/v1/payments", body)
            headers = {**signed, "Content-Type": "application/json"}
            self.sought.hear(await self.client.post("/v1/payments", content=body, headers=headers))

    async def webhooks(self) -> None:
        """Secrets that are made and rotated, addresses with secrets in them, a server that refuses."""
        made = (await self.client.post("/v1/webhook_endpoints", json={"url": self.shelf.webhook_url})).json()
        self.sought.add("webhook secret", made["secret"])
        rotated = (await self.client.post(f"/v1/webhook_endpoints/{made['id']}/rotate_secret", json={})).json()
        self.sought.add("webhook secret", rotated["secret"])
        await self.client.post(f"/v1/webhook_endpoints/{made['id']}/test")
        secret = self.sought.add("secret in an address", "s3cr3t-in-an-address")
        for url in (f"http://me:{secret}@127.0.0.1/hook", f"http://10.0.0.1/{secret}", f"ftp://127.0.0.1/{secret}"):
            self.sought.hear(await self.client.post("/v1/webhook_endpoints", json={"url": url}))

    async def accounts(self) -> None:
        """Credentials that fit, that are damaged, and that are for another channel."""
        headers = {"Authorization": f"Bearer {self.stack.admin_token}"}
        for account in self.stack.simulators.accounts:
            for name, value in account.settings.items():
                self._seek_credential(name, value)
        for account in self.stack.simulators.accounts:
            for name, value in account.settings.items():
                damaged = value[:-30] if isinstance(value, str) else {"x": value}
                wanted = {
                    "channel": account.channel,
                    "settings": {**account.settings, name: damaged},
                    "status": "disabled",
                }
                for body in ({"id": f"own_{new_ulid()}", **wanted}, {**wanted, "channel": "alipay"}):
                    answer = await self.client.post("/admin/v1/channel_accounts", json=body, headers=headers)
                    self.sought.hear(answer)

    async def troubles(self) -> None:
        """Channels whose answers are lost, damaged or signed by somebody else."""
        for kind in ("reset_mid_answer", "malformed_answer", "unsigned_answer", "badly_signed_answer", "outage"):
            for wallet in WALLETS:
                rule = {"kind": kind, "calls": ["pay", "create_code", "query"]}
                await asyncio.to_thread(self.stack.simulators.set_faults, wallet, rule)
            await asyncio.gather(*[self._trouble(wallet) for wallet in WALLETS])
        await asyncio.to_thread(self.stack.simulators.clear_faults)

    async def _trouble(self, wallet: str) -> None:
        order = new_order(wallet, customer=CUSTOMER)
        self.sought.add("auth code", order["auth_code"])
        self.sought.hear(await self.world.till.pay(order, wait_s=1))
        self.sought.hear(await self.world.till.pay(new_code(wallet), wait_s=1))

    async def rows(self, query: str) -> list[asyncpg.Record]:
        """Rows of the database."""
        connection = await asyncpg.connect(self.stack.database_url)
        try:
            found: list[asyncpg.Record] = await connection.fetch(query)
            return found
        finally:
            await connection.close()

    def _seek_credential(self, name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            return  # public keys
        if "private_key" in name:
            for line in str(value).splitlines()[1:-1]:
                self.sought.add(name, line)
        elif name in {"api_v3_key", "app_secret", "secret_key"}:
            self.sought.add(name, str(value))
