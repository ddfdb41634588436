"""One payment as every book has it, for tests that plant an error in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_ulid
from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.ledger.postings import Funder
from gateway.payments.numbers import refund_order_no
from gateway.refunds.split import Parts
from tests.integration.audit.campaigns import CAMPAIGN

Row = dict[str, Any]
_ATTEMPT_STATES = {
    "captured": "captured",
    "declined": "refused",
    "unsent": "unsent",
    "not_created": "not_created",
    "closed": "closed",
    "reversed": "reversed",
}
"""What an event makes of the payment's current attempt."""


@dataclass
class Story:
    """One payment's rows in every book, each free to be changed before they are written."""

    payment: Row
    attempts: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    late_captures: list[Row] = field(default_factory=list)
    recovery_tasks: list[Row] = field(default_factory=list)
    order_numbers: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    refunds: list[Row] = field(default_factory=list)
    refund_rows: list[Row] = field(default_factory=list)
    refund_numbers: list[Row] = field(default_factory=list)
    refund_keys: list[Row] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)
    callbacks: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    redemptions: list[Row] = field(default_factory=list)
    risk_decisions: list[Row] = field(default_factory=list)
    risk_cases: list[Row] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The payment's id."""
        return str(self.payment["id"])

    def screened(self, verdict: str = "approve", score: int = 0, version: int = 7) -> None:
        """The risk check looked at it."""
        self.payment |= {"risk_version": version, "risk_decision": verdict, "risk_score": score}
        fields = {"version": version, "verdict": verdict, "score": score, "no_discount": False}
        at = self.payment["created_at"]
        self.risk_decisions.append(self.key(**fields, features="[]", beyond_tolerance=False, at=at))
        if verdict == "review":
            case = {"id": f"case_{new_ulid()}", "kind": "review", "amount": self.payment["amount"], "score": score}
            self.risk_cases.append(self.key(**case, opened_at=at))

    def event(self, kind: str, to: str, at: datetime, refund_id: str | None = None) -> None:
        """One more event, of the payment or of one of its refunds."""
        start = self.events[-1]["to_status"] if self.events else None
        self.payment["version"] = len(self.events) + 1
        self.payment["status"] = to
        if refund_id is None and kind in _ATTEMPT_STATES and self.attempts:
            self.attempts[-1]["state"] = _ATTEMPT_STATES[kind]
        name = f"payment.{kind}" if refund_id is None else f"refund.{kind}"
        row = {"seq": len(self.events) + 1, "type": name, "from_status": start, "to_status": to, "at": at}
        self.events.append(self.key(**row, refund_id=refund_id))

    def task(self, purpose: str, at: datetime, due: datetime | None = None) -> None:
        """Something for the worker."""
        self.recovery_tasks.append(self.key(purpose=purpose, next_at=due or at, created_at=at))

    def post(self, rows: Sequence[postings.Transfer], at: datetime) -> None:
        """Postings."""
        for row in rows:
            self.transfers.append(
                self.key(
                    seq=row.seq,
                    kind=row.kind,
                    debit=row.debit,
                    credit=row.credit,
                    amount=row.amount.amount_fen,
                    currency="CNY",
                    booked_at=at,
                )
            )

    def give_back(self, kind: str, refund_no: str, at: datetime) -> None:
        """The channel gives the whole capture back."""
        trade = self.trades[-1]
        trade.update(status="refunded" if kind == "refund" else "reversed", refunded=trade["amount"])
        self.refunds.append(
            {
                "channel": trade["channel"],
                "order_no": trade["order_no"],
                "refund_no": refund_no,
                "amount": trade["amount"],
                "kind": kind,
                "status": "succeeded",
                "created_at": rfc3339(at),
            }
        )

    def refund(
        self, amount: int, parts: Parts, at: datetime, *, status: str = "succeeded", sponsors: Sequence[str] = ()
    ) -> Row:
        """A refund in our books; one that succeeded is posted, and in the channel's books too."""
        seq, payment = len(self.refund_rows) + 1, self.payment
        refund_id, number = f"ref_{new_ulid(int(at.timestamp() * 1_000))}", f"R-{self.id[-6:]}-{seq}"
        shares = [
            {"sponsor": sponsor, "amount": part, "campaign_id": CAMPAIGN}
            for sponsor, part in zip(sponsors, parts.funding, strict=True)
        ]
        row = self.key(
            id=refund_id,
            merchant_refund_no=number,
            seq=seq,
            attempt_seq=1,
            account_id=payment["account_id"],
            amount=amount,
            returned_to_customer=parts.customer,
            discount_returned=parts.discount,
            fee_returned=parts.fee,
            funding=orjson.dumps(shares).decode() if shares else None,
            currency="CNY",
            status=status,
            asked_at=at,
            next_at=at,
            created_at=at,
            completed_at=None if status == "pending" else at,
        )
        self.refund_rows.append(row)
        self.refund_numbers.append(
            {"merchant_id": payment["merchant_id"], "merchant_refund_no": number, "refund_id": refund_id}
        )
        self.event("created", payment["status"], at, refund_id)
        payment["refund_held"] = payment.get("refund_held", 0) + (amount if status != "failed" else 0)
        if status == "pending":
            self.task("refund", at)
            return row
        self.event(status, payment["status"], at, refund_id)
        if status == "succeeded":
            payment["amount_refunded"] = payment.get("amount_refunded", 0) + amount
            self.return_money(row, parts, sponsors, at)
        return row

    def return_money(self, row: Row, parts: Parts, sponsors: Sequence[str], at: datetime) -> None:
        """What a refund that succeeded leaves in the ledger and at the channel."""
        funding = [Funder(sponsor, Money(part)) for sponsor, part in zip(sponsors, parts.funding, strict=True)]
        customer, fee = Money(parts.customer), Money(parts.fee)
        account_id = row["account_id"]
        self.post(
            postings.refund(row["merchant_id"], account_id, row["seq"], customer=customer, fee=fee, funding=funding), at
        )
        if parts.customer:
            self.give_back_part(row, parts.customer, at)

    def give_back_part(self, row: Row, amount: int, at: datetime) -> None:
        """The channel gives a part back, under the refund's number."""
        trade = self.trades[-1]
        trade["refunded"] += amount
        refund_no = refund_order_no(self.id, row["attempt_seq"], row["seq"])
        refund = {"refund_no": refund_no, "amount": amount, "kind": "refund", "status": "succeeded"}
        place = {"channel": trade["channel"], "order_no": trade["order_no"], "created_at": rfc3339(at)}
        self.refunds.append(place | refund)

    def settle(self, verdict: str, kind: str, at: datetime, refund: Row | None = None) -> None:
        """A person decides."""
        refund_id = None if refund is None else refund["id"]
        self.event("review_settled", self.payment["status"], at)
        self.events[-1]["refund_id"] = refund_id
        self.verdicts.append(
            {
                "id": f"ver_{new_ulid(int(at.timestamp() * 1_000))}",
                "review_id": refund_id or self.id,
                "kind": kind,
                "payment_id": self.id,
                "refund_id": refund_id,
                "attempt_seq": 1,
                "reason": "abnormal",
                "verdict": verdict,
                "decided_by": "somebody",
                "at": at,
            }
        )

    def told_of_refund(self, row: Row, http_status: int = 201) -> None:
        """A client is told of a refund as it stands."""
        names = ("id", "payment_id", "merchant_refund_no", "amount", "returned_to_customer", "status")
        request = {"payment_id": self.id, "amount": row["amount"], "merchant_refund_no": row["merchant_refund_no"]}
        self.answers.append(
            {
                "time": rfc3339(row["created_at"]),
                "merchant_order_no": None,
                "request": request,
                "http_status": http_status,
                "answer": {"object": "refund", **{name: row[name] for name in names}},
            }
        )

    def told(self, status: str, http_status: int = 201) -> None:
        """A client gets an answer."""
        payment = self.payment
        self.answers.append(
            {
                "time": rfc3339(payment["created_at"]),
                "merchant_order_no": payment["merchant_order_no"],
                "request": {
                    "merchant_order_no": payment["merchant_order_no"],
                    "amount": payment["amount"],
                    "currency": "CNY",
                    "method": "barcode",
                    "auth_code": "134567890123456789",
                },
                "http_status": http_status,
                "answer": {
                    "object": "payment",
                    "id": self.id,
                    "status": status,
                    "merchant_order_no": payment["merchant_order_no"],
                    "amount": payment["amount"],
                    "payable": payment["payable"],
                    "amount_refunded": 0,
                },
            }
        )

    def key(self, **values: Any) -> Row:
        """The columns of a row that belongs to the payment."""
        return {"payment_id": self.payment["id"], "merchant_id": self.payment["merchant_id"], **values}
