"""UnionPay ACP 5.1.0: bar code consumption, queries, reversals, voids and refunds.  CHANNEL-PROTOCOLS 3.1–3.4.

Every transaction is accepted first and decided later: 00 to a request means PENDING, and only a query tells the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from gateway.kernel.clock import BEIJING
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelOrder,
    ChannelUnknown,
    ChannelUnsent,
    RefundOrder,
    Rhythm,
    Transport,
)
from routing.channels.reports import RefundReport, RefundState, ReversalReport, ReversalState, TradeReport, TradeState
from routing.channels.settings import UnionpaySettings
from routing.channels.unionpay_codes import (
    ACCEPTED,
    CONFIGURATION_REFUSALS,
    DUPLICATE,
    NO_SUCH_TRANSACTION,
    OTHER_FAILURE,
    REFUSALS,
    REVERSAL_ERRORS,
    SUCCEEDED,
    TAKEN_BACK,
    UNDECIDED,
)
from routing.channels.unionpay_signing import CertificateSigning, KeyedHashSigning, Signing, parse_answer
from routing.channels.wire import Authenticity, checked_number, rejected, text_of

_HEADERS: Final = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "User-Agent": "mashang/0.1"}
_TIME_LAYOUT: Final = "%Y%m%d%H%M%S"
_CNY: Final = "156"
_TERMINAL_CHARACTERS: Final = 8


class _Answer:
    """The fields of an answer and what its signature says."""

    __slots__ = ("authenticity", "code", "fields")

    def __init__(self, fields: Mapping[str, str], authenticity: Authenticity) -> None:
        self.fields = fields
        self.authenticity = authenticity
        self.code = fields.get("respCode", "")

    @property
    def plain_code(self) -> str:
        return _plain(self.code, "respCode")

    def unknown(self) -> ChannelUnknown:
        return ChannelUnknown(self.plain_code)


class UnionpayChannel:
    """One merchant at UnionPay ACP."""

    def __init__(
        self, settings: UnionpaySettings, transport: Transport, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._signing = _signing(settings, clock)

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""
        return self._settings.rhythm

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """消费 01/06.  Never more than PENDING: 00 says accepted."""
        order = charge.order
        fields = {
            "qrNo": charge.auth_code.strip(),
            "txnAmt": str(order.amount.amount_fen),
            "currencyCode": _CNY,
            "backUrl": self._settings.notify_url,
            "termId": _terminal(charge.terminal_id),
        }
        request = self._request("01", "06", order.order_no, order.created_at) | fields
        answer = await self._call(self._settings.back_trans_url, request, limits)
        if answer.code in ACCEPTED:
            return TradeReport(TradeState.PENDING, text_of(answer.fields, "queryId"), channel_code=answer.plain_code)
        refusal = REFUSALS.get(answer.code)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """交易查询 00/00 by number and time of the order; `origRespCode` is its state."""
        answer = await self._query(order.order_no, order.created_at, limits)
        if answer.code == NO_SUCH_TRANSACTION:
            return TradeReport(TradeState.NOT_FOUND, channel_code=answer.code)
        state, code = _state_of_order(answer)
        refusal = REFUSALS.get(code, OTHER_FAILURE) if state is TradeState.REFUSED else None
        fields = answer.fields
        return TradeReport(
            state=state,
            channel_trade_no=text_of(fields, "queryId"),
            amount_fen=_fen(fields, "txnAmt"),
            payer_paid_fen=_fen(fields, "settleAmt"),
            paid_at=_paid_at(fields, order.created_at) if state is TradeState.CAPTURED else None,
            channel_code=code,
            failure=refusal.failure if refusal else None,
        )

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """冲正 99/01 under the number and time of the order, on the same clearing day; a query says how it ended."""
        request = self._request("99", "01", order.order_no, order.created_at)
        answer = await self._call(self._settings.back_trans_url, request, limits)
        if answer.code in ACCEPTED:
            return ReversalReport(ReversalState.ACCEPTED, answer.plain_code)
        state = REVERSAL_ERRORS.get(answer.code)
        if state is None:
            raise answer.unknown()
        return ReversalReport(state, answer.plain_code)

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """消费撤销 31/00: the whole amount, on the same clearing day."""
        return await self._give_back("31", refund, limits)

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """退货 04/00."""
        return await self._give_back("04", refund, limits)

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """交易查询 00/00 by number and time of the refund or void itself."""
        answer = await self._query(refund.refund_no, refund.created_at, limits)
        if answer.code == NO_SUCH_TRANSACTION:
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.code)
        state, code = _state_of_order(answer)
        ends = {
            TradeState.CAPTURED: RefundState.SUCCEEDED,
            TradeState.REFUSED: RefundState.FAILED,
            TradeState.CLOSED: RefundState.FAILED,
        }
        return RefundReport(
            state=ends.get(state, RefundState.PENDING),
            channel_refund_no=text_of(answer.fields, "queryId"),
            amount_fen=_fen(answer.fields, "txnAmt"),
            channel_code=code,
        )

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()

    # Requests

    def _request(self, kind: str, sub_kind: str, number: str, created_at: datetime) -> dict[str, str]:
        return {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": self._signing.method,
            "txnType": kind,
            "txnSubType": sub_kind,
            "bizType": "000000",
            "channelType": "08",
            "accessType": "0",
            "merId": self._settings.mer_id,
            "orderId": checked_number(number),
            "txnTime": created_at.astimezone(BEIJING).strftime(_TIME_LAYOUT),
        }

    async def _query(self, number: str, created_at: datetime, limits: CallLimits) -> _Answer:
        request = self._request("00", "00", number, created_at)
        return await self._call(self._settings.query_trans_url, request, limits)

    async def _give_back(self, kind: str, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """A repeated request is answered as a duplicate: it was taken in before, and a query tells the rest."""
        if refund.order.channel_trade_no is None:
            raise ChannelUnsent("no_channel_trade_no")
        fields = {
            "origQryId": refund.order.channel_trade_no,
            "txnAmt": str(refund.amount.amount_fen),
            "currencyCode": _CNY,
            "backUrl": self._settings.notify_url,
        }
        request = self._request(kind, "00", refund.refund_no, refund.created_at) | fields
        answer = await self._call(self._settings.back_trans_url, request, limits)
        if answer.code in ACCEPTED or answer.code == DUPLICATE:
            return RefundReport(RefundState.PENDING, text_of(answer.fields, "queryId"), channel_code=answer.plain_code)
        refusal = REFUSALS.get(answer.code)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def _call(self, url: str, request: dict[str, str], limits: CallLimits) -> _Answer:
        """One signed request and its judged answer.  Without a signature only refusals of our form are believed."""
        try:
            body = urlencode(self._signing.signed(request)).encode()
        except UnicodeEncodeError:
            raise ChannelUnsent("bad_request") from None
        response = await self._transport.send("POST", url, _HEADERS, body, limits)
        if response.status != 200:
            raise ChannelUnknown(f"http_{response.status}")
        try:
            fields = parse_answer(response.body.decode())
        except ValueError:
            raise ChannelUnknown("answer_malformed") from None
        answer = _Answer(fields, self._signing.check(fields))
        is_configuration = answer.code in CONFIGURATION_REFUSALS
        unsigned_error = answer.authenticity is Authenticity.UNSIGNED and is_configuration
        if answer.authenticity is not Authenticity.VERIFIED and not unsigned_error:
            raise ChannelUnknown("answer_signature")
        _must_answer(request, fields, may_be_silent=is_configuration)
        return answer


def _signing(settings: UnionpaySettings, clock: Callable[[], float]) -> Signing:
    if settings.sign_method == KeyedHashSigning.method:
        return KeyedHashSigning(settings.secret_key)
    return CertificateSigning(
        signing_certificate_pem=settings.signing_certificate_pem,
        signing_private_key_pem=settings.signing_private_key_pem,
        root_certificate_pem=settings.root_certificate_pem,
        middle_certificate_pem=settings.middle_certificate_pem,
        allowed_signer=settings.allowed_signer,
        clock=clock,
    )


def _must_answer(request: Mapping[str, str], answer: Mapping[str, str], *, may_be_silent: bool) -> None:
    """An answer about another order, time, kind or merchant says nothing about ours."""
    for name in ("merId", "orderId", "txnTime", "txnType", "txnSubType"):
        named = answer.get(name)
        if named != request[name] and not (named is None and may_be_silent):
            raise ChannelUnknown("answer_of_another_order")


def _state_of_order(answer: _Answer) -> tuple[TradeState, str]:
    """The order's state and code from a query that worked.  Raises ChannelUnknown for any other."""
    if answer.code not in SUCCEEDED:
        raise answer.unknown()
    code = answer.fields.get("origRespCode", "")
    if code in SUCCEEDED:
        return TradeState.CAPTURED, code
    if code in UNDECIDED:
        return TradeState.PENDING, code
    if code == NO_SUCH_TRANSACTION:
        return TradeState.NOT_FOUND, code
    if code == TAKEN_BACK:
        return TradeState.CLOSED, code
    if not (len(code) == 2 and code.isascii() and code.isdigit()):
        raise ChannelUnknown("origRespCode")
    return TradeState.REFUSED, code


def _plain(code: str, otherwise: str) -> str:
    return code if 2 <= len(code) <= 4 and code.isascii() and code.isalnum() else otherwise


def _fen(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _terminal(terminal_id: str | None) -> str:
    """termId is eight characters or is left out."""
    return terminal_id if terminal_id is not None and len(terminal_id) == _TERMINAL_CHARACTERS else ""


def _paid_at(fields: Mapping[str, str], ordered_at: datetime) -> datetime | None:
    """`traceTime` (MMDDhhmmss) has no year: it is the order's, or the next where the payment crossed New Year."""
    ordered = ordered_at.astimezone(BEIJING)
    try:
        paid = datetime.strptime(f"{ordered.year}{fields.get('traceTime', '')}", _TIME_LAYOUT).replace(tzinfo=BEIJING)
        return paid.replace(year=ordered.year + 1) if paid < ordered - timedelta(days=180) else paid
    except ValueError:
        return None
