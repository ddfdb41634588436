"""What the webhook API takes and gives: pydantic models, the source of the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.payments.schemas import Text
from gateway.webhooks import examples
from gateway.webhooks.addresses import URL_LENGTH_MAX
from gateway.webhooks.catalogue import WebhookType

ENDPOINT_ID_PATTERN: Final = r"^we_[0-9A-HJKMNP-TV-Z]{26}$"
EVENT_ID_PATTERN: Final = r"^evt_[0-9A-HJKMNP-TV-Z]{26}$"
REFUND_ID_PATTERN: Final = r"^ref_[0-9A-HJKMNP-TV-Z]{26}$"
OVERLAP_HOURS_MAX: Final = 168


def _example(*values: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": list(values)})


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _once(types: list[WebhookType]) -> list[WebhookType]:
    return list(dict.fromkeys(types))


Types = Annotated[
    list[WebhookType],
    Field(min_length=1, max_length=50, description="Which types of events; all of them, also later ones, if null."),
    AfterValidator(_once),
]
Description = Annotated[Text, Field(min_length=1, max_length=127)]


class NewEndpointRequest(_Request):
    """Where to be told, and of what."""

    model_config = _example(examples.ENDPOINT_REQUEST)

    url: Annotated[
        Text,
        Field(
            strict=True,
            min_length=1,
            max_length=URL_LENGTH_MAX,
            description="http(s), on the public internet; https wherever it is not for trying out.",
        ),
    ]
    description: Annotated[Description, Field(strict=True)] | None = None
    types: Types | None = None


class EndpointChangeRequest(_Request):
    """What to change; what is left out stays.  The address cannot change: make another endpoint."""

    model_config = _example({"status": "disabled"}, {"types": None})

    description: Annotated[Description, Field(strict=True)] | None = None
    types: Types | None = None
    status: Literal["enabled", "disabled"] = "enabled"


class RotationRequest(_Request):
    """For how long the secret of now goes on signing beside the new one."""

    model_config = _example({"overlap_hours": 24})

    overlap_hours: Annotated[float, Field(strict=True, ge=0, le=OVERLAP_HOURS_MAX, allow_inf_nan=False)] = 24


class ResendRequest(_Request):
    """To whom to deliver it again; to everybody who would be told of it now, if left out."""

    model_config = _example({}, {"endpoint_id": "we_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"})

    endpoint_id: Annotated[str, Field(strict=True, pattern=ENDPOINT_ID_PATTERN)] | None = None


class EndpointObject(BaseModel):
    """An endpoint; its secret is shown only when it is made or rotated."""

    model_config = _example(examples.ENDPOINT)

    id: str
    object: Literal["webhook_endpoint"]
    url: str
    description: str | None
    types: list[WebhookType] | None
    status: Literal["enabled", "disabled"]
    disabled_reason: Annotated[
        Literal["merchant", "gone", "failing"] | None,
        Field(description="`merchant`: you did. `gone`: it answered 410. `failing`: nothing succeeded for days."),
    ]
    previous_secret_until: Annotated[
        datetime | None, Field(description="Until then messages are signed with the secret before this one too.")
    ]
    failing_since: Annotated[datetime | None, Field(description="Nothing has succeeded since.")]
    created_at: datetime
    updated_at: datetime


class NewEndpointObject(EndpointObject):
    """An endpoint with its secret, which is shown only now."""

    model_config = _example(examples.NEW_ENDPOINT)

    secret: Annotated[str, Field(description="As the Standard Webhooks libraries take it.")]


class EndpointList(BaseModel):
    """A page of endpoints, newest first."""

    model_config = _example(examples.ENDPOINT_LIST)

    object: Literal["list"]
    data: list[EndpointObject]
    has_more: bool


class MessageObject(BaseModel):
    """What is sent: `data` is the payment, refund or endpoint, with the status that the event gave it."""

    model_config = _example(examples.MESSAGE)

    id: str
    type: WebhookType
    timestamp: datetime
    sequence: Annotated[int, Field(description="Counts within the payment; a higher one is a later state.")]
    data: dict[str, Any]


class EventObject(MessageObject):
    """An event."""

    model_config = _example(examples.EVENT)

    object: Literal["event"]
    payment_id: str | None
    refund_id: str | None


class EventList(BaseModel):
    """A page of events, newest first; the next one starts after the last id."""

    model_config = _example(examples.EVENT_LIST)

    object: Literal["list"]
    data: list[EventObject]
    has_more: bool


class AttemptObject(BaseModel):
    """One try of a delivery."""

    model_config = ConfigDict(populate_by_name=True)

    number: Annotated[int, Field(alias="try")]
    at: datetime
    http_status: int | None
    error: Annotated[
        str | None,
        Field(
            description="Why no status came: `connect_failed`, `connect_timeout`, `tls_failed`, `name_unknown`, "
            "`address_refused`, `timeout`, `connection_lost`, `answer_malformed`; or `redirect`, which is not followed."
        ),
    ]
    duration_ms: int


class DeliveryObject(BaseModel):
    """How an event fares with one endpoint, or (`endpoint_id` null) with the payment's own notify_url."""

    endpoint_id: str | None
    url: str
    status: Literal["pending", "succeeded", "failed", "cancelled"]
    tries: int
    next_try_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    attempts: list[AttemptObject]


class EventWithDeliveries(EventObject):
    """An event with the log of its deliveries."""

    model_config = _example(examples.EVENT_WITH_DELIVERIES)

    deliveries: list[DeliveryObject]
