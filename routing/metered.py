"""Counts, times and traces the calls of a channel account: a wrapper, so that adapters know nothing of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Coroutine, Mapping
from datetime import date
from typing import Any, TypeVar

from gateway.kernel.metrics import CHANNEL_CALLS, CHANNEL_SECONDS
from gateway.kernel.recording import Fact, Step, Taken, current_recording
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    Channel,
    ChannelError,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    CodeOrder,
    PageOrder,
    RefundOrder,
    RefundRules,
    Rhythm,
)
from routing.channels.notifications import Acknowledgements, Notification
from routing.channels.reports import CloseReport, CodeReport, PageReport, RefundReport, ReversalReport, TradeReport
from routing.channels.statements import Statement

Result = TypeVar("Result")

_STATEFUL = (TradeReport, ReversalReport, RefundReport, CloseReport)
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

    @property
    def refund_rules(self) -> RefundRules:
        """The inner channel's."""
        return self._inner.refund_rules

    @property
    def acknowledgements(self) -> Acknowledgements:
        """The inner channel's."""
        return self._inner.acknowledgements

    def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> Coroutine[Any, Any, TradeReport]:
        """See Channel.  A payment passes here: no coroutine around the one that measures."""
        return self._measure("pay", self._inner.charge_barcode(charge, limits))

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

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        """See Channel."""
        return await self._measure("create_code", self._inner.create_code(code, limits))

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        """See Channel."""
        return await self._measure("create_page_order", self._inner.create_page_order(page, limits))

    def authorize_url(self, return_url: str, state: str) -> str:
        """See Channel."""
        return self._inner.authorize_url(return_url, state)

    async def identify_payer(self, code: str, app_identifier: str, limits: CallLimits) -> str:
        """See Channel."""
        return await self._measure("identify_payer", self._inner.identify_payer(code, app_identifier, limits))

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        """See Channel."""
        return await self._measure("close", self._inner.close(order, limits))

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """See Channel.  No call of ours: whoever takes notifications in counts them."""
        return self._inner.read_notification(headers, body)

    async def statement(self, day: date, limits: CallLimits) -> Statement | None:
        """See Channel."""
        return await self._measure("statement", self._inner.statement(day, limits))

    async def aclose(self) -> None:
        """See Channel."""
        await self._inner.aclose()

    async def _measure(self, call: str, work: Awaitable[Result]) -> Result:
        began = time.monotonic()
        result = "cancelled"
        try:
            answer = await work
        except ChannelError as error:
            result = next((name for kind, name in _ERRORS.items() if isinstance(error, kind)), "error")
            raise
        else:
            result = _said(answer)
            return answer
        finally:
            ended = time.monotonic()
            CHANNEL_CALLS.labels(self._account_id, call, result).inc()
            CHANNEL_SECONDS.labels(self._account_id, call).observe(ended - began)
            recording = current_recording()
            if recording is not None:
                facts = {Fact.ACCOUNT: self._account_id, Fact.CALL: call, Fact.RESULT: str(result)}
                recording.add(Taken(Step.CHANNEL, began, ended, facts))


def _said(answer: object) -> str:
    """What an answer says in one word: the state where it has one."""
    if isinstance(answer, _STATEFUL):
        return answer.state
    return "none" if answer is None else "done"
