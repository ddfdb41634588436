"""What the model remembers of one sale, and what happens to sales: tills, customers and channels, each call by itself.

Every move takes a sale and may be made at any moment, also while others are under way for the same sale.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import asyncpg
import httpx

from gateway.kernel.ids import new_ulid
from gateway.payments.numbers import attempt_order_no
from gateway.payments.states import TRANSITIONS
from tests.support.book import ClientBook
from tests.support.cashier import Customer
from tests.support.gateway import GatewayStack
from tests.support.refunds import refund_of
from tests.support.shop_day.clock import Clock
from tests.support.till import error_of, payment_of

_ANSWER_S: Final = 45.0
"""For so long a till sends the same request again."""
_REFUSED_REFUNDS: Final = frozenset(
    {"not_refundable", "refund_exceeds_payment", "refund_limit_reached", "refund_window_closed"}
)
_REFUSED_CANCELS: Final = frozenset({"use_refund", "under_review"})
_FORGED: Final[tuple[Mapping[str, Any], ...]] = (
    {"tamper": "signature"},
    {"tamper": "merchant"},
    {"signtest": True},
)
"""What is never acknowledged."""
_LEFT: Final = "SELECT greatest(expires_at, pay_until) - now() FROM payments WHERE id = $1 FOR UPDATE"
_PASS: Final = (
    "UPDATE payments SET expires_at = expires_at - $2::interval, pay_until = pay_until - $2::interval WHERE id = $1",
    "UPDATE attempts SET pay_until = pay_until - $2::interval WHERE payment_id = $1",
)


def _reachable() -> frozenset[tuple[str, str]]:
    """Every pair of states that one who looks now and then may see one after the other."""
    steps = {(start.value, to.value) for (start, _), to in TRANSITIONS.items() if start is not None}
    while more := {(a, d) for (a, b), (c, d) in itertools.product(steps, steps) if b == c} - steps:
        steps |= more
    return frozenset(steps)


REACHABLE: Final = _reachable()


@dataclass(slots=True)
class Sale:
    """One payment as its till and its customers know it.

    `url` is what its code holds, `number` the sale at a static code.  `passed` is how much of its time was let pass at
    the gateway alone.  `spoilt`: a channel has told of wrong amounts, so a person may have to look at it.  `pages` are
    orders that a wallet's page has been given, and that its customer can pay now or later.
    """

    kind: str
    order: dict[str, Any]
    wallet: str | None
    payment: dict[str, Any]
    url: str | None = None
    passed: timedelta = timedelta(0)
    spoilt: bool = False
    cancelled: bool = False
    number: str | None = None
    refunds: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    pages: list[tuple[Customer, dict[str, Any]]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The payment's."""
        return str(self.payment["id"])

    def __repr__(self) -> str:
        return f"{self.kind} {self.wallet or ''} {self.id}"


