"""What the endpoints of reviews take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field

from gateway.admin.access import AdminRequest, example
from gateway.payments.schemas import Text
from gateway.reviews.review import ID_PATTERN, Kind, Verdict

_VERDICT: dict[str, Any] = {
    "id": "ver_01JD60A1B2M0Q9C6R1T2X4Y7KC",
    "object": "review_verdict",
    "review_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "kind": "payment",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "refund_id": None,
    "reason": "amount_mismatch",
    "verdict": "give_back",
    "by": "li.wei",
    "note": None,
    "channel_says": {"state": "captured", "amount": 2600, "code": "SUCCESS"},
    "at": "2026-11-22T04:58:03.120Z",
}
_REVIEW: dict[str, Any] = {
    "id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "object": "review",
    "kind": "payment",
    "reason": "amount_mismatch",
    "since": "2026-11-22T04:43:27.434Z",
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "refund_id": None,
    "channel": "wechat_direct",
    "order_no": "01JD5ZV8W3M0Q9C6R1T2X4Y7KBA1",
    "refund_no": None,
    "status": "processing",
    "amount": 2599,
    "expected": 2599,
    "told": None,
    "channel_says": {"state": "captured", "amount": 2600, "code": "SUCCESS"},
    "verdicts": ["query_again", "accept_capture", "give_back"],
    "history": [],
}


class ChannelSays(BaseModel):
    """What the channel answered when it was asked; `unknown` is no answer, and then `code` says why."""

    state: Literal[
        "captured",
        "pending",
        "refused",
        "closed",
        "refunded",
        "not_found",
        "succeeded",
        "failed",
        "abnormal",
        "unknown",
    ]
    amount: Annotated[int | None, Field(description="In fen, where the answer has it.")]
    code: str | None


class ToldByChannel(BaseModel):
    """What a notification says."""

    state: str
    amount: int | None


class VerdictObject(BaseModel):
    """A verdict that was carried out."""

    model_config = example(_VERDICT)

    id: str
    object: Literal["review_verdict"]
    review_id: str
    kind: Kind
    payment_id: str
    refund_id: str | None
    reason: Annotated[str, Field(description="Why it was in review.")]
    verdict: Verdict
    by: str
    note: str | None
    channel_says: Annotated[ChannelSays | None, Field(description="What the channel answered for this verdict.")]
    at: datetime


class ReviewObject(BaseModel):
    """Something that waits for a person; amounts in fen, times in RFC 3339 UTC."""

    model_config = example(_REVIEW)

    id: Annotated[str, Field(description="Of the payment or refund itself; `late_…`, `call_…` for the others.")]
    object: Literal["review"]
    kind: Kind
    reason: str
    since: datetime
    merchant_id: str | None
    payment_id: str
    refund_id: str | None
    channel: Annotated[str | None, Field(description="The channel account.")]
    order_no: Annotated[str | None, Field(description="The order's number at the channel.")]
    refund_no: Annotated[str | None, Field(description="The refund's number at the channel.")]
    status: str | None
    amount: Annotated[int | None, Field(description="The goods' value, or what came too late.")]
    expected: Annotated[int | None, Field(description="What the channel should have taken or given back.")]
    told: Annotated[ToldByChannel | None, Field(description="What the notification says.")]
    channel_says: Annotated[ChannelSays | None, Field(description="With `refresh=true`: how it stands there now.")]
    verdicts: Annotated[list[Verdict], Field(description="Those that fit.")]
    history: Annotated[list[VerdictObject], Field(description="Verdicts given on it before, the oldest first.")]


class ReviewList(BaseModel):
    """A page: refunds, payments, late captures, callbacks, the newest of each first."""

    model_config = example({"object": "list", "data": [_REVIEW], "has_more": False})

    object: Literal["list"]
    data: list[ReviewObject]
    has_more: bool


class VerdictRequest(AdminRequest):
    """A person's verdict.  `note` is required by those that rest on what a person has seen."""

    model_config = example(
        {"verdict": "mark_succeeded", "by": "li.wei", "note": "Seen in the merchant platform: paid out on 11-21."}
    )

    verdict: Verdict
    by: Annotated[Text, Field(strict=True, min_length=1, max_length=64, description="Who decides.")]
    note: Annotated[
        Text | None,
        Field(strict=True, min_length=1, max_length=500, description="What was seen, and where."),
    ] = None


ReviewId = Annotated[str, Path(pattern=ID_PATTERN)]
AfterReviewId = Annotated[str | None, Query(pattern=ID_PATTERN)]
Refresh = Annotated[bool, Query(description="Ask the channels how things stand there now; at most 20 at once.")]
