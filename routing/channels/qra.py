"""UnionPay's bar-code front (条码支付综合前置): bar codes of every wallet, codes on display and refunds.

Source: CHANNEL-PROTOCOLS 3.6.  One contract for all wallets: the front tells the wallet by the customer's code.  Its
pages inside wallets are calls of their own for each of them and are not spoken here (`facts.methods_of`); the columns
of its bills are not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from gateway.kernel.clock import BEIJING
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelOrder,
    ChannelUnknown,
    ChannelUnsent,
    CodeOrder,
    PageOrder,
    RefundOrder,
    RefundRules,
    Rhythm,
    Transport,
)
from routing.channels.notifications import Acknowledgements, Notification
from routing.channels.qra_answers import (
    TIME_LAYOUT,
    QraAnswer,
    fen,
    must_name,
    paid_report,
    refund_report,
    trade_report,
)
from routing.channels.qra_calls import QraCalls
from routing.channels.qra_codes import (
    CHARGE_REFUSALS,
    CLOSE_ERRORS,
    NO_FAILURES,
    ORDER_NOT_FOUND,
    OTHER_FAILURE,
    REFUND_NOT_FOUND,
    REFUND_REFUSALS,
    REVERSAL_ERRORS,
    SHOW_REFUSALS,
    STILL_PAYING,
    TURNED_AWAY,
)
from routing.channels.qra_notifications import ACKNOWLEDGEMENTS, read_notification
from routing.channels.qra_signing import QraSigning
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
from routing.channels.settings import QraSettings
from routing.channels.statements import Statement
from routing.channels.wire import (
    CODE_CHARACTERS_MAX,
    Refusal,
    checked_number,
    notify_url_of,
    pay_until_of,
    rejected,
    text_of,
)

REFUND_INTERVAL_S: Final = 60.0
REFUND_COUNT_MAX: Final = 50
DESCRIPTION_CHARACTERS_MAX: Final = 127
_PLACE_CHARACTERS_MAX: Final = 32
_TERMINAL_CHARACTERS: Final = 8


class QraChannel:
    """One merchant at the front."""

    def __init__(self, settings: QraSettings, transport: Transport) -> None:
        self._settings = settings
        self._signing = QraSigning(settings.key)
        self._calls = QraCalls(settings, transport, self._signing)

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""
        return self._settings.rhythm

    @property
    def refund_rules(self) -> RefundRules:
        """The front has published none: a pause and a count as of WeChat Pay, the strictest of the wallets behind."""
        return RefundRules(REFUND_INTERVAL_S, REFUND_COUNT_MAX, self._settings.refund_window_days)

    @property
    def acknowledgements(self) -> Acknowledgements:
        """`success` and `fail`, as plain text."""
        return ACKNOWLEDGEMENTS

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """`unified.trade.micropay`.  Without a clear success or a clear failure it has to be asked for."""
        answer = await self._calls.send("unified.trade.micropay", self._charge(charge), limits)
        must_name(answer.fields, "out_trade_no", charge.order.order_no, may_be_silent=not answer.is_success)
        if answer.is_success:
            report = paid_report(answer.fields)
            if report.state is not TradeState.CAPTURED:
                raise ChannelUnknown("pay_result")
            return report
        if answer.code == STILL_PAYING:
            return TradeReport(
                TradeState.PENDING, text_of(answer.fields, "transaction_id"), channel_code=answer.plain_code
            )
        raise rejected(answer.plain_code, _failure_of_charge(answer), answer.authenticity)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """`unified.trade.query` by our number; `trade_state` is its state."""
        answer = await self._calls.send("unified.trade.query", _order(order), limits)
        must_name(answer.fields, "out_trade_no", order.order_no, may_be_silent=not answer.is_success)
        if answer.is_success:
            return trade_report(answer.fields)
        if answer.code in ORDER_NOT_FOUND:
            return TradeReport(TradeState.NOT_FOUND, channel_code=answer.plain_code)
        raise answer.unknown()

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """`unified.micropay.reverse`.  A success that does not name the order is confirmed by a query."""
        answer = await self._calls.send("unified.micropay.reverse", _order(order), limits)
        must_name(answer.fields, "out_trade_no", order.order_no, may_be_silent=True)
        if answer.is_success:
            is_named = bool(answer.fields.get("out_trade_no"))
            return ReversalReport(ReversalState.REVERSED if is_named else ReversalState.ACCEPTED)
        state = REVERSAL_ERRORS.get(answer.code)
        if state is None:
            raise answer.unknown()
        return ReversalReport(state, answer.plain_code)

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """The front has no void of its own: a full refund."""
        return await self.refund(refund, limits)

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """`unified.trade.refund`.  A success says that it was taken in; a query tells the end."""
        fields = _refund(refund) | {
            "total_fee": str(refund.order.amount.amount_fen),
            "refund_fee": str(refund.amount.amount_fen),
            "op_user_id": self._settings.mch_id,
        }
        answer = await self._calls.send("unified.trade.refund", fields, limits)
        must_name(answer.fields, "out_trade_no", refund.order.order_no, may_be_silent=True)
        must_name(answer.fields, "out_refund_no", refund.refund_no, may_be_silent=not answer.is_success)
        _must_be_taken_in(answer, REFUND_REFUSALS)
        return RefundReport(RefundState.PENDING, text_of(answer.fields, "refund_id"), fen(answer.fields, "refund_fee"))

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """`unified.trade.refundquery`: the refunds of an order by places, of which ours is looked for."""
        answer = await self._calls.send("unified.trade.refundquery", _refund(refund), limits)
        must_name(answer.fields, "out_trade_no", refund.order.order_no, may_be_silent=True)
        if answer.is_success:
            return refund_report(answer.fields, refund.refund_no)
        if answer.code in REFUND_NOT_FOUND:
            return RefundReport(RefundState.NOT_FOUND, channel_code=answer.plain_code)
        raise answer.unknown()

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        """`unified.trade.native`: one code that WeChat, Alipay and the UnionPay family scan."""
        answer = await self._calls.send("unified.trade.native", self._shown(code), limits)
        must_name(answer.fields, "out_trade_no", code.order.order_no, may_be_silent=True)
        _must_be_taken_in(answer, SHOW_REFUSALS)
        content = text_of(answer.fields, "code_url", CODE_CHARACTERS_MAX)
        if content is None:
            raise ChannelUnknown("answer_malformed")
        return CodeReport(content)

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:  # noqa: ARG002  # nothing to ask
        """Not spoken: raises ChannelUnsent."""
        raise ChannelUnsent("no_pages")

    def authorize_url(self, return_url: str, state: str) -> str:  # noqa: ARG002  # nothing to ask
        """Not spoken: raises ChannelUnsent."""
        raise ChannelUnsent("no_pages")

    async def identify_payer(self, code: str, app_identifier: str, limits: CallLimits) -> str:  # noqa: ARG002
        """Not spoken: raises ChannelUnsent."""
        raise ChannelUnsent("no_pages")

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        """`unified.trade.close`, for a code on display; a bar code is reversed instead."""
        answer = await self._calls.send("unified.trade.close", _order(order), limits)
        must_name(answer.fields, "out_trade_no", order.order_no, may_be_silent=True)
        if answer.is_success:
            return CloseReport(CloseState.CLOSED)
        state = CLOSE_ERRORS.get(answer.code)
        if state is None:
            raise answer.unknown()
        return CloseReport(state, answer.plain_code)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:  # noqa: ARG002  # all is in the XML
        """Verify and read a notification.  Raises NotificationRefused."""
        return read_notification(body, self._signing, self._settings.mch_id)

    async def statement(self, day: date, limits: CallLimits) -> Statement | None:  # noqa: ARG002  # nothing to ask
        """None: there is `pay.bill.merchant`, but what stands in which of its columns is not known (3.6)."""
        return None

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._calls.aclose()

    def _charge(self, charge: BarcodeCharge) -> dict[str, str]:
        auth_code = charge.auth_code.strip()
        if not (auth_code.isascii() and auth_code.isalnum()):
            raise ChannelUnsent("bad_request")
        fields = self._sale(charge.order, charge.description, charge.store_id, charge.terminal_id, charge.operator_id)
        return fields | {"auth_code": auth_code}

    def _shown(self, code: CodeOrder) -> dict[str, str]:
        """Nothing in it changes when the same order is asked for again."""
        fields = self._sale(code.order, code.description, code.store_id, code.terminal_id, code.operator_id)
        return fields | {
            "notify_url": notify_url_of(self._settings.notify_url),
            "time_start": _stamp(code.order.created_at),
            "time_expire": _stamp(pay_until_of(code)),
        }

    def _sale(
        self,
        order: ChannelOrder,
        description: str,
        store_id: str | None,
        terminal_id: str | None,
        operator_id: str | None,
    ) -> dict[str, str]:
        terminal = _plain(terminal_id or "")[:_PLACE_CHARACTERS_MAX]
        return _order(order) | {
            "body": _plain(description)[:DESCRIPTION_CHARACTERS_MAX],
            "total_fee": str(order.amount.amount_fen),
            "mch_create_ip": self._settings.mch_create_ip,
            "device_info": terminal,
            "op_shop_id": _plain(store_id or "")[:_PLACE_CHARACTERS_MAX],
            "op_device_id": terminal,
            "op_user_id": _plain(operator_id or "")[:_PLACE_CHARACTERS_MAX],
            "terminal_info": self._terminal_info(terminal),
        }

    def _terminal_info(self, terminal: str) -> str:
        """JSON of the till's kind and number, which has eight characters or is left out."""
        fits = len(terminal) == _TERMINAL_CHARACTERS and terminal.isascii() and terminal.isalnum()
        if not (self._settings.device_type and fits):
            return ""
        values = {"device_type": self._settings.device_type, "terminal_id": terminal}
        return json.dumps(values, separators=(",", ":"))


