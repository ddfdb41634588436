"""What the endpoint of complaints takes and gives."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from gateway.admin.access import AdminRequest, example
from gateway.payments.schemas import PAYMENT_ID_PATTERN, Text
from risk.cases.case import Channel, Reason

_NO_PROSE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, line feeds and tabs excepted, and halves of surrogate pairs."""


def _prose(text: str) -> str:
    if _NO_PROSE.search(text):
        raise ValueError("must not hold control characters")
    return text


Prose = Annotated[str, AfterValidator(_prose)]
"""What a person writes, in lines."""

COMPLAINT: Final[dict[str, Any]] = {
    "id": "cmp_01JD60A1B2M0Q9C6R1T2X4Y7KD",
    "object": "risk_complaint",
    "case_id": "case_01JD60A1B2M0Q9C6R1T2X4Y7KC",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "reason": "not_authorised",
    "channel": "wechat",
    "channel_complaint_id": "200201820200101080076610000",
    "text": "I was at home and did not pay there.",
    "by": "hotline",
    "evidence": [
        {"kind": "url", "name": "screenshot of the bill", "text": None, "url": "https://files.example/c/1.png"}
    ],
    "at": "2026-11-22T08:00:00.000Z",
}


class EvidenceItem(AdminRequest):
    """A text, or the address at which a file lies; it is kept sealed and never fetched."""

    kind: Literal["text", "url"]
    name: Annotated[Text, Field(strict=True, min_length=1, max_length=128)]
    text: Annotated[Prose | None, Field(strict=True, min_length=1, max_length=8_000)] = None
    url: Annotated[Text | None, Field(strict=True, pattern=r"^https?://", max_length=2_000)] = None

    @model_validator(mode="after")
    def _has_what_its_kind_says(self) -> Self:
        if getattr(self, self.kind) is None or (self.text is not None and self.url is not None):
            raise ValueError(f"has “{self.kind}”, and nothing else")
        return self


class ComplaintRequest(AdminRequest):
    """A customer's complaint about a payment."""

    model_config = example(
        {
            "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
            "reason": "not_authorised",
            "text": "I was at home and did not pay there.",
            "channel": "wechat",
            "channel_complaint_id": "200201820200101080076610000",
            "by": "hotline",
            "evidence": [{"kind": "url", "name": "screenshot of the bill", "url": "https://files.example/c/1.png"}],
        }
    )

    payment_id: Annotated[str, Field(pattern=PAYMENT_ID_PATTERN)]
    reason: Reason
    text: Annotated[Prose, Field(strict=True, min_length=1, max_length=4_000, description="In the customer's words.")]
    channel: Annotated[Channel, Field(description="Over which way it came.")]
    channel_complaint_id: Annotated[
        Text,
        Field(strict=True, min_length=1, max_length=64, description="Its number there: the same one is taken once."),
    ]
    by: Annotated[Text, Field(strict=True, min_length=1, max_length=64, description="Who takes it.")]
    evidence: Annotated[tuple[EvidenceItem, ...], Field(max_length=20)] = ()


class EvidenceObject(BaseModel):
    """What came with a complaint."""

    kind: Literal["text", "url"]
    name: str
    text: str | None
    url: str | None


class ComplaintObject(BaseModel):
    """A complaint, in the case that it opened or joined."""

    model_config = example(COMPLAINT)

    id: str
    object: Literal["risk_complaint"]
    case_id: str
    payment_id: str
    reason: Reason
    channel: Channel
    channel_complaint_id: str
    text: str
    by: str
    evidence: list[EvidenceObject]
    at: datetime
