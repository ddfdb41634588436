"""Counts and times the calls of a channel account: a wrapper, so that adapters know nothing of metrics."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from gateway.kernel.metrics import CHANNEL_CALLS, CHANNEL_SECONDS
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    Channel,
    ChannelError,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    RefundOrder,
    Rhythm,
)
from routing.channels.notifications import Acknowledgements, Notification
from routing.channels.reports import RefundReport, ReversalReport, TradeReport

Report = TypeVar("Report", TradeReport, ReversalReport, RefundReport)

_ERRORS = {ChannelUnsent: "unsent", ChannelRejected: "rejected", ChannelUnknown: "unknown"}


class MeteredChannel:
    """A channel whose calls are counted by account, call and kind of answer."""

    def __init__(self, account_id: str, inner: Channel) -> None:
        self._account_id = account_id
        self._inner = inner

    @property
    def rhythm(self) -> Rhythm:
        """The inner channel's."""
        return self._inner.rhythm

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """See Channel."""
        return await self._measure("pay", self._inner.charge_barcode(charge, limits))

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """See Channel."""
        return await self._measure("query", self._inner.query(order, limits))

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """See Channel."""
        return await self._measure("reverse", self._inner.reverse(order, limits))

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """See Channel."""
        return await self._measure("void", self._inner.void(refund, limits))

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """See Channel."""
        return await self._measure("refund", self._inner.refund(refund, limits))

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """See Channel."""
        return await self._measure("query_refund", self._inner.query_refund(refund, limits))

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """See Channel."""
        return self._inner.read_notification(headers, body)

    @property
    def acknowledgements(self) -> Acknowledgements:
        """See Channel."""
        return self._inner.acknowledgements

    async def aclose(self) -> None:
        """See Channel."""
        await self._inner.aclose()

    async def _measure(self, call: str, work: Awaitable[Report]) -> Report:
        began = time.monotonic()
        result = "cancelled"
        try:
            report = await work
        except ChannelError as error:
            result = next((name for kind, name in _ERRORS.items() if isinstance(error, kind)), "error")
            raise
        else:
            result = report.state
            return report
        finally:
            CHANNEL_CALLS.labels(self._account_id, call, result).inc()
            CHANNEL_SECONDS.labels(self._account_id, call).observe(time.monotonic() - began)
