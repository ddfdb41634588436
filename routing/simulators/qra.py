"""The simulator of UnionPay's bar-code front (条码支付综合前置) before every wallet.  CHANNEL-PROTOCOLS 3.6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from routing.simulators.acts import Act, CallKind
from routing.simulators.books import Books
from routing.simulators.channel import Call, Display, HttpAnswer, HttpRequest, Visit
from routing.simulators.magic import magic_act
from routing.simulators.notifications import Herald
from routing.simulators.qra_account import QraAccount
from routing.simulators.qra_answers import COMMON, UNDECIDED, QraDraft, failed, unproven
from routing.simulators.qra_calls import QraDesk
from routing.simulators.qra_fields import Ask, BadField, Fields
from routing.simulators.qra_herald import QraHerald
from routing.simulators.qra_orders import SCAN_PATH, QraOrders, token_in
from routing.simulators.qra_refunds import QraRefunds
from routing.simulators.qra_signing import read_xml
from routing.simulators.qra_visits import QraVisits
from routing.simulators.qra_wallets import SCANNERS

GATEWAY: Final = "/pay/gateway"
_COMMON: Final = ("service", "mch_id", "nonce_str", "sign")
Handler = Callable[[Ask, Act], Fields]


@dataclass(frozen=True, slots=True)
class QraCall:
    """A request whose signature was verified."""

    mch_id: str
    ask: Ask
    handler: Handler
    kind: CallKind

    @property
    def order_no(self) -> str:
        """out_trade_no, which refunds name too."""
        return self.ask.fields.get("out_trade_no", "")

    @property
    def magic(self) -> Act | None:
        """What the payment code or the amount asks for."""
        total = self.ask.fields.get("total_fee", "")
        if self.kind is not CallKind.PAY or not (total.isascii() and total.isdigit()):
            return None
        return magic_act(self.ask.fields.get("auth_code", ""), int(total))

    def _draft(self, fields: Fields) -> QraDraft:
        """With need_query where a payment failed: N says that it surely was not made, Y that it must be asked for."""
        if self.kind is CallKind.PAY and "err_code" in fields:
            fields |= {"need_query": "Y" if fields["err_code"] in UNDECIDED else "N"}
        return QraDraft(self.ask.key, COMMON | {"mch_id": self.mch_id} | fields)

    def perform(self, act: Act) -> QraDraft:
        """Carry it out."""
        try:
            return self._draft(self.handler(self.ask, act))
        except BadField as error:
            return self._draft(failed(error.code, error.message))

    def fail(self, code: str) -> QraDraft:
        """Any err_code."""
        return self._draft(failed(code))

    def server_error(self) -> QraDraft:
        """SYSTEMERROR: it must be asked for."""
        return self.fail("SYSTEMERROR")

    def rate_limited(self) -> QraDraft:
        """FREQUENCY_LIMITED."""
        return self.fail("FREQUENCY_LIMITED")

    def unavailable(self) -> QraDraft:
        """NOAUTH."""
        return self.fail("NOAUTH")


class QraChannel:
    """Checks requests: XML, common fields, merchant and signature; then the service."""

    name = "qra"
    display: Final = Display(SCANNERS, token_in)

    def __init__(self, account: QraAccount, books: Books) -> None:
        self._account = account
        desk, orders, refunds = QraDesk(account, books), QraOrders(account, books), QraRefunds(account, books)
        self._services: dict[str, tuple[CallKind, Handler]] = {
            "unified.trade.micropay": (CallKind.PAY, desk.pay),
            "unified.trade.query": (CallKind.QUERY, desk.query),
            "unified.micropay.reverse": (CallKind.REVERSE, desk.reverse),
            "unified.trade.native": (CallKind.CREATE_CODE, orders.native),
            "unified.trade.close": (CallKind.CLOSE, orders.close),
            "unified.trade.refund": (CallKind.REFUND, refunds.refund),
            "unified.trade.refundquery": (CallKind.REFUND_QUERY, refunds.query),
        }
        self._visits = QraVisits(books)
        self.herald: Herald = QraHerald(account)

    def visit(self, request: HttpRequest) -> Visit | None:  # noqa: ARG002
        """None: its page stands at an address of its own."""
        return None

    def read(self, request: HttpRequest) -> Call | Visit | HttpAnswer:
        """XML in; what cannot be proven is answered without a signature."""
        if request.path == SCAN_PATH:
            return self._visits.read(request)
        if request.path != GATEWAY or request.method != "POST":
            return HttpAnswer(405 if request.path == GATEWAY else 404)
        try:
            fields = read_xml(request.body)
        except ValueError:
            return unproven("XML格式错误")
        key = self._account.proving_key(fields)
        problem = self._problem(fields)
        if problem is not None or key is None:
            return unproven(problem or "签名错误")
        ask = Ask(fields, key, request.header(b"host") or "127.0.0.1")
        kind, handler = self._services.get(fields["service"], (CallKind.OTHER, _not_permitted))
        return QraCall(self._account.mch_id, ask, handler, kind)

    def _problem(self, fields: Fields) -> str | None:
        """What is wrong with the fields that every request has; None where nothing is."""
        missing = next((name for name in _COMMON if not fields.get(name)), None)
        if missing is not None:
            return f"缺少参数{missing}"
        if any(fields.get(name, value).upper() != value for name, value in COMMON.items()):
            return "仅支持version 2.0、UTF-8和MD5"
        return None if fields["mch_id"] == self._account.mch_id else "商户号不存在"


def _not_permitted(ask: Ask, act: Act) -> Fields:  # noqa: ARG001  # whatever was asked
    """A service of the front that is not simulated, or none at all."""
    return failed("NOAUTH")
