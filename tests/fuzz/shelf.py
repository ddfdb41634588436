"""Things to ask for: a payment, a refund, codes, endpoints, accounts; and a valid request for every operation."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from gateway.kernel.ids import new_id, new_ulid
from tests.fuzz.contract import Operation
from tests.fuzz.risk_shelf import (
    case_bodies,
    decided_case,
    fill_risk_shelf,
    list_bodies,
    model_bodies,
    open_case,
    risk_ids,
    rule_bodies,
    segment_bodies,
)
from tests.support import refunds
from tests.support.cashier import CashierPage, Customer
from tests.support.channels import QUICK_RHYTHM
from tests.support.gateway import GatewayStack
from tests.support.till import Till, new_code, new_order, payment_of

_DOOMED: Final = ("DELETE ", "/revoke", "/cancel", "/settle", "/void", "campaign_id}/end", "/verdict")

_POLICY: Final[Mapping[str, Any]] = {
    "note": "of nothing",
    "success_value": "0.30",
    "exploration": "0.005",
    "tries_max": 3,
    "rules": [
        {"name": "no-sale", "when": "payment.amount < 1", "prefer": ["wechat_direct"], "within": "0.1"},
        {"name": "none", "when": "payment.hour > 23", "split": {"wechat_direct": 100}, "description": "a"},
    ],
}
"""That no sale matches."""
_CAMPAIGN: Final[Mapping[str, Any]] = {
    "name": "of nothing",
    "benefit": {"type": "fixed_price", "price": 1, "spend": 9_999_999_999},
    "limits": {"budget": 10**12},
    "funding": [{"sponsor": "bank", "share": "1"}],
    "coupon": {"per_customer": 10**9},
}
"""That no sale is large enough for."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """`ids` fill the paths' places; `doomed` those of operations after which the thing is gone."""

    stack: GatewayStack
    ids: Mapping[str, str]
    doomed: Mapping[str, str]
    receipt_token: str
    payment: Mapping[str, Any]
    customer: Customer
    page: CashierPage
    webhook_url: str

    def path(self, operation: Operation, **others: str) -> str:
        """The path with live ids in its places, but for those that are named."""
        ids = dict(self.ids)
        if any(mark in str(operation) for mark in _DOOMED):
            ids |= self.doomed
        if operation.path.startswith("/r/"):
            ids["token"] = self.receipt_token
        if "qr_code" in operation.path:
            ids["payment_id"] = ids["code_payment_id"]
        if operation.path.endswith("/reopen"):
            ids["case_id"] = ids["decided_case_id"]
        return operation.at({**ids, **risk_ids(str(operation), ids), **others})

    def headers(self, operation: Operation) -> dict[str, str]:
        """Whoever may do it, from an address of his own: nobody is to be slowed down by the others."""
        headers = {"X-Forwarded-For": f"203.0.113.{secrets.randbelow(256)}", "Accept": "application/json"}
        if operation.path.endswith("/top_up"):
            headers["Idempotency-Key"] = new_ulid()
        if operation.is_admin:
            return headers | {"Authorization": f"Bearer {self.stack.admin_token}"}
        if operation.is_public:
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.customer.client.cookies.jar)
            agent = self.customer.client.headers["user-agent"]
            return headers | {"Cookie": cookies, "User-Agent": agent}
        return headers | {"Authorization": f"Bearer {self.stack.shop.key.secret}"}

    def body(self, operation: Operation) -> dict[str, Any]:
        """A request that is taken; every time another one where it must not be the same."""
        settings = {**self.stack.simulators.accounts[0].settings, "rhythm": dict(QUICK_RHYTHM)}
        customer = {"id": "c", "location": {"latitude": 1.5, "longitude": 2}}
        account = {"id": f"fuzz_{new_ulid()}", "channel": "wechat", "merchant_id": self.ids["merchant_id"]}
        bodies: dict[str, Mapping[str, Any]] = {
            "POST /v1/payments": new_order(customer=customer, metadata={"a": "b"}),
            "POST /v1/refunds": refunds.new_refund(self.payment, 1, reason="too big", metadata={"a": "b"}),
            "POST /v1/codes": {"type": "static", "name": "wall", "description": "coffee", "metadata": {"a": "b"}},
            "POST /q/{token}/pay": {"amount": 1250, "sale": self.page.sale},
            "POST /q/{token}/give_up": {"sale": self.page.sale},
            "POST /v1/webhook_endpoints": {"url": self.webhook_url, "description": "a", "types": ["payment.failed"]},
            "PATCH /v1/webhook_endpoints/{endpoint_id}": {"description": "mine", "status": "enabled"},
            "POST /v1/webhook_endpoints/{endpoint_id}/rotate_secret": {"overlap_hours": 1},
            "POST /v1/events/{event_id}/resend": {"endpoint_id": self.ids["endpoint_id"]},
            "POST /admin/v1/reviews/{review_id}/settle": {"verdict": "query_again", "by": "li.wei", "note": "seen"},
            "POST /admin/v1/merchants": {"name": "Corner Café", "timezone": "Asia/Shanghai"},
            "POST /admin/v1/merchants/{merchant_id}/keys": {"scopes": ["pay", "read"]},
            "PATCH /admin/v1/merchants/{merchant_id}": {"name": "Corner Café", "receipt_discounts": "total"},
            "POST /admin/v1/channel_accounts": {
                **account, "settings": settings, "status": "disabled", "priority": 100, "fee_rate_millionths": 3800,
            },
            "PATCH /admin/v1/channel_accounts/{account_id}": {"status": "draining", "priority": 7},
            "POST /admin/v1/channel_accounts/{account_id}/rotate": {"settings": settings, "overlap_hours": 1},
            "POST /admin/v1/channel_accounts/{account_id}/maintenance": {"for_minutes": 5, "note": "a"},
            "PUT /admin/v1/routing/policy": _POLICY,
            "POST /admin/v1/routing/policy/check": _POLICY,
            "POST /admin/v1/routing/policy/roll_back": {"version": 0},
            "PUT /admin/v1/merchants/{merchant_id}/stores": {"stores": [{"store_id": "s-1", "region": "杭州"}]},
            "PUT /admin/v1/merchants/{merchant_id}/stores/{store_id}": {"name": "first", "category": "cafe"},
            "POST /admin/v1/campaigns": _CAMPAIGN,
            "POST /admin/v1/campaigns/check": _CAMPAIGN,
            "PUT /admin/v1/campaigns/{campaign_id}": _CAMPAIGN,
            "PATCH /admin/v1/campaigns/{campaign_id}": {"name": "of nobody"},
            "POST /admin/v1/campaigns/{campaign_id}/top_up": {"amount": 1},
            "POST /v1/quotes": {"amount": 2599, "currency": "CNY", "wallet": "wechat", "customer": customer},
            "POST /v1/coupons": {"campaign_id": self.ids["campaign_id"], "customer": {"id": "c"}},
            "POST /admin/v1/campaigns/{campaign_id}/coupons": {
                "merchant_id": self.ids["merchant_id"], "customers": ["c"],
            },
            "POST /admin/v1/routing/explain": {"amount": 2599, "wallet": "wechat", "store_id": "s-1"},
            **case_bodies(self.ids["payment_id"]),
            **rule_bodies(),
            **list_bodies(),
            **model_bodies(),
            **segment_bodies(self.ids["merchant_id"]),
        }  # fmt: skip
        return dict(bodies[str(operation)])


