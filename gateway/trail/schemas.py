"""What the audit trail's endpoint gives and which filters it takes."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.payments.schemas import Moment
from gateway.trail.store import SEQ_MAX

_ENTRY: Final[dict[str, Any]] = {
    "object": "audit_entry",
    "seq": 42,
    "at": "2026-11-22T01:02:03.004005Z",
    "actor": "admin",
    "person": "li.wei",
    "address": "10.0.0.7",
    "action": "channel_account.changed",
    "subject": "wechat_direct",
    "detail": {"changed": {"status": {"from": "enabled", "to": "draining"}}},
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}

Subject = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z_.-]{1,128}$", description="The id that it was done to.")]
Action = Annotated[str | None, Query(pattern=r"^[a-z_.]{1,64}$", description="Such as `channel_account.changed`.")]
AtFrom = Annotated[Moment | None, Query(description="Not before this time.")]
AtTo = Annotated[Moment | None, Query(description="Before this time.")]
Before = Annotated[int | None, Query(ge=1, le=SEQ_MAX, description="Lower numbers than this: for the next page.")]


class EntryObject(BaseModel):
    """A change over the admin API; `hash` is SHA-256 over the hash of entry `seq` − 1 and all that this one says."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY]})

    object: Literal["audit_entry"]
    seq: Annotated[int, Field(description="1, 2, 3 … without a gap.")]
    at: str
    actor: Annotated[str, Field(description="What let them in: `admin` is the admin token.")]
    person: Annotated[str | None, Field(description="Who they said they are (`Mashang-Actor`).")]
    address: Annotated[str | None, Field(description="Where the request came from.")]
    action: str
    subject: str
    detail: Annotated[
        dict[str, Any], Field(description="What was created, or each changed field `from` and `to`; no secrets.")
    ]
    hash: str


class EntryList(BaseModel):
    """A page, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object": "list", "data": [_ENTRY], "has_more": False}]})

    object: Literal["list"]
    data: list[EntryObject]
    has_more: bool
