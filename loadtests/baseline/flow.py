"""The baseline's way of one payment: claim, price, intent, channel, outcome."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import asyncpg
import redis.asyncio as redis

from gateway.kernel.ids import new_id
from gateway.kernel.money import Money, share_half_up
from gateway.ledger.postings import Funder, capture
from loadtests.baseline.campaign import Campaign
from loadtests.baseline.schemas import PaymentObject, PaymentRequest
from loadtests.baseline.settings import BaselineSettings
from loadtests.baseline.store import Exhausted, Store
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
)
from routing.channels.reports import TradeReport, TradeState
from routing.channels.wechat import WechatChannel

ACCOUNT: Final = "wechat_direct"
_POLL_S: Final = 0.05
_CAMPAIGN_KEPT_S: Final = 1.0
"""A paused campaign gives nothing after a second, as at the gateway."""


class DifferentRequest(Exception):
    """The order number belongs to another request."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who takes the payment."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A payment, and whether an earlier request had made it."""

    payment: PaymentObject
    replayed: bool


class Flow:
    """Takes payments; one per process."""

    def __init__(self, settings: BaselineSettings, store: Store, client: redis.Redis, channel: WechatChannel) -> None:
        self._settings = settings
        self._store = store
        self._redis = client
        self._channel = channel
        self._known_campaign: Campaign | None = None
        self._campaign_until_s = 0.0

    async def take(self, merchant: Merchant, request: PaymentRequest) -> Taken:
        """Take one payment.  Raises DifferentRequest."""
        payment_id = new_id("pay")
        fingerprint = hashlib.sha256(request.model_dump_json().encode()).digest()
        claim = f"baseline:claim:{merchant.id}:{request.merchant_order_no}"
        if not await self._redis.set(claim, payment_id, nx=True, ex=self._settings.claim_ttl_s):
            return await self._replay(merchant, request, fingerprint)
        send_before = time.monotonic() + self._settings.send_within_s
        campaign = await self._campaign()
        try:
            row = await self._add(merchant, payment_id, request, fingerprint, campaign)
        except Exhausted:
            campaign = None
            row = await self._add(merchant, payment_id, request, fingerprint, campaign)
        if row is None:
            return await self._replay(merchant, request, fingerprint)
        completed = await self._charge(merchant, payment_id, request, send_before, campaign)
        return Taken(PaymentObject.of(completed or row, campaign), replayed=False)

    async def _add(
        self,
        merchant: Merchant,
        payment_id: str,
        request: PaymentRequest,
        fingerprint: bytes,
        campaign: Campaign | None,
    ) -> asyncpg.Record | None:
        return await self._store.add(
            payment_id=payment_id,
            merchant_id=merchant.id,
            account_id=ACCOUNT,
            request=request,
            fingerprint=fingerprint,
            send_within_s=self._settings.send_within_s,
            campaign=campaign,
        )

    async def _campaign(self) -> Campaign | None:
        """The campaign in force, kept for a second."""
        if time.monotonic() > self._campaign_until_s:
            self._known_campaign = await self._store.campaign()
            self._campaign_until_s = time.monotonic() + _CAMPAIGN_KEPT_S
        return self._known_campaign

    async def _charge(
        self,
        merchant: Merchant,
        payment_id: str,
        request: PaymentRequest,
        send_before: float,
        campaign: Campaign | None,
    ) -> asyncpg.Record | None:
        """Call the channel with no transaction open, then commit what it said; None where it decided nothing."""
        order_no = payment_id.removeprefix("pay_") + "01"
        discount = 0 if campaign is None else campaign.discount(request.amount)
        payable = request.amount - discount
        charge = BarcodeCharge(
            order=ChannelOrder(order_no, datetime.now(UTC), Money(payable)),
            auth_code=request.auth_code,
            description=request.description or merchant.name,
            store_id=request.store_id,
            terminal_id=request.terminal_id,
        )
        try:
            report = await self._channel.charge_barcode(
                charge, CallLimits(self._settings.channel_timeout_s, send_before)
            )
        except ChannelRejected as error:
            return await self._store.complete(
                payment_id,
                status="failed",
                attempt_state="refused",
                channel_code=error.code,
                failure_code=error.failure,
            )
        except ChannelUnsent as error:
            return await self._store.complete(
                payment_id,
                status="failed",
                attempt_state="unsent",
                channel_code=error.code,
                failure_code="channel_unavailable",
            )
        except ChannelUnknown:
            return None
        if report.state is not TradeState.CAPTURED or report.amount_fen != payable:
            return None
        funding = campaign.funding(discount) if campaign is not None and discount else []
        return await self._captured(merchant, payment_id, payable, funding, report)

    async def _captured(
        self, merchant: Merchant, payment_id: str, payable: int, funding: Sequence[Funder], report: TradeReport
    ) -> asyncpg.Record | None:
        fee_fen = share_half_up(payable, self._settings.fee_rate_millionths)
        transfers = capture(merchant.id, ACCOUNT, Money(payable), Money(fee_fen), funding)
        return await self._store.complete(
            payment_id,
            status="succeeded",
            attempt_state="captured",
            channel_trade_no=report.channel_trade_no,
            channel_code=report.channel_code,
            payer_paid=report.payer_paid_fen,
            payer_hash=None if report.payer_id is None else hashlib.sha256(report.payer_id.encode()).digest(),
            paid_at=report.paid_at,
            transfers=transfers,
        )

    async def _replay(self, merchant: Merchant, request: PaymentRequest, fingerprint: bytes) -> Taken:
        """Wait for the request that was first and give its payment."""
        deadline_s = time.monotonic() + self._settings.channel_timeout_s
        while True:
            row = await self._store.find(merchant.id, request.merchant_order_no)
            if row is not None and row["request_fingerprint"] != fingerprint:
                raise DifferentRequest
            if row is not None and (row["status"] != "processing" or time.monotonic() > deadline_s):
                return Taken(PaymentObject.of(row, await self._campaign()), replayed=True)
            if time.monotonic() > deadline_s:
                raise TimeoutError
            await asyncio.sleep(_POLL_S)
