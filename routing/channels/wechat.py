"""WeChat Pay APIv3, direct merchant: bar code payments, queries, reversals and refunds.  CHANNEL-PROTOCOLS 1.1–1.7."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

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
from routing.channels.settings import WechatSettings
from routing.channels.wechat_codes import (
    CHARGE_REFUSALS,
    ORDER_IS_SHUT,
    ORDER_NOT_FOUND,
    PAYMENT_FAILED,
    REFUND_NOT_FOUND,
    REFUND_REFUSALS,
    REFUND_STATES,
    REVERSAL_ERRORS,
    STILL_PAYING,
    TRADE_STATES,
    spelled,
)
from routing.channels.wechat_signing import AnswerVerifier, RequestSigner
from routing.channels.wire import (
    Authenticity,
    checked_number,
    fen_of,
    json_bytes,
    json_object,
    plain_code,
    rejected,
    text_of,
)

USER_AGENT: Final = "mashang/0.1"
DESCRIPTION_CHARACTERS_MAX: Final = 127
REASON_CHARACTERS_MAX: Final = 80
_ORDERS: Final = "/v3/pay/transactions/out-trade-no/"
_REFUNDS: Final = "/v3/refund/domestic/refunds"


class _Answer:
    """One answer: its status, what its signature says, and its JSON object."""

    __slots__ = ("authenticity", "code", "fields", "status")

    def __init__(self, status: int, authenticity: Authenticity, fields: dict[str, Any]) -> None:
        self.status = status
        self.authenticity = authenticity
        self.fields = fields
        self.code = spelled(fields.get("code"))

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_verified(self) -> bool:
        return self.authenticity is Authenticity.VERIFIED

    @property
    def plain_code(self) -> str:
        return plain_code(self.fields.get("code"), f"http_{self.status}")

    def unknown(self) -> ChannelUnknown:
        return ChannelUnknown(self.plain_code)


class WechatChannel:
    """One merchant account at WeChat Pay."""

    def __init__(self, settings: WechatSettings, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._transport = transport
        self._signer = RequestSigner(settings.mchid, settings.merchant_serial, settings.merchant_private_key_pem, clock)
        self._verifier = AnswerVerifier(settings.platform_public_keys, clock)
        self._headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": USER_AGENT}
        public_key_id = next((key for key in settings.platform_public_keys if key.startswith("PUB_KEY_ID_")), None)
        if public_key_id is not None:
            self._headers["Wechatpay-Serial"] = public_key_id

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""
        return self._settings.rhythm

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """`POST /v3/pay/transactions/codepay`.  USERPAYING comes as 200 with a state, 202 with a code, or an error."""
        answer = await self._call("POST", "/v3/pay/transactions/codepay", self._charge_body(charge), limits)
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
        answer = await self._call(
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
        answer = await self._call("POST", f"{_ORDERS}{checked_number(order.order_no)}/reverse", body, limits)
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
        answer = await self._call("POST", _REFUNDS, self._refund_body(refund), limits)
        if answer.is_success:
            return self._refund_report(answer, refund)
        refusal = REFUND_REFUSALS.get(answer.code)
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """`GET /v3/refund/domestic/refunds/{out_refund_no}`."""
        answer = await self._call("GET", f"{_REFUNDS}/{checked_number(refund.refund_no)}", b"", limits)
        if not answer.is_success and answer.code in REFUND_NOT_FOUND:
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.plain_code)
        if not answer.is_success:
            raise answer.unknown()
        return self._refund_report(answer, refund)

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()

    # Requests

    async def _call(self, method: str, target: str, body: bytes, limits: CallLimits) -> _Answer:
        """One signed request and its judged answer.  Raises ChannelUnknown where a success is not proven to be one."""
        headers = self._headers | {"Authorization": self._signer.authorization(method, target, body)}
        response = await self._transport.send(method, self._settings.base_url + target, headers, body, limits)
        authenticity = self._verifier.check(response.headers, response.body)
        is_success = 200 <= response.status < 300
        if authenticity is Authenticity.FORGED or (is_success and authenticity is not Authenticity.VERIFIED):
            raise ChannelUnknown("answer_signature")
        try:
            return _Answer(response.status, authenticity, json_object(response.body))
        except ChannelUnknown:
            raise ChannelUnknown("answer_malformed" if is_success else f"http_{response.status}") from None

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

    def _refund_body(self, refund: RefundOrder) -> bytes:
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
            }
        )

    # Answers

    def _must_be_ours(self, answer: _Answer, order: ChannelOrder) -> None:
        """An answer about another order, merchant or application says nothing about ours."""
        fields = answer.fields
        ours = (
            fields.get("out_trade_no") == order.order_no
            and fields.get("mchid") == self._settings.mchid
            and fields.get("appid", self._settings.appid) == self._settings.appid
        )
        if not ours:
            raise ChannelUnknown("answer_of_another_order")

    def _trade(self, answer: _Answer, order: ChannelOrder) -> TradeReport:
        fields = answer.fields
        if "appid" not in fields:
            raise ChannelUnknown("answer_of_another_order")
        self._must_be_ours(answer, order)
        state = fields.get("trade_state")
        known = TRADE_STATES.get(state) if isinstance(state, str) else None
        if known is None:
            raise ChannelUnknown(plain_code(state, "trade_state"))
        amount, payer = fields.get("amount"), fields.get("payer")
        return TradeReport(
            state=known,
            channel_trade_no=text_of(fields, "transaction_id"),
            amount_fen=fen_of(amount, "total"),
            payer_paid_fen=fen_of(amount, "payer_total"),
            paid_at=_moment(fields.get("success_time")),
            payer_id=text_of(payer, "openid") if isinstance(payer, dict) else None,
            channel_code=state,
            failure=PAYMENT_FAILED.failure if known is TradeState.REFUSED else None,
        )

    def _charge_outcome(self, answer: _Answer, order: ChannelOrder) -> TradeReport:
        """A new order is paid, undecided or refused; any other state needs a query to be believed."""
        report = self._trade(answer, order)
        if report.state is TradeState.REFUSED:
            raise rejected("PAYERROR", PAYMENT_FAILED, answer.authenticity)
        if report.state not in {TradeState.CAPTURED, TradeState.PENDING}:
            raise ChannelUnknown(report.channel_code or "trade_state")
        return report

    def _reversal_error(self, answer: _Answer) -> ReversalReport:
        if answer.is_verified and answer.code in ORDER_IS_SHUT:
            return ReversalReport(ReversalState.REVERSED, answer.plain_code)
        state = REVERSAL_ERRORS.get(answer.code)
        if state is None:
            raise answer.unknown()
        return ReversalReport(state, answer.plain_code)

    def _refund_report(self, answer: _Answer, refund: RefundOrder) -> RefundReport:
        fields = answer.fields
        ours = fields.get("out_refund_no") == refund.refund_no
        if not ours or fields.get("out_trade_no", refund.order.order_no) != refund.order.order_no:
            raise ChannelUnknown("answer_of_another_order")
        status = fields.get("status")
        state = REFUND_STATES.get(status) if isinstance(status, str) else None
        if state is None:
            raise ChannelUnknown(plain_code(status, "refund_status"))
        return RefundReport(state, text_of(fields, "refund_id"), fen_of(fields.get("amount"), "refund"), status)


def _moment(text: object) -> datetime | None:
    """An RFC 3339 time with its zone, or None."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
