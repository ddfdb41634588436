"""A channel in memory that answers what the test scripts, call by call, and remembers every call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from gateway.kernel.failures import FailureCode
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelError,
    ChannelOrder,
    ChannelUnknown,
    ChannelUnsent,
    CodeOrder,
    PageOrder,
    RefundOrder,
    RefundRules,
    Rhythm,
)
from routing.channels.reports import (
    CloseReport,
    CloseState,
    CodeReport,
    PageReport,
    RefundReport,
    RefundState,
    ReversalReport,
    ReversalState,
    TradeReport,
    TradeState,
)

Report = TypeVar("Report", TradeReport, ReversalReport, RefundReport, CodeReport, PageReport, CloseReport)
Script: TypeAlias = list[Report | ChannelError]
Call: TypeAlias = BarcodeCharge | ChannelOrder | RefundOrder | CodeOrder | PageOrder

SILENT: Final = ChannelUnknown("timeout")
NOT_FOUND: Final = TradeReport(TradeState.NOT_FOUND)
PENDING: Final = TradeReport(TradeState.PENDING)
RHYTHM: Final = Rhythm((5.0,), (5.0,), reverse_not_before_s=15.0, repeat_reversal_s=5.0)
REVERSED: Final = ReversalReport(ReversalState.REVERSED)
CODE: Final = CodeReport("weixin://wxpay/bizpayurl?pr=abcdefg")
PAGE: Final = PageReport({"package": "prepay_id=wx01"})


def captured(amount_fen: int = 2_599, trade_no: str = "4200001") -> TradeReport:
    """The channel has the money."""
    return TradeReport(TradeState.CAPTURED, channel_trade_no=trade_no, amount_fen=amount_fen, payer_paid_fen=amount_fen)


def refused(failure: FailureCode = FailureCode.INSUFFICIENT_FUNDS, code: str = "NOTENOUGH") -> TradeReport:
    """The channel will never have the money."""
    return TradeReport(TradeState.REFUSED, channel_code=code, failure=failure)


def shut(state: CloseState) -> CloseReport:
    """What the channel answers to closing."""
    return CloseReport(state)


@dataclass(eq=False)
class FakeChannel:
    """Implements routing.channels.base.Channel.  Each script is used up from the front; its last answer repeats."""

    charges: Script[TradeReport] = field(default_factory=lambda: [SILENT])
    queries: Script[TradeReport] = field(default_factory=lambda: [SILENT])
    reversals: Script[ReversalReport] = field(default_factory=lambda: [SILENT])
    voids: Script[RefundReport] = field(default_factory=lambda: [SILENT])
    refunds: Script[RefundReport] = field(default_factory=lambda: [SILENT])
    refund_queries: Script[RefundReport] = field(default_factory=lambda: [RefundReport(RefundState.NOT_FOUND)])
    codes: Script[CodeReport] = field(default_factory=lambda: [CODE])
    pages: Script[PageReport] = field(default_factory=lambda: [PAGE])
    closings: Script[CloseReport] = field(default_factory=lambda: [SILENT])
    rhythm: Rhythm = RHYTHM
    refund_rules: RefundRules = field(default_factory=lambda: RefundRules(60.0, 50, 365))
    calls: list[tuple[str, Call]] = field(default_factory=list)
    closed: bool = False

    @property
    def asked(self) -> list[str]:
        """The names of the calls in their order."""
        return [name for name, _ in self.calls]

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        self.calls.append(("charge", charge))
        return _next(self.charges)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        self.calls.append(("query", order))
        return _next(self.queries)

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        self.calls.append(("reverse", order))
        return _next(self.reversals, limits)

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        self.calls.append(("void", refund))
        return _next(self.voids, limits)

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        self.calls.append(("refund", refund))
        return _next(self.refunds, limits)

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        self.calls.append(("query_refund", refund))
        return _next(self.refund_queries)

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        self.calls.append(("code", code))
        return _next(self.codes, limits)

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        self.calls.append(("page", page))
        return _next(self.pages, limits)

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        self.calls.append(("close", order))
        return _next(self.closings, limits)

    async def aclose(self) -> None:
        self.closed = True


def _next(script: Script[Report], limits: CallLimits | None = None) -> Report:
    """The next answer; nothing leaves after `send_before`, as in the real transport."""
    if limits is not None and limits.too_late_to_send:
        raise ChannelUnsent("send_before_passed")
    answer = script.pop(0) if len(script) > 1 else script[0]
    if isinstance(answer, ChannelError):
        raise answer
    return answer
