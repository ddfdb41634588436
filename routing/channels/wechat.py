"""WeChat Pay APIv3, direct merchant: bar codes, codes on display, pages, refunds.  CHANNEL-PROTOCOLS 1.1–1.9."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

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
from routing.channels.settings import WechatSettings
from routing.channels.statements import Statement
from routing.channels.wechat_answers import WechatAnswer, refund_report, trade_report
from routing.channels.wechat_calls import WechatCalls
from routing.channels.wechat_codes import (
    CHARGE_REFUSALS,
    CLOSE_STATES,
    ORDER_IS_SHUT,
    ORDER_NOT_FOUND,
    PAYMENT_FAILED,
    REFUND_NOT_FOUND,
    REFUND_REFUSALS,
    REVERSAL_ERRORS,
    SHOW_REFUSALS,
    STILL_PAYING,
)
from routing.channels.wechat_notifications import ACKNOWLEDGEMENTS, NotificationReader
from routing.channels.wechat_payers import authorize_url, identify_payer
from routing.channels.wechat_statements import fetch_statement
from routing.channels.wire import (
    CODE_CHARACTERS_MAX,
    checked_number,
    json_bytes,
    notify_url_of,
    pay_until_of,
    rejected,
    text_of,
)

DESCRIPTION_CHARACTERS_MAX: Final = 127
REASON_CHARACTERS_MAX: Final = 80
REFUND_RULES: Final = RefundRules(interval_s=60.0, count_max=50, window_days=365)
_ORDERS: Final = "/v3/pay/transactions/out-trade-no/"
_REFUNDS: Final = "/v3/refund/domestic/refunds"


class WechatChannel:
    """One merchant account at WeChat Pay."""

    def __init__(self, settings: WechatSettings, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._transport = transport
        self._calls = WechatCalls(settings, transport, clock)
        self._notifications = NotificationReader(settings, self._calls.verifier)

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""
        return self._settings.rhythm

    @property
    def refund_rules(self) -> RefundRules:
        """One a minute, 50 in all, for a year."""
        return REFUND_RULES

    @property
    def acknowledgements(self) -> Acknowledgements:
        """200 and 400 with a code."""
        return ACKNOWLEDGEMENTS

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """`POST /v3/pay/transactions/codepay`.  USERPAYING comes as 200 with a state, 202 with a code, or an error."""
        answer = await self._calls.send("POST", "/v3/pay/transactions/codepay", self._charge_body(charge), limits)
        if answer.is_success and "trade_state" in answer.fields:
            return self._charge_outcome(answer, charge.order)
        if answer.code == STILL_PAYING:
            return TradeReport(TradeState.PENDING, channel_code=answer.plain_code)
        refusal = None if answer.is_success else CHARGE_REFUSALS.get(answer.code)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """`GET /v3/pay/transactions/out-trade-no/{no}`."""
        answer = await self._calls.send(
            "GET", f"{_ORDERS}{checked_number(order.order_no)}?mchid={self._settings.mchid}", b"", limits
        )
        if not answer.is_success and answer.code in ORDER_NOT_FOUND:
            return TradeReport(TradeState.NOT_FOUND, channel_code=answer.plain_code)
        if not answer.is_success:
            raise answer.unknown()
        return self._trade(answer, order)

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """`POST …/{no}/reverse`: closes an unpaid order and gives back a paid one."""
        body = json_bytes({"appid": self._settings.appid, "mchid": self._settings.mchid})
        answer = await self._calls.send("POST", f"{_ORDERS}{checked_number(order.order_no)}/reverse", body, limits)
        if not answer.is_success:
            return self._reversal_error(answer)
        if answer.status == 202 or answer.fields.get("recall") == "Y":
            return ReversalReport(ReversalState.REPEAT, answer.plain_code)
        self._must_be_ours(answer, order)
        return ReversalReport(ReversalState.REVERSED)

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """WeChat Pay has no void of its own: a full refund."""
        return await self.refund(refund, limits)

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """`POST /v3/refund/domestic/refunds`.  200 means accepted; `status` says how far it is."""
        answer = await self._calls.send("POST", _REFUNDS, self._refund_body(refund), limits)
        if answer.is_success:
            return self._refund_report(answer, refund)
        refusal = REFUND_REFUSALS.get(answer.code)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """`GET /v3/refund/domestic/refunds/{out_refund_no}`."""
        answer = await self._calls.send("GET", f"{_REFUNDS}/{checked_number(refund.refund_no)}", b"", limits)
        if not answer.is_success and answer.code in REFUND_NOT_FOUND:
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.plain_code)
        if not answer.is_success:
            raise answer.unknown()
        return self._refund_report(answer, refund)

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        """`POST /v3/pay/transactions/native`: the same values again bring a fresh code and end the one before."""
        answer = await self._calls.send("POST", "/v3/pay/transactions/native", json_bytes(self._shown(code)), limits)
        return CodeReport(_shown_answer(answer, "code_url"))

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        """`POST /v3/pay/transactions/jsapi`, and the signed parameters of the in-page call."""
        body = json_bytes(self._shown(page.code) | {"payer": {"openid": page.payer_id}})
        answer = await self._calls.send("POST", "/v3/pay/transactions/jsapi", body, limits)
        package = f"prepay_id={_shown_answer(answer, 'prepay_id')}"
        bridge = self._calls.signer.call_up(self._settings.appid, package)
        return PageReport(bridge, bridge_url=self._settings.bridge_url)

    def authorize_url(self, return_url: str, state: str) -> str:
        """The page that identifies the payer without asking."""
        return authorize_url(self._settings, return_url, state)

    async def identify_payer(self, code: str, app_identifier: str, limits: CallLimits) -> str:  # noqa: ARG002
        """The payer's openid; `app_identifier` is UnionPay's."""
        return await identify_payer(self._settings, self._transport, code, limits)

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        """`POST …/{no}/close`: 204, also the second time.  A bar code order must be reversed instead."""
        body = json_bytes({"mchid": self._settings.mchid})
        answer = await self._calls.send("POST", f"{_ORDERS}{checked_number(order.order_no)}/close", body, limits)
        if answer.status == 204:
            return CloseReport(CloseState.CLOSED)
        if answer.is_verified and not answer.is_success and answer.code in ORDER_IS_SHUT:
            return CloseReport(CloseState.CLOSED, answer.plain_code)
        state = None if answer.is_success else CLOSE_STATES.get(answer.code)
        if state is None:
            raise answer.unknown()
        return CloseReport(state, answer.plain_code)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Verify, open and read a notification."""
        return self._notifications.read(headers, body)

    async def statement(self, day: date, limits: CallLimits) -> Statement | None:
        """The trade bill of all payments and refunds of a day; there is one after 10:00 of the next."""
        return await fetch_statement(self._calls, self._settings, day, limits)

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()

    # Requests

    def _charge_body(self, charge: BarcodeCharge) -> bytes:
        scene: dict[str, Any] = {"store_info": {"id": charge.store_id or "0"}}
        if charge.terminal_id:
            scene["device_id"] = charge.terminal_id
        return json_bytes(
            {
                "appid": self._settings.appid,
                "mchid": self._settings.mchid,
                "description": charge.description[:DESCRIPTION_CHARACTERS_MAX],
                "out_trade_no": checked_number(charge.order.order_no),
                "payer": {"auth_code": charge.auth_code.strip()},
                "amount": {"total": charge.order.amount.amount_fen, "currency": charge.order.amount.currency},
                "scene_info": scene,
            }
        )

    def _shown(self, code: CodeOrder) -> dict[str, Any]:
        """What codes and page orders share.  Nothing in it changes when the same order is asked for again."""
        return {
            "appid": self._settings.appid,
            "mchid": self._settings.mchid,
            "description": code.description[:DESCRIPTION_CHARACTERS_MAX],
            "out_trade_no": checked_number(code.order.order_no),
            "time_expire": pay_until_of(code).isoformat(),
            "notify_url": notify_url_of(self._settings.notify_url),
            "amount": {"total": code.order.amount.amount_fen, "currency": code.order.amount.currency},
        }

    def _refund_body(self, refund: RefundOrder) -> bytes:
        notified = {"notify_url": self._settings.notify_url} if self._settings.notify_url else {}
        return json_bytes(
            {
                "out_trade_no": checked_number(refund.order.order_no),
                "out_refund_no": checked_number(refund.refund_no),
                "reason": refund.reason[:REASON_CHARACTERS_MAX],
                "amount": {
                    "refund": refund.amount.amount_fen,
                    "total": refund.order.amount.amount_fen,
                    "currency": refund.amount.currency,
                },
                **notified,
            }
        )

    # Answers

    def _must_be_ours(self, answer: WechatAnswer, order: ChannelOrder) -> None:
        """An answer about another order, merchant or application says nothing about ours."""
        fields = answer.fields
        ours = (
            fields.get("out_trade_no") == order.order_no
            and fields.get("mchid") == self._settings.mchid
            and fields.get("appid", self._settings.appid) == self._settings.appid
        )
        if not ours:
            raise ChannelUnknown("answer_of_another_order")

    def _trade(self, answer: WechatAnswer, order: ChannelOrder) -> TradeReport:
        if "appid" not in answer.fields:
            raise ChannelUnknown("answer_of_another_order")
        self._must_be_ours(answer, order)
        return trade_report(answer.fields)

    def _charge_outcome(self, answer: WechatAnswer, order: ChannelOrder) -> TradeReport:
        """A new order is paid, undecided or refused; any other state needs a query to be believed."""
        report = self._trade(answer, order)
        if report.state is TradeState.REFUSED:
            raise rejected("PAYERROR", PAYMENT_FAILED, answer.authenticity)
        if report.state not in {TradeState.CAPTURED, TradeState.PENDING}:
            raise ChannelUnknown(report.channel_code or "trade_state")
        return report

    def _reversal_error(self, answer: WechatAnswer) -> ReversalReport:
        if answer.is_verified and answer.code in ORDER_IS_SHUT:
            return ReversalReport(ReversalState.REVERSED, answer.plain_code)
        state = REVERSAL_ERRORS.get(answer.code)
        if state is None:
            raise answer.unknown()
        return ReversalReport(state, answer.plain_code)

    def _refund_report(self, answer: WechatAnswer, refund: RefundOrder) -> RefundReport:
        fields = answer.fields
        ours = fields.get("out_refund_no") == refund.refund_no
        if not ours or fields.get("out_trade_no", refund.order.order_no) != refund.order.order_no:
            raise ChannelUnknown("answer_of_another_order")
        return refund_report(fields, fields.get("status"))


def _shown_answer(answer: WechatAnswer, name: str) -> str:
    """The field of a successful answer that the customer needs.  Raises ChannelRejected and ChannelUnknown."""
    if answer.is_success:
        found = text_of(answer.fields, name, CODE_CHARACTERS_MAX)
        if found is None:
            raise ChannelUnknown("answer_malformed")
        return found
    refusal = SHOW_REFUSALS.get(answer.code)
    if refusal is None:
        raise answer.unknown()
    raise rejected(answer.plain_code, refusal, answer.authenticity)
