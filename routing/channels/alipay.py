"""Alipay's open gateway: bar codes, codes on display, pages, refunds.  CHANNEL-PROTOCOLS 2.1–2.7."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from routing.channels.alipay_answers import TIME_LAYOUT, AlipayAnswer, fen_in, must_be_ours, trade_report
from routing.channels.alipay_calls import AlipayCalls
from routing.channels.alipay_codes import (
    BUSINESS_FAILED,
    CHARGE_REFUSALS,
    CLOSE_STATES,
    REFUND_REFUSALS,
    REVERSAL_ERRORS,
    SUCCEEDED,
    TRADE_STATES,
    WAITING_FOR_BUYER,
    row_of,
)
from routing.channels.alipay_notifications import ACKNOWLEDGEMENTS, read_notification
from routing.channels.alipay_payers import authorize_url, buyer, identify_payer
from routing.channels.alipay_statements import fetch_statement
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelOrder,
    ChannelUnknown,
    CodeOrder,
    PageOrder,
    RefundOrder,
    RefundRules,
    Rhythm,
    Transport,
)
from routing.channels.notifications import Acknowledgements, Notification
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
from routing.channels.settings import AlipaySettings
from routing.channels.statements import Statement
from routing.channels.wire import (
    CODE_CHARACTERS_MAX,
    checked_number,
    notify_url_of,
    pay_until_of,
    plain_code,
    rejected,
    text_of,
)

SUBJECT_CHARACTERS_MAX: Final = 256
REASON_CHARACTERS_MAX: Final = 256
REFUND_RULES: Final = RefundRules(interval_s=3.0, count_max=1_000, window_days=365)
"""Alipay names no highest count."""
_FACE_TOKEN_PREFIX: Final = "fp"  # noqa: S105 (the start of a customer's code, no secret)
_NOT_IN_SUBJECTS: Final = str.maketrans("/=&", "   ")


class AlipayChannel:
    """One application at Alipay, in public-key mode."""

    def __init__(self, settings: AlipaySettings, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._calls = AlipayCalls(settings, transport, clock)

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""
        return self._settings.rhythm

    @property
    def refund_rules(self) -> RefundRules:
        """One every three seconds, for twelve months."""
        return REFUND_RULES

    @property
    def acknowledgements(self) -> Acknowledgements:
        """`success`, and anything else."""
        return ACKNOWLEDGEMENTS

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """`alipay.trade.pay`: 10000 is paid, 10003 waits for the buyer."""
        answer = await self._calls.send("alipay.trade.pay", self._charge_content(charge), limits)
        if answer.code in {SUCCEEDED, WAITING_FOR_BUYER}:
            must_be_ours(answer, charge.order, may_be_silent=answer.code == WAITING_FOR_BUYER)
            state = TradeState.CAPTURED if answer.code == SUCCEEDED else TradeState.PENDING
            return trade_report(answer.node, state, answer.code, "gmt_payment")
        refusal = answer.refusal(CHARGE_REFUSALS)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """`alipay.trade.query`: 10000 says only that the trade was found."""
        answer = await self._calls.send("alipay.trade.query", {"out_trade_no": checked_number(order.order_no)}, limits)
        if answer.is_not_found():
            return TradeReport(TradeState.NOT_FOUND, channel_code=answer.plain_code)
        if answer.code != SUCCEEDED:
            raise answer.unknown()
        must_be_ours(answer, order)
        state = TRADE_STATES.get(text_of(answer.node, "trade_status") or "")
        if state is None:
            raise ChannelUnknown(plain_code(answer.node.get("trade_status"), "trade_status"))
        return trade_report(answer.node, state, answer.code, "send_pay_date")

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """`alipay.trade.cancel`: an action says what was done, none that there is no such trade."""
        answer = await self._calls.send("alipay.trade.cancel", {"out_trade_no": checked_number(order.order_no)}, limits)
        if answer.node.get("retry_flag") == "Y":
            return ReversalReport(ReversalState.REPEAT, answer.plain_code)
        if answer.code == SUCCEEDED:
            must_be_ours(answer, order, may_be_silent=not answer.node.get("action"))
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
        content, notify_url = _refund_content(refund), self._settings.notify_url
        answer = await self._calls.send("alipay.trade.refund", content, limits, notify_url=notify_url)
        if answer.code == SUCCEEDED:
            must_be_ours(answer, refund.order)
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
        answer = await self._calls.send("alipay.trade.fastpay.refund.query", content, limits)
        if answer.is_not_found():
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.plain_code)
        if answer.code != SUCCEEDED:
            raise answer.unknown()
        status = text_of(answer.node, "refund_status")
        if status is None:
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.code)
        must_be_ours(answer, refund.order)
        if answer.node.get("out_request_no") != refund.refund_no:
            raise ChannelUnknown("answer_of_another_order")
        state = RefundState.SUCCEEDED if status == "REFUND_SUCCESS" else RefundState.PENDING
        return RefundReport(state, amount_fen=fen_in(answer.node, "refund_amount"), channel_code=status)

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        """`alipay.trade.precreate`.  There is no trade before a customer scans the code."""
        content = self._shown(code) | {"product_code": "QR_CODE_OFFLINE"}
        answer = await self._show("alipay.trade.precreate", content, code.order, limits)
        return CodeReport(_must_have(answer, "qr_code"))

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        """`alipay.trade.create`: the page pays the trade by its number."""
        content = self._shown(page.code) | {"product_code": "JSAPI_PAY"} | buyer(page.payer_id)
        answer = await self._show("alipay.trade.create", content, page.code.order, limits)
        trade_no = _must_have(answer, "trade_no")
        return PageReport({"tradeNO": trade_no}, channel_trade_no=trade_no, bridge_url=self._settings.bridge_url)

    def authorize_url(self, return_url: str, state: str) -> str:
        """The page that identifies the payer without asking; it comes back with `auth_code`."""
        return authorize_url(self._settings, return_url, state)

    async def identify_payer(self, code: str, app_identifier: str, limits: CallLimits) -> str:  # noqa: ARG002
        """The payer's user_id or open_id; `app_identifier` is UnionPay's."""
        return await identify_payer(self._calls, code, limits)

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        """`alipay.trade.close`: of trades that wait for the buyer only."""
        answer = await self._calls.send("alipay.trade.close", {"out_trade_no": checked_number(order.order_no)}, limits)
        if answer.code == SUCCEEDED:
            must_be_ours(answer, order)
            return CloseReport(CloseState.CLOSED)
        state = row_of(answer.sub_code, CLOSE_STATES) if answer.code == BUSINESS_FAILED else None
        if state is None:
            raise answer.unknown()
        return CloseReport(state, answer.plain_code)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:  # noqa: ARG002
        """Verify and read a notification; Alipay's say everything in the body."""
        return read_notification(body, self._settings, self._calls.alipay_key)

    async def statement(self, day: date, limits: CallLimits) -> Statement | None:
        """The trade bill of a day; there is one after 09:00 of the next."""
        return await fetch_statement(self._calls, self._settings, day, limits)

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._calls.aclose()

    # Requests

    async def _show(
        self, method: str, content: dict[str, Any], order: ChannelOrder, limits: CallLimits
    ) -> AlipayAnswer:
        """Open an order that the customer pays by himself."""
        notify_url = notify_url_of(self._settings.notify_url)
        answer = await self._calls.send(method, content, limits, notify_url=notify_url)
        if answer.code == SUCCEEDED:
            must_be_ours(answer, order)
            return answer
        refusal = answer.refusal(CHARGE_REFUSALS)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    def _charge_content(self, charge: BarcodeCharge) -> dict[str, Any]:
        auth_code = charge.auth_code.strip()
        content = {
            "out_trade_no": checked_number(charge.order.order_no),
            "total_amount": charge.order.amount.yuan,
            "subject": _subject(charge.description),
            "auth_code": auth_code,
            "scene": "security_code" if auth_code.startswith(_FACE_TOKEN_PREFIX) else "bar_code",
            "product_code": "FACE_TO_FACE_PAYMENT",
            "seller_id": self._settings.seller_id,
            "timeout_express": self._settings.timeout_express,
        }
        return content | _places(charge)

    def _shown(self, code: CodeOrder) -> dict[str, Any]:
        """What codes and page orders share.  Nothing in it changes when the same order is asked for again."""
        content = {
            "out_trade_no": checked_number(code.order.order_no),
            "total_amount": code.order.amount.yuan,
            "subject": _subject(code.description),
            "seller_id": self._settings.seller_id,
            "time_expire": pay_until_of(code).strftime(TIME_LAYOUT),
        }
        return content | _places(code)


