"""The UnionPay simulator's front: ACP 5.1.0 forms, their fields and signatures (CHANNEL-PROTOCOLS 3.1–3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from routing.simulators.acts import Act, CallKind, Sealing
from routing.simulators.books import Books
from routing.simulators.channel import Call, Display, HttpAnswer, HttpRequest, Visit, signed_at_once
from routing.simulators.magic import magic_act
from routing.simulators.moments import within
from routing.simulators.notifications import Herald
from routing.simulators.unionpay_account import Merchant, UnionpayAccount
from routing.simulators.unionpay_answers import (
    BAD_FORMAT,
    BAD_SIGNATURE,
    NO_PERMISSION,
    TOO_FREQUENT,
    UNCLEAR,
    UNKNOWN_MERCHANT,
    Fields,
    UnionpayDraft,
    echo,
    result,
)
from routing.simulators.unionpay_calls import UnionpayDesk
from routing.simulators.unionpay_fields import CONSUME, PATHS, TRANSACTIONS, Ask, business_problem, form_problem
from routing.simulators.unionpay_herald import UnionpayHerald
from routing.simulators.unionpay_orders import UnionpayOrders
from routing.simulators.unionpay_signing import read_form
from routing.simulators.unionpay_statements import UnionpayStatements
from routing.simulators.unionpay_visits import PATHS as VISITED
from routing.simulators.unionpay_visits import UnionpayVisits

Handler = Callable[[Ask, Act], Fields]


@dataclass(frozen=True, slots=True)
class UnionpayCall:
    """A request whose signature was verified."""

    account: UnionpayAccount = field(repr=False)
    ask: Ask
    handler: Handler
    kind: CallKind

    @property
    def order_no(self) -> str:
        """orderId: for refunds and voids their own."""
        return self.ask.fields.get("orderId", "")

    @property
    def magic(self) -> Act | None:
        """What the payment code or the amount asks for."""
        if self.kind is not CallKind.PAY:
            return None
        return magic_act(self.ask.fields["qrNo"], int(self.ask.fields["txnAmt"]))

    def _draft(self, fields: Fields) -> UnionpayDraft:
        return UnionpayDraft(self.account, self.ask.merchant, echo(self.ask.fields) | fields)

    def perform(self, act: Act) -> UnionpayDraft:
        """Carry it out."""
        return self._draft(self.handler(self.ask, act))

    def fail(self, code: str) -> UnionpayDraft:
        """Any respCode."""
        return self._draft(result(code))

    def server_error(self) -> UnionpayDraft:
        """04: the state is unclear."""
        return self.fail(UNCLEAR)

    def rate_limited(self) -> UnionpayDraft:
        """37."""
        return self.fail(TOO_FREQUENT)

    def unavailable(self) -> UnionpayDraft:
        """32."""
        return self.fail(NO_PERMISSION)


class UnionpayChannel:
    """Checks requests: fields and formats, merchant, signature, then the transaction's own fields."""

    name = "unionpay"
    display: Final = Display(("unionpay",))

    def __init__(self, account: UnionpayAccount, books: Books) -> None:
        self._account = account
        self._now_ms = books.now_ms
        self._desk = UnionpayDesk(account.settings, books)
        self._visits = UnionpayVisits(account, books)
        orders = UnionpayOrders(account.settings, books)
        self._handlers: dict[tuple[str, str], Handler] = {
            CONSUME: self._desk.consume,
            ("01", "07"): orders.code,
            ("01", "01"): orders.page,
            ("00", "10"): self._visits.identify,
            ("00", "00"): self._desk.query,
            ("31", "00"): self._desk.void,
            ("04", "00"): self._desk.refund,
            ("99", "01"): self._desk.reverse,
            ("76", "01"): UnionpayStatements(account.settings, books).download,
        }
        self.herald: Herald = UnionpayHerald(account)

    def visit(self, request: HttpRequest) -> Visit | None:  # noqa: ARG002
        """None: its pages stand at addresses of its own."""
        return None

    def read(self, request: HttpRequest) -> Call | Visit | HttpAnswer:
        """Form in; refusals are signed as well as they can be."""
        if request.path in VISITED:
            return self._visits.read(request)
        if request.path not in PATHS or request.method != "POST":
            return HttpAnswer(405 if request.path in PATHS else 404)
        try:
            fields = read_form(request.body)
        except ValueError:
            return self._refuse({}, BAD_FORMAT)
        merchant, problem = self._judge(request.path, fields)
        if merchant is None or problem is not None:
            return self._refuse(fields, problem or BAD_SIGNATURE, merchant)
        name = fields["txnType"], fields["txnSubType"]
        kind = TRANSACTIONS[name].kind
        if kind is CallKind.QUERY and self._asks_refund(fields):
            kind = CallKind.REFUND_QUERY
        ask = Ask(fields, merchant, request.header(b"host") or "127.0.0.1")
        return UnionpayCall(self._account, ask, self._handlers[name], kind)

    def _judge(self, path: str, fields: Fields) -> tuple[Merchant | None, str | None]:
        """Whose request it is, if that is proven, and the respCode of what is wrong with it."""
        problem = form_problem(fields)
        if problem is None and fields["merId"] not in self._account.merchants:
            problem = UNKNOWN_MERCHANT
        merchant = self._account.proven(fields) if problem is None else None
        if merchant is None:
            return None, problem or BAD_SIGNATURE
        problem = business_problem(path, fields)
        is_consume = (fields["txnType"], fields["txnSubType"]) == CONSUME
        if problem is None and is_consume and not self._fresh(fields["txnTime"]):
            problem = BAD_FORMAT
        return merchant, problem

    def _asks_refund(self, fields: Fields) -> bool:
        return self._desk.knows_refund(fields["merId"], fields.get("orderId", ""), fields.get("txnTime", ""))

    def _refuse(self, fields: Fields, code: str, merchant: Merchant | None = None) -> HttpAnswer:
        """A refusal repeats nothing with an & in it, as the request was not checked."""
        safe = {name: value for name, value in echo(fields).items() if "&" not in value}
        known = merchant or self._account.merchant(fields.get("merId", ""))
        return signed_at_once(UnionpayDraft(self._account, known, safe | result(code)).seal(Sealing.SIGNED))

    def _fresh(self, txn_time: str) -> bool:
        """A consume carries the time of its sending; refunds keep theirs when they are repeated days later."""
        skew_s = self._account.settings.consume_skew_s
        return within(txn_time, "%Y%m%d%H%M%S", of_s=self._now_ms() / 1_000, seconds=skew_s)
