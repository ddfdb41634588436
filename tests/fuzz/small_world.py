"""A small world: one payment, customers, a till, workers that die and sleep, and channels that are rough."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import asyncpg

from gateway.composition import Base
from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import OutcomeRow
from gateway.database.shown import ShownRow, shown_batch
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Conflict
from gateway.kernel.ids import new_id
from gateway.payments.attempts import Ready, Visit
from gateway.payments.charging import Charging
from gateway.payments.numbers import attempt_order_no
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.refunds.refund import RefundOrder
from gateway.refunds.schemas import RefundRequest
from gateway.workers.late import LateWatch
from gateway.workers.recovery import Recovery
from gateway.workers.refunding import Refunding
from gateway.workers.tasks import Purpose, TaskQueue
from routing.accounts.book import Account
from routing.channels.base import Wallet
from routing.channels.reports import RefundReport, RefundState, TradeState
from tests.integration.payments.corner import Corner, open_corner
from tests.support.rough_town import Killed, Order, RoughChannel, Stage, Town
from tests.support.rows import intent

AMOUNT_FEN: Final = 2_599
KINDS: Final = ("any wallet", *(f"{way} {wallet}" for way in ("code", "barcode") for wallet in Wallet))
_AGED: Final = (
    ("payments", "id", ("created_at", "expires_at", "attempt_at", "pay_until", "completed_at")),
    ("attempts", "payment_id", ("created_at", "send_before", "pay_until")),
    ("refunds", "payment_id", ("next_at", "asked_at", "last_asked_at")),
)
_DIES: Final = 0.06
_NOTHING_MORE_S: Final = 40_000.0


@dataclass
class SmallWorld:
    """One payment and everybody around it; `keen` is how likely a customer pays what he could."""

    corner: Corner
    town: Town
    channels: dict[Wallet, RoughChannel]
    kind: str
    keen: float
    row: IntentRow
    pages: set[str] = field(default_factory=set)
    refunds: int = 0

    @property
    def base(self) -> Base:
        return self.corner.base

    @property
    def pool(self) -> asyncpg.Pool:
        return self.base.pool

    async def payment(self) -> Payment:
        return await self.corner.now(self.row.merchant_id, self.row.payment_id)

    def account(self, account_id: str) -> Account:
        found = self.base.accounts.get(account_id)
        assert found is not None
        return found

    # Who acts

    async def customer(self) -> None:
        """Pays an order whose page or code he has, if his wallet does."""
        payable = sorted(no for no in self.pages if self.town.orders[no].can_be_paid(self.town.now))
        if payable and self.town.chance.random() < self.keen:
            no = self.town.chance.choice(payable)
            self.town.orders[no].stage = Stage.PAID
            self.town.tell("PAYS", no[-2:])

    async def visitor(self) -> None:
        """Opens the page of a code that any wallet can pay."""
        if self.kind != "any wallet":
            return
        wallet = self.town.chance.choice(list(Wallet))
        payer = f"payer-{self.town.chance.randrange(3)}"
        visit = Visit(self.account(wallet), wallet, payer, "latte", "http://x/q/p")
        result = await self.corner.attempts.take_over(await self.payment(), visit, Deadline.after(2.0))
        self.town.tell("visit by", wallet, type(result).__name__)
        if isinstance(result, Ready):
            self.pages.add(result.page.bridge["package"])

    async def canceller(self) -> None:
        payment = await self.payment()
        open_ = {Status.PROCESSING, Status.REQUIRES_ACTION, Status.SUCCEEDED}
        if payment.status in open_ and payment.reversal is None and payment.review is None:
            self.town.tell("cancel", await self.base.store.request_reversal(payment))

    async def teller(self) -> None:
        """A notification, or a read with refresh, about any attempt; by a process that may be slow."""
        payment = await self.payment()
        attempts = await self.pool.fetch("SELECT seq, account_id FROM attempts WHERE payment_id = $1", payment.id)
        if not attempts:
            return
        seq, account_id = self.town.chance.choice(attempts)
        report = self.channels[Wallet(account_id)].report(attempt_order_no(payment.id, seq))
        is_current = seq == payment.attempt_seq
        await asyncio.sleep(self.town.chance.uniform(0, 0.004))
        is_news = report.state is TradeState.CAPTURED or (is_current and not payment.status.is_final)
        if is_news and not (is_current and payment.status is Status.SUCCEEDED):
            stale = payment.with_(attempt_seq=seq, account_id=account_id)
            found = await self.base.charging.settle(stale, self.account(account_id), report)
            self.town.tell("told of", seq, report.state, found.status)

    async def refunder(self) -> None:
        payment = await self.payment()
        if payment.status is not Status.SUCCEEDED:
            return
        self.refunds += 1
        amount = self.town.chance.choice([1, 500, 1_300, AMOUNT_FEN])
        wanted = RefundRequest(payment_id=payment.id, amount=amount, merchant_refund_no=f"R{self.refunds}", metadata={})
        try:
            await self.base.refunds.take(RefundOrder(payment.merchant_id, wanted), Deadline.after(0))
        except Conflict as error:
            self.town.tell("refund", error.code)

    async def teller_of_refunds(self) -> None:
        payment = await self.payment()
        for refund in await self.base.refunds.store.of_payment(payment.id, payment.merchant_id):
            known = self.town.orders[attempt_order_no(payment.id, refund.attempt_seq)].returns.get(refund.refund_no)
            if known is not None and not known.failed and known.done_at <= self.town.now:
                report = RefundReport(RefundState.SUCCEEDED, "R1", amount_fen=known.amount_fen)
                await self.base.refunds.settle(refund, report)

    async def worker(self) -> None:
        """Takes the steps that are due; sometimes it sleeps on them, past its lease."""
        queue, chance = TaskQueue(self.pool, 30.0), self.town.chance
        late = LateWatch(self.base, queue)
        handlers: dict[Purpose, Callable[..., Awaitable[None]]] = {
            Purpose.RESOLVE: Recovery(self.base, queue).handle,
            Purpose.WATCH: late.watch,
            Purpose.GIVE_BACK: late.give_back,
            Purpose.REFUND: Refunding(self.base, queue).handle,
        }
        for task in await queue.lease(100):
            slept = self.town.is_rough and chance.random() < 0.2
            if slept:
                await asyncio.sleep(chance.uniform(0, 0.03))
            self.town.tell("task", task.purpose, task.tries, "slept" if slept else "")
            await self._or_dies(handlers[task.purpose](replace(task, send_before=0.0) if slept else task))

    # Time

    async def pass_time(self, seconds: float) -> None:
        """For the payment and for the channels."""
        for table, key, times in _AGED:
            changed = ", ".join(f"{time} = {time} - make_interval(secs => $2)" for time in times)
            await self.pool.execute(f"UPDATE {table} SET {changed} WHERE {key} = $1", self.row.payment_id, seconds)
        await self.pool.execute(
            "UPDATE recovery_tasks SET next_at = next_at - make_interval(secs => $2),"
            " lease_until = lease_until - make_interval(secs => $2), asked_at = asked_at - make_interval(secs => $2)"
            " WHERE (payment_id, purpose) IN"
            " (SELECT payment_id, purpose FROM recovery_tasks WHERE payment_id = $1 ORDER BY purpose FOR UPDATE)",
            self.row.payment_id,
            seconds,
        )
        self.town.pass_time(seconds)

    async def live(self) -> None:
        """Everybody acts, some at the same moment, while time passes."""
        chance = self.town.chance
        acts = [self.customer, self.visitor, self.visitor, self.teller, self.refunder, self.teller_of_refunds]
        acts += [self.worker] * 3 + [self.canceller] * chance.randrange(2)
        for _ in range(chance.randrange(10, 50)):
            self.town.merchant_is_poor = chance.random() < 0.1
            await asyncio.gather(*[self._or_dies(chance.choice(acts)()) for _ in range(chance.randrange(1, 4))])
            await self.pass_time(chance.choice([0.0, 1.0, 5.0, 20.0, 31.0, 60.0]))

    async def come_to_an_end(self) -> None:
        """Nothing is rough any more; a customer may still be late."""
        self.town.is_rough = self.town.merchant_is_poor = False
        self.town.tell("--- nothing is rough any more")
        began = self.town.now
        while self.town.now < began + _NOTHING_MORE_S:
            if self.town.now < began + 1_000:
                await self.customer()
            await self.pass_time(self.town.chance.choice([5.0, 31.0, 60.0, 130.0]))
            await self.worker()
            if not (self.town.under_way or await self.open_tasks()):
                return
            await self.pool.execute(  # the watch over a bar code goes by the age of its task
                "UPDATE recovery_tasks SET created_at = created_at - interval '1 hour'"
                " WHERE payment_id = $1 AND purpose = 'watch'",
                self.row.payment_id,
            )

    async def open_tasks(self) -> list[str]:
        found = await self.pool.fetch("SELECT purpose FROM recovery_tasks WHERE payment_id = $1", self.row.payment_id)
        return [record["purpose"] for record in found]

    async def _or_dies(self, act: Awaitable[None]) -> None:
        try:
            await act
        except Killed:
            self.town.tell("a process died")


@asynccontextmanager
async def small_world(database_url: str, seed: int) -> AsyncIterator[SmallWorld]:
    """A new one; the seed chooses what happens in it (who is faster of two at once is up to the machine)."""
    chance = random.Random(seed)
    town = Town(chance)
    channels = {wallet: RoughChannel(town, wallet) for wallet in Wallet}
    async with open_corner(database_url) as corner:
        accounts = corner.base.accounts
        accounts._accounts = {
            account.id: replace(account, channel=channels[Wallet(account.id)])  # type: ignore[arg-type]
            for account in accounts
        }
        _die_at_commits(corner.base.charging, town)
        kind = chance.choice([*KINDS, KINDS[0], KINDS[0]])
        row = _intent(kind)
        assert (await intent_batch(corner.pool).flush([row]))[0].inserted  # type: ignore[union-attr]
        world = SmallWorld(corner, town, channels, kind, chance.choice([0.05, 0.2, 0.5]), row)
        town.tell(kind)
        await _place(world)
        yield world


def _intent(kind: str) -> IntentRow:
    base: dict[str, Any] = {"amount": AMOUNT_FEN, "notify_url": "https://till.example/hook"}
    if kind == "any wallet":
        base |= {"status": "requires_action", "account_id": None, "failure_code": None, "wallet": None}
        base |= {"qr_code": "http://x/q/p", "recover_after_s": 300.0, "event_id": new_id("evt")}
    else:
        base |= {"account_id": kind.split()[1], "wallet": kind.split()[1]}
    if not kind.startswith("barcode"):
        base |= {"method": "qrcode", "expires_in_s": 300}
    return intent(new_id("pay"), new_id("mer"), **base)


async def _place(world: SmallWorld) -> None:
    """The first order of a named wallet: a code is shown, the charge of a bar code arrives, sometimes much too late."""
    if world.kind == "any wallet":
        return
    chance, town, row = world.town.chance, world.town, world.row
    wallet, no = Wallet(world.kind.split()[1]), attempt_order_no(world.row.payment_id, 1)
    if world.kind.startswith("code"):
        town.open(no, Order(wallet, AMOUNT_FEN, 300.0, outlives_s=chance.choice([0.0, 0.0, 60.0, 300.0, 600.0])))
        world.pages.add(no)
        shown = ShownRow(row.payment_id, row.merchant_id, 1, "weixin://x", 5.0, new_id("evt"))
        assert (await shown_batch(world.pool).flush([shown]))[0].applied  # type: ignore[union-attr]
    elif chance.random() < 0.9:
        stage = chance.choices([Stage.PAID, Stage.OPEN, Stage.REFUSED], [6, 3, 1])[0]

        def arrives() -> None:
            town.open(no, Order(wallet, AMOUNT_FEN, float("inf"), stage))
            world.pages.add(no)
            town.tell("the charge arrives:", stage)

        town.under_way.append((chance.choice([0.0, 1.0, 30.0, 100.0, 200.0, 400.0]), arrives))


def _die_at_commits(charging: Charging, town: Town) -> None:
    """Processes also die just before an outcome is committed, and just after it."""
    commit = charging.commit

    async def rough_commit(payment: Payment, row: OutcomeRow) -> Payment:
        if town.is_rough and town.chance.random() < _DIES:
            raise Killed
        found = await commit(payment, row)
        town.tell("commit", row.event, found.status)
        if town.is_rough and town.chance.random() < _DIES:
            raise Killed
        return found

    charging.commit = rough_commit  # type: ignore[method-assign]