class Street:
    """The service, its channels, and everybody who comes along."""

    def __init__(self, stack: GatewayStack, book: ClientBook, pool: asyncpg.Pool) -> None:
        self.stack = stack
        self.pool = pool
        self.clock = Clock(pool)
        self.client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {stack.shop.key.secret}"}, timeout=40, trust_env=False
        )
        self.customers: dict[str, Customer] = {}
        self._book = book
        self._turn = itertools.count()

    async def aclose(self) -> None:
        """Close what is open."""
        for customer in self.customers.values():
            await customer.client.aclose()
        await self.client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        order: Mapping[str, Any],
        *,
        body: Mapping[str, Any] | None = None,
        wait_s: int = 5,
    ) -> httpx.Response:
        """The answer of whichever gateway gives one; what is refused for now or lost is sent again."""
        deadline = time.monotonic() + _ANSWER_S
        while True:
            url = self.stack.urls[next(self._turn) % len(self.stack.urls)]
            try:
                answer = await self.client.request(method, url + path, json=body, headers={"Prefer": f"wait={wait_s}"})
            except httpx.TransportError:
                self._note(method, order, None)
            else:
                self._note(method, order, answer)
                assert answer.status_code not in {500, 502}, answer.text
                if answer.status_code not in {429, 503}:
                    return answer
            assert time.monotonic() < deadline, f"{method} {path} has no answer"
            await asyncio.sleep(0.1)

    async def ring_up(self, kind: str, order: dict[str, Any], wallet: str | None, wait_s: int) -> Sale:
        """A new payment of a till."""
        payment = payment_of(await self.ask("POST", "/v1/payments", order, body=order, wait_s=wait_s), 201)
        return Sale(kind, order, wallet, payment, payment["qr_code"])

    async def come_to_the_wall(self, url: str, wallet: str, amount: int) -> Sale | None:
        """A customer of that wallet types an amount at a static code; None where no payment came of it."""
        customer = self.customer(wallet)
        try:
            page = await customer.open(url)
            if page.config is None:
                return None
            answer = await customer.asked(page, amount)
        except httpx.TransportError:
            return None
        found = await self.ask("GET", f"/v1/payments?merchant_order_no=Q-{(page.sale or '')[:26]}", {})
        for payment in found.json()["data"]:
            sale = Sale("static", {}, None, payment, url, number=page.sale)
            if answer.status_code == 200 and answer.json()["status"] == "ready":
                sale.pages.append((customer, answer.json()))
            return sale
        return None

    async def repeat(self, sale: Sale) -> None:
        """The till sends the same request again: the same payment (I5)."""
        if sale.order:
            answer = await self.ask("POST", "/v1/payments", sale.order, body=sale.order, wait_s=0)
            assert payment_of(answer, 201)["id"] == sale.id
            assert answer.headers["idempotent-replayed"] == "true"

    async def contradict(self, sale: Sale) -> None:
        """Another request under the same number (I5)."""
        if sale.order:
            other = {**sale.order, "amount": sale.order["amount"] + 1}
            error_of(await self.ask("POST", "/v1/payments", other, body=other), 409, "order_no_reused", "amount")

    async def read(self, sale: Sale) -> None:
        """Read it; nothing ever goes back (I2).  Only where no other move is under way: answers may overtake others."""
        before = sale.payment
        now = payment_of(await self.ask("GET", f"/v1/payments/{sale.id}", sale.order))
        assert now["id"] == before["id"]
        steps = {(before["status"], before["status"])} | REACHABLE
        assert (before["status"], now["status"]) in steps, (before, now)
        assert now["amount_refunded"] >= before["amount_refunded"], (before, now)
        assert (before["reversal"], now["reversal"]) not in _REVERSALS_BACK, (before, now)
        sale.payment = now

    async def look(self, sale: Sale) -> None:
        """Read it after asking the channel."""
        payment_of(await self.ask("GET", f"/v1/payments/{sale.id}?refresh=true", sale.order))

    async def cancel(self, sale: Sale) -> None:
        """The merchant gives it up."""
        answer = await self.ask("POST", f"/v1/payments/{sale.id}/cancel", sale.order, wait_s=1)
        if answer.status_code == 409:
            assert error_of(answer, 409)["code"] in _REFUSED_CANCELS
        else:
            sale.cancelled |= payment_of(answer)["reversal"] is not None

    async def refund(self, sale: Sale, share: float = 0.5) -> None:
        """Give a share of its goods back, or try to."""
        amount = max(1, round(sale.payment["amount"] * share))
        request = {"payment_id": sale.id, "amount": amount, "merchant_refund_no": f"R-{new_ulid()}"}
        await self._refund(sale, request)

    async def repeat_a_refund(self, sale: Sale) -> None:
        """The same request of a refund: the same refund.  Another one under its number: a conflict."""
        for request, refund in list(sale.refunds.values()):
            again = await self._refund(sale, request)
            assert again is not None
            assert again["id"] == refund["id"]
            other = {**request, "amount": request["amount"] + 1}
            error_of(await self.ask("POST", "/v1/refunds", other, body=other), 409, "refund_no_reused", "amount")

    async def scan(self, sale: Sale, action: str = "pay", after_s: float = 0) -> None:
        """A customer scans the code that is, or was, on display, and takes so long to pay."""
        if sale.kind == "code" and sale.url is not None and sale.wallet is not None:
            url = f"{self.stack.simulators.base_urls[sale.wallet]}/_simulator/scan"
            wanted = {"qr_code": sale.url, "action": action, "after_s": after_s}
            answer = await self.client.post(url, json=wanted)
            assert answer.status_code in {200, 404, 409}, answer.text

    async def open_page(self, sale: Sale, wallet: str) -> None:
        """A customer of that wallet opens the page behind the code and taps "pay"."""
        if sale.kind != "any" or sale.url is None:
            return
        try:
            customer = self.customer(wallet)
            page = await customer.open(sale.url)
            if page.config is not None:
                answer = await customer.asked(page, sale.payment["amount"])
                if answer.status_code == 200 and answer.json()["status"] == "ready":
                    sale.pages.append((customer, answer.json()))
                assert answer.status_code in {200, 403, 404, 409, 429, 503}, answer.text
        except httpx.TransportError:
            pass  # the gateway that is behind the code's address is dead just now

    async def give_up(self, sale: Sale) -> None:
        """The customer at a static code wants to pay another amount."""
        for customer, _ in sale.pages:
            if sale.kind == "static":
                try:
                    answer = await customer.client.post(f"{sale.url}/give_up", json={"sale": sale.number})
                except httpx.TransportError:
                    continue
                assert answer.status_code in {200, 429, 503}, answer.text
                sale.cancelled = True

    async def pay_pages(self, sale: Sale) -> None:
        """Whoever has an order in his wallet pays it: now, however long ago it was."""
        for customer, order in sale.pages:
            answer = await customer.confirm(order)
            assert answer.status_code < 500, answer.text

    async def expire(self, sale: Sale) -> None:
        """Its time passes at the gateway, its orders' too; the channels' clocks go on as they are."""
        async with self.pool.acquire() as connection, connection.transaction():
            left: timedelta = await connection.fetchval(_LEFT, sale.id) + timedelta(seconds=1)
            if left > timedelta(0):
                sale.passed += left
                for statement in _PASS:
                    await connection.execute(statement, sale.id, left)
        await self.clock.look_now(sale.id)

    async def decide(self, sale: Sale, verdict: str) -> None:
        """A person decides about it, where one has to."""
        headers = {"Authorization": f"Bearer {self.stack.admin_token}"}
        path = f"/admin/v1/reviews/{sale.id}/settle"
        for url in self.stack.urls:
            try:
                answer = await self.client.post(url + path, json={"verdict": verdict, "by": "li.wei"}, headers=headers)
            except httpx.TransportError:
                continue
            assert answer.status_code in {200, 404, 409, 503}, answer.text
            return

    async def turn_back(self, sale: Sale) -> None:
        """What is over is over, and the gateway's clock agrees with the channels' again."""
        await self.pool.execute(_PASS[1], sale.id, -sale.passed)
        sale.passed = timedelta(0)

    async def tell_again(self, sale: Sale) -> None:
        """Its channels tell everything again, many times at once, and some forgeries: those are not acknowledged."""
        for wallet, told in await self.told(sale):
            await self._resend(wallet, told, times=5, at_once=True)
            for forging in _FORGED:
                answers = await self._resend(wallet, told, **forging)
                assert not any(answer["acknowledged"] for answer in answers), (forging, answers)

    async def told(self, sale: Sale) -> list[tuple[str, dict[str, Any]]]:
        """What its channels have to tell, with the wallet."""
        return [
            (wallet, told)
            for seq, wallet in await self.attempts(sale)
            for told in await self.books(wallet, "notifications", attempt_order_no(sale.id, seq))
        ]

    async def attempts(self, sale: Sale) -> list[tuple[int, str]]:
        """Number and wallet of each order that was opened for it."""
        rows = await self.pool.fetch(
            "SELECT a.seq, c.channel FROM attempts a JOIN channel_accounts c ON c.id = a.account_id"
            " WHERE a.payment_id = $1 ORDER BY a.seq",
            sale.id,
        )
        return [(row["seq"], row["channel"]) for row in rows]

    async def books(self, wallet: str, what: str, order_no: str) -> list[dict[str, Any]]:
        """What that channel's books say of an order: `trades`, `refunds` or `notifications`."""
        url = f"{self.stack.simulators.base_urls[wallet]}/_simulator/{what}"
        answer = await self.client.get(url, params={"order_no": order_no})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()[what]
        return found

    def customer(self, wallet: str) -> Customer:
        """Somebody with that wallet, always the same."""
        if wallet not in self.customers:
            self.customers[wallet] = Customer(self.stack, wallet)
        return self.customers[wallet]

    async def _refund(self, sale: Sale, request: dict[str, Any]) -> dict[str, Any] | None:
        answer = await self.ask("POST", "/v1/refunds", request, body=request, wait_s=1)
        if answer.status_code == 409:
            assert error_of(answer, 409)["code"] in _REFUSED_REFUNDS, answer.text
            return None
        refund = refund_of(answer, 201)
        sale.refunds[request["merchant_refund_no"]] = (request, refund)
        return refund

    async def _resend(self, wallet: str, told: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        url = f"{self.stack.simulators.base_urls[wallet]}/_simulator/notifications/{told['id']}/resend"
        answer = await self.client.post(url, json=options, timeout=60)
        assert answer.status_code == 200, answer.text
        answers: list[dict[str, Any]] = answer.json()["answers"]
        return answers

    def _note(self, method: str, order: Mapping[str, Any], answer: httpx.Response | None) -> None:
        if method == "POST":
            self._book.write(order, answer)


_REVERSALS_BACK: Final = frozenset(
    {("succeeded", None), ("succeeded", "pending"), ("succeeded", "failed"), ("pending", None), ("failed", None)}
)
"""What nobody sees one after the other of a payment's `reversal`."""
