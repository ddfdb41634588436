"""What the endpoints of risk cases take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field

from gateway.admin.access import AdminRequest, example
from gateway.admin.merchants.endpoints import MERCHANT_ID_PATTERN
from gateway.admin.risk.complaint_schemas import COMPLAINT, ComplaintObject, Prose
from gateway.admin.risk.decisions import EXAMPLE as DECISION
from gateway.admin.risk.decisions import DecisionObject
from gateway.admin.risk.label_schemas import LABEL, LabelObject
from gateway.payments import examples
from gateway.payments.detail import PaymentDetail
from gateway.payments.schemas import PAYMENT_ID_PATTERN, Text
from gateway.refunds.schemas import RefundObject
from risk.cases.case import CASE_ID_PATTERN, Kind, StepKind, Verdict

CaseId = Annotated[str, Path(pattern=CASE_ID_PATTERN)]
AfterCaseId = Annotated[str | None, Query(pattern=CASE_ID_PATTERN)]
OfPayment = Annotated[str | None, Query(pattern=PAYMENT_ID_PATTERN)]
OfMerchant = Annotated[str | None, Query(pattern=MERCHANT_ID_PATTERN)]
Person = Annotated[Text, Field(strict=True, min_length=1, max_length=64, description="Who does it.")]
Note = Annotated[Prose, Field(strict=True, min_length=1, max_length=4_000, description="What was seen, and where.")]
ListedField = Literal["customer", "device", "ip", "card", "merchant", "store", "terminal"]
Listed = Annotated[
    tuple[ListedField, ...],
    Field(max_length=7, description="Of which fields the payment's own values are put on the list."),
]

CASE: Final[dict[str, Any]] = {
    "id": "case_01JD60A1B2M0Q9C6R1T2X4Y7KC",
    "object": "risk_case",
    "kind": "review",
    "status": "open",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KA",
    "amount": 2599,
    "score": 61,
    "opened_at": "2026-11-22T01:02:03.004Z",
    "reopened_at": None,
    "due_at": "2026-11-23T01:02:03.004Z",
    "overdue": False,
    "claimed_by": "li.wei",
    "claimed_until": "2026-11-22T01:40:00.000Z",
    "verdict": None,
    "decided_by": None,
    "decided_at": None,
    "version": 1,
}
STEP: Final[dict[str, Any]] = {
    "seq": 1,
    "kind": "claimed",
    "by": "li.wei",
    "at": "2026-11-22T01:10:00.000Z",
    "note": None,
    "detail": {},
}
RECENT: Final[dict[str, Any]] = {
    "id": "pay_01JD5ZT1W3M0Q9C6R1T2X4Y7KB",
    "created_at": "2026-11-22T01:00:07.115Z",
    "status": "succeeded",
    "amount": 100,
    "amount_refunded": 0,
    "wallet": "wechat",
    "method": "barcode",
    "store_id": "s-1",
    "terminal_id": "t-1",
    "risk_decision": "approve",
    "risk_score": 12,
}
DETAIL: Final[dict[str, Any]] = {
    **CASE,
    "payment": examples.PAYMENT_DETAIL,
    "customer": {
        "id": "…42",
        "device": "…-9",
        "ip": "203.0.113.…",
        "card_bin": "62…",
        "location": {"latitude": 31.2, "longitude": 121.5},
    },
    "decision": DECISION,
    "refunds": [],
    "recent_payments": [RECENT],
    "complaints": [COMPLAINT],
    "labels": [LABEL],
    "steps": [STEP],
    "links": {"payment": "/admin/v1/payments/pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "refund": "/v1/refunds"},
}


class CaseObject(BaseModel):
    """A payment that a person looks at, or has looked at; the amount in fen."""

    model_config = example(CASE)

    id: str
    object: Literal["risk_case"]
    kind: Annotated[Kind, Field(description="Why it was opened first.")]
    status: Literal["open", "decided"]
    payment_id: str
    merchant_id: str
    amount: Annotated[int, Field(description="What is at stake: the payment's goods value.")]
    score: Annotated[int | None, Field(description="Of the risk check, 0 to 100.")]
    opened_at: datetime
    reopened_at: datetime | None
    due_at: Annotated[datetime, Field(description="When a verdict is due, by the terms at its opening.")]
    overdue: bool
    claimed_by: Annotated[str | None, Field(description="Who works on it; null once the claim has run out.")]
    claimed_until: datetime | None
    verdict: Verdict | None
    decided_by: str | None
    decided_at: datetime | None
    version: Annotated[int, Field(description="How many steps were taken.")]


class CaseList(BaseModel):
    """A page of cases."""

    model_config = example({"object": "list", "data": [CASE], "has_more": False})

    object: Literal["list"]
    data: list[CaseObject]
    has_more: bool


class StepObject(BaseModel):
    """Something that was done about a case."""

    seq: int
    kind: StepKind
    by: str
    at: datetime
    note: str | None
    detail: Annotated[dict[str, Any], Field(description="What came of it: the verdict, list entries, a complaint.")]


class MaskedLocation(BaseModel):
    """Where the customer was, to a tenth of a degree (some 10 km)."""

    latitude: float
    longitude: float


class MaskedCustomer(BaseModel):
    """What the till said of the customer: enough to recognise, not enough to identify."""

    id: str | None
    device: str | None
    ip: Annotated[str | None, Field(description="Without its last part.")]
    card_bin: str | None
    location: MaskedLocation | None


class RecentPayment(BaseModel):
    """Another payment of the customer."""

    id: str
    created_at: datetime
    status: str
    amount: int
    amount_refunded: int
    wallet: str | None
    method: str
    store_id: str | None
    terminal_id: str | None
    risk_decision: str
    risk_score: int


class Links(BaseModel):
    """Where to go on: a case moves no money by itself."""

    payment: str
    refund: Annotated[str, Field(description="`POST` there, with the merchant's key, gives money back.")]


class CaseDetail(CaseObject):
    """A case with its evidence: the payment and its attempts, the decision, refunds, complaints, labels, steps."""

    model_config = example(DETAIL)

    payment: PaymentDetail
    customer: Annotated[MaskedCustomer | None, Field(description="Null once the request was erased.")]
    decision: Annotated[DecisionObject | None, Field(description="Null where no rule set was in force.")]
    refunds: list[RefundObject]
    recent_payments: Annotated[
        list[RecentPayment],
        Field(
            description="Of the same customer, newest first, at most 20: found among the 5,000 payments of the "
            "merchant before this one and the 5,000 after it."
        ),
    ]
    complaints: Annotated[list[ComplaintObject], Field(description="About this payment, the oldest first.")]
    labels: Annotated[list[LabelObject], Field(description="The last one stands.")]
    steps: list[StepObject]
    links: Links


class ClaimRequest(AdminRequest):
    """Work on a case."""

    model_config = example({"by": "li.wei"})

    by: Person
    take_over_from: Annotated[
        Text | None, Field(strict=True, min_length=1, max_length=64, description="Who holds it now.")
    ] = None


class ReleaseRequest(AdminRequest):
    """Give a case back to the queue."""

    model_config = example({"by": "li.wei"})

    by: Person


class NoteRequest(AdminRequest):
    """Something to write down; also why a case is opened again."""

    model_config = example({"by": "li.wei", "note": "Called the shop: the customer is known there."})

    by: Person
    note: Note


class CaseVerdictRequest(AdminRequest):
    """A verdict; with `block`, `watch` or `allow`, values of the payment go on those lists in the same transaction."""

    model_config = example(
        {
            "verdict": "fraud",
            "by": "li.wei",
            "note": "The customer's wallet was taken over; the bank confirms.",
            "base_version": 3,
            "block": ["customer", "device"],
            "expires_in_days": 90,
        }
    )

    verdict: Verdict
    by: Person
    note: Note
    base_version: Annotated[
        int | None,
        Field(
            strict=True,
            ge=0,
            description="The `version` that was read: if something came in since, 409 `case_changed`.",
        ),
    ] = None
    block: Listed = ()
    watch: Listed = ()
    allow: Listed = ()
    expires_in_days: Annotated[
        int | None, Field(strict=True, ge=1, le=3_650, description="Of the list entries; null: never.")
    ] = None


class TermsObject(BaseModel):
    """When cases of a kind are due, and how long a claim holds."""

    kind: Kind
    due_hours: int
    claim_minutes: int


class TermsList(BaseModel):
    """The terms of each kind."""

    model_config = example(
        {
            "object": "list",
            "data": [
                {"kind": "review", "due_hours": 24, "claim_minutes": 30},
                {"kind": "complaint", "due_hours": 72, "claim_minutes": 30},
            ],
            "has_more": False,
        }
    )

    object: Literal["list"]
    data: list[TermsObject]
    has_more: bool


class TermsRequest(AdminRequest):
    """Other terms for a kind of case: they hold for what is opened, reopened or claimed from then on."""

    model_config = example({"kind": "review", "due_hours": 12, "claim_minutes": 30})

    kind: Kind
    due_hours: Annotated[int, Field(strict=True, ge=1, le=2_160)]
    claim_minutes: Annotated[int, Field(strict=True, ge=1, le=1_440)]
