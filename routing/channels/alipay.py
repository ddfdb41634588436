"""Alipay's open gateway: bar code payments, queries, cancellations and refunds.  CHANNEL-PROTOCOLS 2.1–2.6."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from gateway.kernel.clock import BEIJING
from gateway.kernel.money import fen_of_yuan
from routing.channels.alipay_codes import (
    BUSINESS_FAILED,
    CHARGE_REFUSALS,
    GATEWAY_REFUSALS,
    NOT_FOUND,
    REFUND_REFUSALS,
    REVERSAL_ERRORS,
    SUCCEEDED,
    TRADE_STATES,
    WAITING_FOR_BUYER,
    row_of,
)
from routing.channels.alipay_signing import open_answer, signature_of
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelOrder,
    ChannelUnknown,
    RefundOrder,
    Rhythm,
    Transport,
)
from routing.channels.reports import RefundReport, RefundState, ReversalReport, ReversalState, TradeReport, TradeState
from routing.channels.rsa import load_private_key, load_public_key
from routing.channels.settings import AlipaySettings
from routing.channels.wire import (
    Authenticity,
    Refusal,
    beijing_time,
    checked_number,
    json_bytes,
    plain_code,
    rejected,
    text_of,
)

SUBJECT_CHARACTERS_MAX: Final = 256
REASON_CHARACTERS_MAX: Final = 256
_FACE_TOKEN_PREFIX: Final = "fp"  # noqa: S105 (the start of a customer's code, no secret)
_HEADERS: Final = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8", "User-Agent": "mashang/0.1"}
_NOT_IN_SUBJECTS: Final = str.maketrans("/=&", "   ")
_TIME_LAYOUT: Final = "%Y-%m-%d %H:%M:%S"


class _Answer:
    """The node of an answer, verified or an unsigned error of the gateway."""

    __slots__ = ("authenticity", "code", "node", "sub_code")

    def __init__(self, node: Mapping[str, Any], authenticity: Authenticity) -> None:
        self.node = node
        self.authenticity = authenticity
        self.code = text_of(node, "code") or ""
        self.sub_code = text_of(node, "sub_code")

    @property
    def plain_code(self) -> str:
        return plain_code(self.sub_code, self.code if self.code.isdigit() and len(self.code) == 5 else "answer_code")

    def unknown(self) -> ChannelUnknown:
        return ChannelUnknown(self.plain_code)

    def refusal(self, by_sub_code: Mapping[str, Refusal]) -> Refusal | None:
        if self.code == BUSINESS_FAILED:
            return row_of(self.sub_code, by_sub_code)
        return GATEWAY_REFUSALS.get(self.code)

    def is_not_found(self) -> bool:
        return self.code == BUSINESS_FAILED and NOT_FOUND in (self.sub_code or "")


class AlipayChannel:
    """One application at Alipay, in public-key mode."""

    def __init__(self, settings: AlipaySettings, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._key = load_private_key(settings.app_private_key_pem)
        self._alipay_key = load_public_key(settings.alipay_public_key_pem)

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""
        return self._settings.rhythm

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """`alipay.trade.pay`: 10000 is paid, 10003 waits for the buyer."""
        answer = await self._call("alipay.trade.pay", self._charge_content(charge), limits)
        if answer.code in {SUCCEEDED, WAITING_FOR_BUYER}:
            _must_be_ours(answer, charge.order, may_be_silent=answer.code == WAITING_FOR_BUYER)
            state = TradeState.CAPTURED if answer.code == SUCCEEDED else TradeState.PENDING
            return _report(answer, state, "gmt_payment")
        refusal = answer.refusal(CHARGE_REFUSALS)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """`alipay.trade.query`: 10000 says only that the trade was found."""
        answer = await self._call("alipay.trade.query", {"out_trade_no": checked_number(order.order_no)}, limits)
        if answer.is_not_found():
            return TradeReport(TradeState.NOT_FOUND, channel_code=answer.plain_code)
        if answer.code != SUCCEEDED:
            raise answer.unknown()
        _must_be_ours(answer, order)
        state = TRADE_STATES.get(text_of(answer.node, "trade_status") or "")
        if state is None:
            raise ChannelUnknown(plain_code(answer.node.get("trade_status"), "trade_status"))
        return _report(answer, state, "send_pay_date")

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """`alipay.trade.cancel`: an action says what was done, none that there is no such trade."""
        answer = await self._call("alipay.trade.cancel", {"out_trade_no": checked_number(order.order_no)}, limits)
        if answer.node.get("retry_flag") == "Y":
            return ReversalReport(ReversalState.REPEAT, answer.plain_code)
        if answer.code == SUCCEEDED:
            _must_be_ours(answer, order, may_be_silent=not answer.node.get("action"))
            return _cancellation(answer.node.get("action"))
        state = row_of(answer.sub_code, REVERSAL_ERRORS) if answer.code == BUSINESS_FAILED else None
        if state is None:
            raise answer.unknown()
        return ReversalReport(state, answer.plain_code)

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """Alipay has no void of its own: a full refund."""
        return await self.refund(refund, limits)

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """`alipay.trade.refund`.  `refund_fee` is the sum of all refunds so far, so the amount comes from a query."""
        answer = await self._call("alipay.trade.refund", _refund_content(refund), limits)
        if answer.code == SUCCEEDED:
            _must_be_ours(answer, refund.order)
            moved = answer.node.get("fund_change") == "Y"
            return RefundReport(RefundState.SUCCEEDED if moved else RefundState.PENDING, channel_code=answer.code)
        refusal = answer.refusal(REFUND_REFUSALS)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """`alipay.trade.fastpay.refund.query`: without a status nothing was given back under this number."""
        content = {
            "out_trade_no": checked_number(refund.order.order_no),
            "out_request_no": checked_number(refund.refund_no),
        }
        answer = await self._call("alipay.trade.fastpay.refund.query", content, limits)
        if answer.is_not_found():
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.plain_code)
        if answer.code != SUCCEEDED:
            raise answer.unknown()
        status = text_of(answer.node, "refund_status")
        if status is None:
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.code)
        _must_be_ours(answer, refund.order)
        if answer.node.get("out_request_no") != refund.refund_no:
            raise ChannelUnknown("answer_of_another_order")
        state = RefundState.SUCCEEDED if status == "REFUND_SUCCESS" else RefundState.PENDING
        return RefundReport(state, amount_fen=_fen(answer.node, "refund_amount"), channel_code=status)

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()

    # Requests

    async def _call(self, method: str, content: dict[str, Any], limits: CallLimits) -> _Answer:
        """One signed request and its judged answer.  Without a signature only errors of the gateway are believed."""
        params = {
            "app_id": self._settings.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": datetime.fromtimestamp(self._clock(), BEIJING).strftime(_TIME_LAYOUT),
            "version": "1.0",
        }
        biz_content = json_bytes(content).decode()
        sign = signature_of(params | {"biz_content": biz_content}, self._key)
        url = f"{self._settings.gateway_url}?{urlencode(params | {'sign': sign})}"
        body = f"biz_content={quote_plus(biz_content)}".encode()
        response = await self._transport.send("POST", url, _HEADERS, body, limits)
        if response.status != 200:
            raise ChannelUnknown(f"http_{response.status}")
        opened = open_answer(response.body, method, self._alipay_key)
        answer = _Answer(opened.node, opened.authenticity)
        unsigned_error = opened.authenticity is Authenticity.UNSIGNED and answer.code in GATEWAY_REFUSALS
        if opened.authenticity is not Authenticity.VERIFIED and not unsigned_error:
            raise ChannelUnknown("answer_signature")
        return answer

    def _charge_content(self, charge: BarcodeCharge) -> dict[str, Any]:
        auth_code = charge.auth_code.strip()
        content = {
            "out_trade_no": checked_number(charge.order.order_no),
            "total_amount": charge.order.amount.yuan,
            "subject": charge.description[:SUBJECT_CHARACTERS_MAX].translate(_NOT_IN_SUBJECTS),
            "auth_code": auth_code,
            "scene": "security_code" if auth_code.startswith(_FACE_TOKEN_PREFIX) else "bar_code",
            "product_code": "FACE_TO_FACE_PAYMENT",
            "seller_id": self._settings.seller_id,
            "timeout_express": self._settings.timeout_express,
        }
        places = {
            "store_id": charge.store_id,
            "terminal_id": charge.terminal_id,
            "operator_id": charge.operator_id,
        }
        return content | {name: value for name, value in places.items() if value}


def _refund_content(refund: RefundOrder) -> dict[str, Any]:
    return {
        "out_trade_no": checked_number(refund.order.order_no),
        "out_request_no": checked_number(refund.refund_no),
        "refund_amount": refund.amount.yuan,
        "refund_reason": refund.reason[:REASON_CHARACTERS_MAX],
    }


def _must_be_ours(answer: _Answer, order: ChannelOrder, *, may_be_silent: bool = False) -> None:
    """An answer about another order says nothing about ours."""
    named = answer.node.get("out_trade_no")
    if named != order.order_no and not (named is None and may_be_silent):
        raise ChannelUnknown("answer_of_another_order")


def _report(answer: _Answer, state: TradeState, paid_at_field: str) -> TradeReport:
    node = answer.node
    return TradeReport(
        state=state,
        channel_trade_no=text_of(node, "trade_no"),
        amount_fen=_fen(node, "total_amount"),
        payer_paid_fen=_fen(node, "buyer_pay_amount"),
        paid_at=beijing_time(text_of(node, paid_at_field), _TIME_LAYOUT),
        payer_id=text_of(node, "buyer_open_id") or text_of(node, "buyer_user_id"),
        channel_code=text_of(node, "trade_status") or answer.code,
    )


def _cancellation(action: object) -> ReversalReport:
    if isinstance(action, str) and action in {"close", "refund"}:
        return ReversalReport(ReversalState.REVERSED, action)
    if action is None:
        return ReversalReport(ReversalState.NOT_FOUND)
    raise ChannelUnknown("cancel_action")


def _fen(node: Mapping[str, Any], name: str) -> int | None:
    text = text_of(node, name)
    try:
        return None if text is None else fen_of_yuan(text)
    except ValueError:
        return None
