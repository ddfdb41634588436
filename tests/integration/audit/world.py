"""A small world whose three books agree, for tests that plant one error in it: rows, simulators' books, client log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson

from gateway.audit.run import AuditOptions, AuditReport, audit
from gateway.audit.simulators import SimulatorBooks
from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_ulid
from gateway.kernel.money import Money, share_half_up
from gateway.ledger import postings
from gateway.ledger.postings import Funder
from gateway.payments.numbers import attempt_order_no, give_back_no
from gateway.refunds.split import Parts
from tests.integration.audit import campaigns
from tests.integration.audit.campaigns import BANK, DISCOUNT, MERCHANT_SHARE, Campaigns
from tests.integration.audit.story import Row, Story

CHANNELS = ("wechat", "alipay", "unionpay")
FEE_RATE = 3_800
MERCHANT = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
_TABLES = (
    "merchants",
    "channel_accounts",
    "order_numbers",
    "idempotency_keys",
    "payments",
    "attempts",
    "events",
    "transfers",
    "recovery_tasks",
    "late_captures",
    "refunds",
    "refund_numbers",
    "refund_keys",
    "callbacks",
    "review_verdicts",
    "webhook_endpoints",
    "webhook_outbox",
    "webhook_deliveries",
    "webhook_queue",
    "redemptions",
    "risk_decisions",
    "risk_cases",
    *campaigns.TABLES,
)
_WEBHOOKS = tuple([table for table in _TABLES if table.startswith("webhook_")])
_ROWS = {"refunds": "refund_rows", "review_verdicts": "verdicts"}
"""Where the rows of a table have another name here: `refunds` are the channels' own."""


def fee_of(payable: Money) -> Money:
    """What the accounts charge for it."""
    return Money(share_half_up(payable.amount_fen, FEE_RATE))


