"""UnionPay ACP 5.1.0: bar codes, codes on display, pages, queries, reversals, voids and refunds.  CHANNEL-PROTOCOLS 3.

Every transaction is accepted first and decided later: 00 to a request means PENDING, and only a query or a
notification tells the end.  There is no call that closes an order: it ends by its `payTimeout`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from gateway.kernel.clock import utc_now
from gateway.kernel.ids import new_ulid
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
from routing.channels.settings import UnionpaySettings
from routing.channels.statements import Statement
from routing.channels.unionpay_answers import queried_state, refund_report, trade_report
from routing.channels.unionpay_calls import UnionpayCalls, beijing_stamp, must_be_accepted
from routing.channels.unionpay_codes import (
    ACCEPTED,
    DUPLICATE,
    FILE_NOT_FOUND,
    REFUND_REFUSALS,
    REVERSAL_ERRORS,
    SUCCEEDED,
)
from routing.channels.unionpay_files import read_statement
from routing.channels.unionpay_notifications import ACKNOWLEDGEMENTS, ORDER_CHARACTERS, read_notification
from routing.channels.unionpay_signing import CertificateSigning, KeyedHashSigning, Signing
from routing.channels.wire import text_of

NO_NOTIFICATION: Final = "http://www.specialUrl.com"
"""The address by which UnionPay knows that no notification is wanted."""
REFUND_COUNT_MAX: Final = 1_000
FILE_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
_CNY: Final = "156"
_TERMINAL_CHARACTERS: Final = 8
_ADDRESS_CHARACTERS_MAX: Final = 2_048


class UnionpayChannel:
    """One merchant at UnionPay ACP."""

    def __init__(
        self, settings: UnionpaySettings, transport: Transport, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._signing = _signing(settings, clock)
        self._calls = UnionpayCalls(settings.mer_id, transport, self._signing)

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""
        return self._settings.rhythm

    @property
    def refund_rules(self) -> RefundRules:
        """UnionPay names neither a pause between refunds nor a count; its window is the product's."""
        return RefundRules(0.0, REFUND_COUNT_MAX, self._settings.refund_window_days)

    @property
    def acknowledgements(self) -> Acknowledgements:
        """HTTP 200 says that it was taken in."""
        return ACKNOWLEDGEMENTS

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """消费 01/06.  Never more than PENDING: 00 says accepted."""
        fields = {
            "qrNo": charge.auth_code.strip(),
            "backUrl": self._notify_url if self._settings.notify_barcode else NO_NOTIFICATION,
            "termId": _terminal(charge.terminal_id),
        }
        request = self._consume("06", charge.order) | fields
        answer = await self._calls.send(self._settings.back_trans_url, request, limits)
        must_be_accepted(answer, ACCEPTED)
        return TradeReport(TradeState.PENDING, text_of(answer.fields, "queryId"), channel_code=answer.plain_code)

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        """申请二维码 01/07."""
        answer = await self._calls.send(self._settings.back_trans_url, self._shown("07", code), limits)
        must_be_accepted(answer, SUCCEEDED)
        return CodeReport(_address(answer.fields, "qrCode"))

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        """统一下单 01/01 `mobileWeb`: the browser goes on to `payUrl`."""
        fields = {
            "tradeType": "mobileWeb",
            "appUserId": page.payer_id,
            "appUpIdentifier": page.app_identifier,
            "frontUrl": page.return_url,
            "customerIp": page.client_ip,
            "qrCodeType": self._settings.qr_code_type,
        }
        request = self._shown("01", page.code) | fields
        answer = await self._calls.send(self._settings.front_trans_url, request, limits)
        must_be_accepted(answer, SUCCEEDED)
        return PageReport(pay_url=_address(answer.fields, "payUrl"), channel_trade_no=text_of(answer.fields, "queryId"))

    def authorize_url(self, return_url: str, state: str) -> str:
        """The userAuth page.  It has no field for `state`, so the address to return to carries it."""
        if not self._settings.oauth_url:
            raise ChannelUnsent("not_configured")
        back = urlsplit(return_url)
        query = urlencode([*parse_qsl(back.query, keep_blank_values=True), ("state", state)])
        return_to = urlunsplit(back._replace(query=query))
        return f"{self._settings.oauth_url}?version=1.0.0&redirectUrl={quote(return_to, safe='')}"

    async def identify_payer(self, code: str, app_identifier: str, limits: CallLimits) -> str:
        """获取用户标识 00/10: the `appUserId` behind a userAuthCode, for the app that opened the page."""
        request = self._calls.transaction("00", "10", f"AU{new_ulid()}", utc_now())
        request |= {"userAuthCode": code, "appUpIdentifier": app_identifier}
        answer = await self._calls.send(self._settings.front_trans_url, request, limits)
        must_be_accepted(answer, SUCCEEDED)
        payer_id = text_of(answer.fields, "appUserId")
        if payer_id is None:
            raise ChannelUnknown("appUserId")
        return payer_id

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:  # noqa: ARG002  # nothing to ask
        """UnionPay has no such call."""
        return CloseReport(CloseState.UNSUPPORTED)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """交易查询 00/00 by number and time of the order; `origRespCode` is its state."""
        request = self._calls.transaction("00", "00", order.order_no, order.created_at)
        answer = await self._calls.send(self._settings.query_trans_url, request, limits)
        state, code = queried_state(answer)
        return trade_report(answer.fields, state, code, order.created_at)

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """冲正 99/01 under the number and time of the order, on the same clearing day; a query says how it ended."""
        request = self._calls.transaction("99", "01", order.order_no, order.created_at)
        answer = await self._calls.send(self._settings.back_trans_url, request, limits)
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
        request = self._calls.transaction("00", "00", refund.refund_no, refund.created_at)
        answer = await self._calls.send(self._settings.query_trans_url, request, limits)
        state, code = queried_state(answer)
        return refund_report(answer.fields, state, code)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:  # noqa: ARG002  # all is in the form
        """Verify and read a back notification.  Raises NotificationRefused."""
        return read_notification(body, self._signing, self._settings.mer_id)

    async def statement(self, day: date, limits: CallLimits) -> Statement | None:
        """文件传输 76/01: the file of a settlement date, which begins at 23:00 of the day before."""
        request = self._calls.message("76", "01", utc_now()) | {"settleDate": f"{day:%m%d}", "fileType": "00"}
        wide = replace(limits, response_bytes_max=FILE_ANSWER_BYTES_MAX)
        answer = await self._calls.send(self._settings.file_url, request, wide)
        if answer.code == FILE_NOT_FOUND:
            return None
        must_be_accepted(answer, SUCCEEDED)
        content = answer.fields.get("fileContent", "")
        try:  # in a thread, for a large file would hold up every payment of this process
            return await asyncio.to_thread(read_statement, content, self._settings.mer_id, day, ORDER_CHARACTERS)
        except ValueError:
            raise ChannelUnknown("statement_malformed") from None

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()

    @property
    def _notify_url(self) -> str:
        return self._settings.notify_url or NO_NOTIFICATION

    def _consume(self, sub_kind: str, order: ChannelOrder) -> dict[str, str]:
        request = self._calls.transaction("01", sub_kind, order.order_no, order.created_at)
        return request | {"txnAmt": str(order.amount.amount_fen), "currencyCode": _CNY}

    def _shown(self, sub_kind: str, code: CodeOrder) -> dict[str, str]:
        """A consume that the customer begins, until `payTimeout`."""
        return self._consume(sub_kind, code.order) | {
            "backUrl": self._notify_url,
            "payTimeout": beijing_stamp(code.pay_until),
            "termId": _terminal(code.terminal_id),
        }

    async def _give_back(self, kind: str, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """A repeated request is answered as a duplicate: it was taken in before, and a query tells the rest."""
        if refund.order.channel_trade_no is None:
            raise ChannelUnsent("no_channel_trade_no")
        fields = {
            "origQryId": refund.order.channel_trade_no,
            "txnAmt": str(refund.amount.amount_fen),
            "currencyCode": _CNY,
            "backUrl": self._notify_url,
        }
        request = self._calls.transaction(kind, "00", refund.refund_no, refund.created_at) | fields
        answer = await self._calls.send(self._settings.back_trans_url, request, limits)
        must_be_accepted(answer, ACCEPTED | {DUPLICATE}, REFUND_REFUSALS)
        return RefundReport(RefundState.PENDING, text_of(answer.fields, "queryId"), channel_code=answer.plain_code)


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


def _terminal(terminal_id: str | None) -> str:
    """termId is eight characters or is left out."""
    return terminal_id if terminal_id is not None and len(terminal_id) == _TERMINAL_CHARACTERS else ""


def _address(fields: Mapping[str, str], name: str) -> str:
    """An address that the customer's wallet opens.  Raises ChannelUnknown where the answer has none."""
    address = fields.get(name, "")
    plain = address.isascii() and address.isprintable() and " " not in address
    if not plain or len(address) > _ADDRESS_CHARACTERS_MAX or not address.startswith(("https://", "http://")):
        raise ChannelUnknown(name)
    return address
