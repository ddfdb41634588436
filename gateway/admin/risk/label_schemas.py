"""What the endpoints of labels take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from gateway.admin.access import AdminRequest, example
from gateway.payments.schemas import PAYMENT_ID_PATTERN, Moment, Text
from risk.labels.label import Source
from risk.labels.store import SEQ_MAX

LABELS_MAX: Final = 1_000
"""In one request."""
LABEL: Final[dict[str, Any]] = {
    "object": "risk_label",
    "seq": 4711,
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KA",
    "fraud": True,
    "source": "chargeback",
    "note": "reason 10.4",
    "by": "disputes",
    "known_at": "2026-11-29T02:00:00.000Z",
    "recorded_at": "2026-11-29T02:10:31.420Z",
    "told_at": "2026-11-29T02:10:32.001Z",
}
_NEW: Final[dict[str, Any]] = {
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "fraud": True,
    "source": "chargeback",
    "note": "reason 10.4",
    "by": "disputes",
    "known_at": "2026-11-29T02:00:00Z",
}

OfPayment = Annotated[str | None, Query(pattern=PAYMENT_ID_PATTERN)]
Before = Annotated[int | None, Query(ge=1, le=SEQ_MAX, description="Lower `seq` than this: for the next page.")]


class LabelRequest(AdminRequest):
    """What became known of a payment."""

    model_config = example(_NEW)

    payment_id: Annotated[str, Field(pattern=PAYMENT_ID_PATTERN)]
    fraud: Annotated[bool, Field(strict=True)]
    source: Annotated[Source, Field(description="Who knows; `case` is for verdicts on cases.")]
    by: Annotated[Text, Field(strict=True, min_length=1, max_length=64, description="Who records it.")]
    note: Annotated[Text | None, Field(strict=True, min_length=1, max_length=500)] = None
    known_at: Annotated[
        Moment | None,
        Field(description="When it became known, after the payment and not in the future; now by default."),
    ] = None


class LabelsRequest(AdminRequest):
    """Many of them; each is recorded or refused on its own."""

    model_config = example({"labels": [_NEW]})

    labels: Annotated[list[LabelRequest], Field(min_length=1, max_length=LABELS_MAX)]


class LabelObject(BaseModel):
    """A label; the newest of a payment (the highest `seq`) stands."""

    model_config = example(LABEL)

    object: Literal["risk_label"]
    seq: int
    payment_id: str
    merchant_id: str
    fraud: bool
    source: Source
    note: str | None
    by: str
    known_at: datetime
    recorded_at: datetime
    told_at: Annotated[datetime | None, Field(description="When the velocity counters had it; frauds only.")]


class LabelResult(BaseModel):
    """What became of one of them."""

    payment_id: str
    result: Annotated[
        Literal["added", "unchanged", "no_payment", "bad_time"],
        Field(
            description="`unchanged`: the label that stands says the same. `no_payment`: there is none with this id. "
            "`bad_time`: `known_at` lies before the payment, or in the future."
        ),
    ]


class LabelResults(BaseModel):
    """In the order of the request."""

    model_config = example(
        {
            "object": "risk_label_results",
            "added": 1,
            "unchanged": 0,
            "refused": 0,
            "results": [{"payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "result": "added"}],
        }
    )

    object: Literal["risk_label_results"]
    added: int
    unchanged: int
    refused: int
    results: list[LabelResult]


class LabelList(BaseModel):
    """A page of labels, newest first: of a payment's labels the first one stands."""

    model_config = example({"object": "list", "data": [LABEL], "has_more": False})

    object: Literal["list"]
    data: list[LabelObject]
    has_more: bool