class World:
    """The stories, and what belongs to none."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.due = 0
        """Notifications that each simulator is about to send."""
        self.stories: list[Story] = []
        self.campaigns = Campaigns(self.now)
        self.idempotency_keys: list[Row] = []
        self.merchants = [{"id": MERCHANT, "name": "a shop", "webhook_secret_sealed": b""}]
        self.webhooks: dict[str, list[Row]] = {name: [] for name in _WEBHOOKS}
        places = (*_TABLES, *_ROWS.values(), "trades", "refunds", "answers")
        self.strays: dict[str, list[Row]] = {name: [] for name in places}
        self.accounts = [
            {
                "id": f"{channel}_direct",
                "channel": channel,
                "wallets": [channel],
                "fee_rate_millionths": FEE_RATE,
                "settings_sealed": b"",
                "updated_at": self.now - timedelta(days=1),
            }
            for channel in CHANNELS
        ]

    def ago(self, seconds: float) -> datetime:
        """So many seconds before now."""
        return self.now - timedelta(seconds=seconds)

    def begin(
        self, channel: str | None = "wechat", *, age_s: float = 3_600, amount: int = 2_599, payable: int | None = None
    ) -> Story:
        """An intent, with an attempt at the channel if one is named."""
        at = self.ago(age_s)
        payment_id = f"pay_{new_ulid(int(at.timestamp() * 1_000))}"
        order_no = f"T-{len(self.stories)}"
        story = Story(
            {
                "id": payment_id,
                "merchant_id": MERCHANT,
                "merchant_order_no": order_no,
                "amount": amount,
                "payable": amount if payable is None else payable,
                "currency": "CNY",
                "method": "barcode",
                "wallet": channel,
                "account_id": channel and f"{channel}_direct",
                "attempt_seq": 1 if channel else 0,
                "request_fingerprint": b"",
                "risk_decision": "approve",
                "risk_score": 0,
                "created_at": at,
                "expires_at": at + timedelta(seconds=60),
            }
        )
        story.order_numbers.append(story.key(merchant_order_no=order_no))
        story.event(*(("created", "processing") if channel else ("refused", "failed")), at)
        if channel:
            story.attempts.append(story.key(seq=1, account_id=f"{channel}_direct", send_before=at, created_at=at))
        self.stories.append(story)
        return story

    def trade(self, story: Story, *, captured: bool = True, channel: str | None = None, seq: int = 1) -> Row:
        """The order as its simulator has it."""
        at = story.payment["created_at"]
        row = {
            "channel": channel or story.payment["account_id"].removesuffix("_direct"),
            "order_no": attempt_order_no(story.id, seq),
            "amount": story.payment["payable"],
            "refunded": 0,
            "status": "captured" if captured else "refused",
            "captured_at": rfc3339(at) if captured else None,
            "pay_until": None,
        }
        story.trades.append(row)
        return row

    def succeeded(
        self,
        channel: str = "wechat",
        *,
        age_s: float = 3_600,
        amount: int = 2_599,
        payable: int | None = None,
        funding: Sequence[tuple[str, int]] = (),
    ) -> Story:
        """Taken and booked."""
        story = self.begin(channel, age_s=age_s, amount=amount, payable=payable)
        self.trade(story)
        at, paid = story.payment["created_at"] + timedelta(seconds=1), Money(story.payment["payable"])
        story.event("captured", "succeeded", at)
        funders = [Funder(sponsor, Money(part)) for sponsor, part in funding]
        story.post(postings.capture(MERCHANT, f"{channel}_direct", paid, fee_of(paid), funders), at)
        story.told("succeeded")
        return story

    def failed_over(self, left: str = "unsent") -> Story:
        """Taken by a second account, after the first was not reached or has refused it."""
        story = self.begin("alipay")
        at, payable = story.payment["created_at"], Money(story.payment["payable"])
        if left == "refused":
            self.trade(story, captured=False)
        story.attempts[0]["state"] = left
        story.payment.update(attempt_seq=2, account_id="unionpay_direct")
        story.attempts.append(story.attempts[0] | {"seq": 2, "account_id": "unionpay_direct", "state": "open"})
        story.event("attempt_opened", "processing", at + timedelta(seconds=1))
        self.trade(story, seq=2)
        story.event("captured", "succeeded", at + timedelta(seconds=2))
        story.post(postings.capture(MERCHANT, "unionpay_direct", payable, fee_of(payable)), at + timedelta(seconds=2))
        story.told("succeeded")
        return story

    def discounted(self, channel: str = "wechat", *, coupon: bool = False) -> Story:
        """Goods of 25.99 for 20.99: the bank gave 3.50, the merchant 1.50."""
        funding = (("bank", BANK), ("merchant", MERCHANT_SHARE))
        story = self.succeeded(channel, payable=2_599 - DISCOUNT, funding=funding)
        story.redemptions.append(self.campaigns.redemption(story.payment, coupon=coupon))
        self.campaigns.pay(story.payment["payable"])
        return story

    def promoted_and_declined(self, channel: str = "alipay") -> Story:
        """The wallet said no to the discounted price, and the campaign has its money again."""
        story = self.begin(channel, payable=2_599 - DISCOUNT)
        self.trade(story, captured=False)
        story.redemptions.append(self.campaigns.redemption(story.payment))
        story.event("declined", "failed", story.payment["created_at"])
        self.campaigns.give_back()
        story.told("failed")
        return story

    def refunded(self, channel: str = "wechat") -> Story:
        """A discounted sale whose goods came back in parts; one refund failed in between, and clients were told."""
        story, sponsors = self.discounted(channel), ("bank", "merchant")
        at = story.payment["created_at"] + timedelta(seconds=60)
        for amount, parts, status in (
            (1_000, Parts(807, 193, 3, (135, 58)), "succeeded"),
            (500, Parts(404, 96, 1, (67, 29)), "failed"),
            (1_000, Parts(808, 192, 3, (134, 58)), "succeeded"),
        ):
            story.told_of_refund(story.refund(amount, parts, at, status=status, sponsors=sponsors))
            self.campaigns.slice["used"] -= parts.discount if status == "succeeded" else 0
            at += timedelta(seconds=120)
        story.refund_keys.append(
            {"merchant_id": MERCHANT, "key": f"k-{story.id[-6:]}", "refund_id": story.refund_rows[0]["id"]}
        )
        return story

    def refunding(self, channel: str = "wechat", *, asked_s: float = 60, carried_out: bool = True) -> Story:
        """A refund on its way, which its channel may have carried out."""
        story = self.succeeded(channel)
        row = story.refund(1_000, Parts(1_000, 0, 3), self.ago(asked_s), status="pending")
        story.told_of_refund(row)
        if carried_out:
            story.give_back_part(row, 1_000, self.ago(asked_s))
        return story

    def unreachable(self, channel: str = "wechat") -> Story:
        """A refund that only people can settle: the payer's account is gone."""
        story = self.refunding(channel, asked_s=3_000)
        story.refund_rows[0]["review"] = "abnormal"
        return story

    def refunded_by_hand(self, channel: str = "wechat") -> Story:
        """The channel could not reach the customer's account; finance has paid another way."""
        story = self.succeeded(channel)
        at = self.ago(1_200)
        row = story.refund(1_000, Parts(1_000, 0, 3), at, status="pending")
        story.settle("mark_succeeded", "refund", self.ago(600), row)
        row.update(status="succeeded", completed_at=self.ago(600))
        story.recovery_tasks.clear()
        story.event("succeeded", "succeeded", self.ago(600), row["id"])
        story.payment["amount_refunded"] = 1_000
        story.return_money(row, Parts(1_000, 0, 3), (), self.ago(600))
        story.refunds.clear()
        story.trades[0]["refunded"] = 0
        return story

    def returned_by_hand(self, channel: str = "alipay") -> Story:
        """Money came too late, the channel would not take it back, and finance has paid another way."""
        story = self.late(channel)
        story.refunds.clear()
        story.trades[0].update(status="captured", refunded=0)
        story.settle("mark_returned", "late_capture", self.ago(600))
        return story

    def cancelled(self, channel: str = "unionpay") -> Story:
        """Taken and booked, then cancelled by its merchant and given back."""
        story = self.succeeded(channel)
        at = story.payment["created_at"] + timedelta(seconds=30)
        story.payment["reversal"] = "succeeded"
        story.event("reversed", "reversed", at)
        story.give_back("void", give_back_no(story.id, 1), at)
        for row in list(story.transfers):
            swapped = {"debit": row["credit"], "credit": row["debit"], "seq": row["seq"] + 2, "booked_at": at}
            story.transfers.append(row | swapped | {"kind": f"{row['kind']}_reversed"})
        return story

    def declined(self, channel: str = "alipay") -> Story:
        """The wallet said no."""
        story = self.begin(channel)
        self.trade(story, captured=False)
        story.event("declined", "failed", story.payment["created_at"])
        story.told("failed")
        return story

    def refused(self) -> Story:
        """Refused before anything left."""
        story = self.begin(None)
        story.told("failed")
        return story

    def reversed_unseen(self, channel: str = "wechat") -> Story:
        """Captured without our knowing, and reversed."""
        story = self.begin(channel)
        self.trade(story)
        story.told("processing")
        story.give_back("reversal", f"REV{attempt_order_no(story.id, 1)}", story.payment["created_at"])
        story.event("reversed", "reversed", story.payment["created_at"] + timedelta(seconds=70))
        return story

    def not_created(self, channel: str = "alipay") -> Story:
        """Not found, and watched."""
        story = self.begin(channel)
        at = story.payment["created_at"] + timedelta(seconds=125)
        story.event("not_created", "failed", at)
        story.task("watch", at, self.now + timedelta(seconds=600))
        story.told("processing")
        return story

    def late(self, channel: str = "alipay", *, status: str = "refunded", found_s: float = 1_200) -> Story:
        """Not found, then found: booked, and given back or about to be."""
        story = self.not_created(channel)
        self.trade(story)
        at, account_id, money = self.ago(found_s), f"{channel}_direct", Money(story.payment["payable"])
        story.recovery_tasks.clear()
        story.late_captures.append(
            story.key(attempt_seq=1, account_id=account_id, amount=money.amount_fen, found_at=at, status=status)
        )
        story.payment["late_captures"] = 1
        story.event("late_capture_found", "failed", at)
        story.post([postings.late_capture(account_id, 1, money)], at)
        if status == "pending":
            story.task("give_back", at)
        elif status == "refunded":
            back = at + timedelta(seconds=5)
            story.late_captures[0]["refunded_at"] = back
            story.event("late_capture_refunded", "failed", back)
            story.post([postings.late_capture_returned(account_id, 1, money)], back)
            story.give_back("refund", give_back_no(story.id, 1), back)
        return story

    def unresolved(self, channel: str = "wechat", *, age_s: float = 60) -> Story:
        """Without an outcome yet, though the channel took the money."""
        story = self.begin(channel, age_s=age_s)
        self.trade(story)
        story.task("resolve", story.payment["created_at"])
        story.told("processing")
        return story

    def under_review(self, channel: str = "unionpay") -> Story:
        """The channel took another amount."""
        story = self.begin(channel)
        self.trade(story)["amount"] += 1
        story.payment["review"] = "amount_mismatch"
        story.told("processing")
        return story

    def bind_key(self, story: Story, key: str) -> Row:
        """An idempotency key."""
        self.idempotency_keys.append(story.key(key=key))
        return self.idempotency_keys[-1]

    async def audit(
        self, connection: asyncpg.Connection, database_url: str, folder: Path, *, log: bool = True, **options: Any
    ) -> AuditReport:
        """Write every book and audit them."""
        await self.write(connection)
        if log:
            options["client_logs"] = (self.write_log(folder / "client.jsonl"),)
        channels = () if options.get("own_books") else CHANNELS
        books = [SimulatorBooks(name, f"http://{name}", self._transport(name)) for name in channels]
        try:
            return await audit(database_url, books, AuditOptions(**options))
        finally:
            for simulator in books:
                await simulator.aclose()

    async def write(self, connection: asyncpg.Connection) -> None:
        """PostgreSQL's part, in place of whatever is there."""
        await connection.execute(f"TRUNCATE {', '.join(_TABLES)} CASCADE")
        for table in _TABLES:
            for row in [*self._rows(table), *self.strays[_ROWS.get(table, table)]]:
                columns = ", ".join(row)
                places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
                await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *row.values())

    def write_log(self, path: Path) -> Path:
        """The clients' part."""
        lines = [line for story in self.stories for line in story.answers] + self.strays["answers"]
        path.write_bytes(b"".join([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines]))
        return path

    def _rows(self, table: str) -> list[Row]:
        whole = {
            "channel_accounts": self.accounts,
            "idempotency_keys": self.idempotency_keys,
            "merchants": self.merchants,
            "payments": [story.payment for story in self.stories],
            **self.webhooks,
        }
        if table in campaigns.TABLES:
            return self.campaigns.rows(table)
        if table in whole:
            return whole[table]
        return [row for story in self.stories for row in getattr(story, _ROWS.get(table, table))]

    def _transport(self, channel: str) -> httpx.MockTransport:
        """Serves the simulators' control API from the stories, with pages as the real one has them."""

        def answer(request: httpx.Request) -> httpx.Response:
            what = request.url.path.rpartition("/")[2]
            if what == "health":
                trades = {"captured": len(self._book("trades", channel))}
                return httpx.Response(200, json={"trades": trades, "notifications": {"waiting": 9, "due": self.due}})
            after, limit = int(request.url.params["after"]), int(request.url.params["limit"])
            rows = [{"seq": seq, **row} for seq, row in enumerate(self._book(what, channel), 1)][after:]
            more = len(rows) > limit
            page = rows[:limit]
            return httpx.Response(200, json={what: page, "has_more": more, "next": page[-1]["seq"] if more else None})

        return httpx.MockTransport(answer)

    def _book(self, what: str, channel: str) -> list[Row]:
        rows = [row for story in self.stories for row in getattr(story, what)] + self.strays[what]
        return [row for row in rows if row["channel"] == channel]