async def fill_shelf(stack: GatewayStack, till: Till, webhook_url: str) -> Shelf:
    """Make one of everything; the till's shop has an endpoint, another merchant is there for the admin's calls."""
    payment = await till.paid("unionpay", amount=9_000_000)
    refund = await refunds.refund(till, payment, 1, wait_s=10)
    shown = payment_of(await till.pay(new_code("wechat")), 201)
    codes = [await _made(till.client, "/v1/codes", {"type": "static", "name": "wall"}) for _ in range(2)]
    endpoints = [await _made(till.client, "/v1/webhook_endpoints", {"url": webhook_url}) for _ in range(2)]
    receipt = (await till.client.get(f"/v1/payments/{payment['id']}/receipt")).json()
    events = (await till.client.get("/v1/events", params={"payment_id": payment["id"]})).json()["data"]
    victim = stack.new_shop("victim")
    account = {"channel": "wechat", "merchant_id": victim.id, "settings": stack.simulators.accounts[0].settings}
    async with stack.admin() as admin:
        made = await _made(admin, "/admin/v1/channel_accounts", {"id": f"own_{new_ulid()}", **account})
        campaigns = [await _made(admin, "/admin/v1/campaigns", _CAMPAIGN) for _ in range(2)]
        for campaign in campaigns:
            await admin.post(f"/admin/v1/campaigns/{campaign['id']}/activate")
        for store_id in ("s-1", "s-2"):
            await admin.put(f"/admin/v1/merchants/{victim.id}/stores/{store_id}", json={"region": "上海"})
        suspects = [(await till.paid())["id"] for _ in range(3)]
        cases = [await open_case(admin, payment_id) for payment_id in suspects[:2]]
        cases.append(await decided_case(admin, suspects[2]))
        risk = await fill_risk_shelf(stack, till, admin)
    claim = {"campaign_id": campaigns[0]["id"], "customer": {"id": "c"}}
    coupons = [await _made(till.client, "/v1/coupons", claim) for _ in range(2)]
    mistaken = [await _in_review(till) for _ in range(2)]
    customer = Customer(stack, "wechat")
    page = await customer.open(codes[0]["url"])
    ids = {
        "payment_id": payment["id"],
        "code_payment_id": shown["id"],
        "refund_id": refund["id"],
        "code_id": codes[0]["id"],
        "kind": "svg",
        "token": page.token,
        "wallet": "wechat",
        "channel": "wechat",
        "account": "wechat_direct",
        "endpoint_id": endpoints[0]["id"],
        "event_id": events[0]["id"],
        "merchant_id": victim.id,
        "key_id": victim.key.id,
        "account_id": made["id"],
        "review_id": mistaken[0]["id"],
        "version": "0",
        "campaign_id": campaigns[0]["id"],
        "store_id": "s-1",
        "coupon_id": coupons[0]["id"],
        "case_id": cases[0],
        "decided_case_id": cases[2],
        **risk,
    }
    doomed = {"payment_id": shown["id"], "code_id": codes[1]["id"], "endpoint_id": endpoints[1]["id"],
              "key_id": stack.new_key(victim).id, "review_id": mistaken[1]["id"],
              "campaign_id": campaigns[1]["id"], "store_id": "s-2", "coupon_id": coupons[1]["id"],
              "case_id": cases[1]}  # fmt: skip
    receipt_token = urlsplit(receipt["receipt_url"]).path.rpartition("/")[2]
    return Shelf(stack, ids, doomed, receipt_token, payment, customer, page, webhook_url)


async def _in_review(till: Till) -> dict[str, Any]:
    """A payment whose channel has taken another amount."""
    payment = payment_of(await till.pay(new_order("unionpay", "9010"), wait_s=0), 201)
    deadline = time.monotonic() + 20
    while payment["review"] is None:
        assert time.monotonic() < deadline, payment
        await asyncio.sleep(0.05)
        payment = payment_of(await till.get(payment["id"]))
    return payment


async def _made(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


_ABSENT: Final = {"token": "s" + "A" * 22, "kind": "png", "version": "2147483647",
                  "entry_id": "ip-0123456789abcdef"}  # fmt: skip


def absent(name: str) -> str:
    """A well-formed value for a place in a path that leads to nothing."""
    prefixes = {"payment_id": "pay", "refund_id": "ref", "code_id": "cod", "endpoint_id": "we", "event_id": "evt",
                "merchant_id": "mer", "key_id": "key", "review_id": "pay", "campaign_id": "cam",
                "coupon_id": "cpn", "case_id": "case", "import_id": "imp"}  # fmt: skip
    return new_id(prefixes[name]) if name in prefixes else _ABSENT.get(name, "nobody")
