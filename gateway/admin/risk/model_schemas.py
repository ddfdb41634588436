"""What the endpoints of the models take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field

from gateway.admin.access import AdminRequest, example
from risk.model.feature import FEATURES_MAX
from risk.model.model import NOTE_LENGTH_MAX

_VERSION_MAX: Final = 2**31 - 1
_FEATURES: Final = ["payment.amount", "payment.amount / velocity('mean_amount', 'customer', '30d')"]
_TRAINED: Final[dict[str, Any]] = {"days": [0, 89], "payments": 795_893, "frauds": 6_125, "depth": 4, "trees": 120}
_SUMMARY: Final[dict[str, Any]] = {
    "object": "risk_model",
    "version": 3,
    "note": "Trained on the autumn.",
    "features": _FEATURES,
    "trained": _TRAINED,
    "created_at": "2026-11-22T04:58:03.120Z",
}

ModelVersion = Annotated[int, Path(ge=1, le=_VERSION_MAX, description="The version of a model.")]
BelowModel = Annotated[int | None, Query(ge=1, le=_VERSION_MAX, description="Those below this version.")]


class ModelRequest(AdminRequest):
    """A model as `mashang risk train` writes it: up to 2 MiB."""

    model_config = example(
        {"format": 1, "note": "Trained on the autumn.", "features": _FEATURES, "trained": _TRAINED, "trees": {}}
    )

    format: Literal[1] = Field(description="Of this document.")
    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX)] = ""
    features: Annotated[list[str], Field(min_length=1, max_length=FEATURES_MAX, description="What it looks at.")]
    trained: Annotated[dict[str, Any], Field(default_factory=dict, description="How it was made, and what it reached.")]
    trees: Annotated[dict[str, Any], Field(description="XGBoost's JSON, binary:logistic.")]


class ModelSummary(BaseModel):
    """A model without its trees."""

    model_config = example(_SUMMARY)

    object: Literal["risk_model"] = "risk_model"
    version: Annotated[int, Field(description="What a rule set names as its `model`.")]
    note: str
    features: list[str]
    trained: dict[str, Any]
    created_at: datetime


class ModelObject(ModelSummary):
    """A model, whole."""

    model_config = example({**_SUMMARY, "trees": {}})

    trees: dict[str, Any]


class ModelList(BaseModel):
    """Versions, the newest first."""

    model_config = example({"object": "list", "data": [_SUMMARY], "has_more": False})

    object: Literal["list"] = "list"
    data: list[ModelSummary]
    has_more: bool