def _order(order: ChannelOrder) -> dict[str, str]:
    return {"out_trade_no": checked_number(order.order_no)}


def _refund(refund: RefundOrder) -> dict[str, str]:
    return _order(refund.order) | {"out_refund_no": checked_number(refund.refund_no)}


def _failure_of_charge(answer: QraAnswer) -> Refusal:
    """The row of a failure that is surely one.  Raises ChannelUnknown for any other."""
    if answer.code in TURNED_AWAY and not answer.is_read:
        return TURNED_AWAY[answer.code]
    if answer.fields.get("need_query") != "N" or answer.code in NO_FAILURES:
        raise answer.unknown()
    return CHARGE_REFUSALS.get(answer.code, OTHER_FAILURE)


def _must_be_taken_in(answer: QraAnswer, refusals: Mapping[str, Refusal]) -> None:
    """Raises ChannelRejected for a code of the table, ChannelUnknown for any other failure, and for `need_query`."""
    if answer.is_success:
        return
    refusal = refusals.get(answer.code)
    if refusal is None or answer.fields.get("need_query") == "Y":
        raise answer.unknown()
    raise rejected(answer.plain_code, refusal, answer.authenticity)


def _plain(text: str) -> str:
    """A text that XML carries as it is and that cannot look like further fields of the signed string."""
    return "".join(character if character.isprintable() else " " for character in text).strip().replace("&", "＆")


def _stamp(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime(TIME_LAYOUT)