def _subject(description: str) -> str:
    return description[:SUBJECT_CHARACTERS_MAX].translate(_NOT_IN_SUBJECTS)


def _places(sale: BarcodeCharge | CodeOrder) -> dict[str, str]:
    """Where it is sold, as far as it is known."""
    places = {"store_id": sale.store_id, "terminal_id": sale.terminal_id, "operator_id": sale.operator_id}
    return {name: value for name, value in places.items() if value}


def _must_have(answer: AlipayAnswer, name: str) -> str:
    """The field of a successful answer that the customer needs."""
    found = text_of(answer.node, name, CODE_CHARACTERS_MAX)
    if found is None:
        raise ChannelUnknown("answer_malformed")
    return found


def _refund_content(refund: RefundOrder) -> dict[str, Any]:
    return {
        "out_trade_no": checked_number(refund.order.order_no),
        "out_request_no": checked_number(refund.refund_no),
        "refund_amount": refund.amount.yuan,
        "refund_reason": refund.reason[:REASON_CHARACTERS_MAX],
    }


def _cancellation(action: object) -> ReversalReport:
    if isinstance(action, str) and action in {"close", "refund"}:
        return ReversalReport(ReversalState.REVERSED, action)
    if action is None:
        return ReversalReport(ReversalState.NOT_FOUND)
    raise ChannelUnknown("cancel_action")
