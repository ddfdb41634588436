"""Models that give model.score, under /admin/v1: saved once, listed, read."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, cast

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.admin.risk.model_schemas import (
    BelowModel,
    ModelList,
    ModelObject,
    ModelRequest,
    ModelSummary,
    ModelVersion,
)
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import InvalidRequest, not_found
from gateway.trail.recording import tell
from risk.model import store
from risk.model.model import Model, ModelError
from risk.model.scorer import Scorer
from risk.model.store import StoredModel
from risk.model.trial import refuse_unexplainable

_SUBJECT: Final = "risk_model"

router = admin_router()


@router.post(
    "/risk/models", status_code=201, response_model=ModelSummary, name="risk_model.created", summary="Save a model"
)
async def post_model(request: Request, wanted: ModelRequest) -> Response:
    """Check a model and save it as a new version; no payment is scored by it before a rule set names it."""
    connection = cast("Connection", database_of(request))
    try:
        model = Model.of(wanted.model_dump())
        await asyncio.to_thread(Scorer, model)
        await refuse_unexplainable(model)
    except ModelError as error:
        raise InvalidRequest("model_refused", str(error), param=error.part) from None
    except ImportError:
        message = "Models need an installation with mashang[analysis]."
        raise InvalidRequest("model_refused", message, param="trees") from None
    version = await store.save(connection, model)
    stored = (await store.history(connection, 1, below=version + 1))[0]
    tell(request, f"{_SUBJECT}:{version}", {"note": stored.note, "features": list(stored.features)})
    return json_answer(201, _summary(stored)).to_response()


@router.get("/risk/models", response_model=ModelList, summary="List models")
async def get_models(
    request: Request, *, limit: Annotated[int, Query(ge=1, le=100)] = 20, starting_after: BelowModel = None
) -> Response:
    """The newest first, without their trees."""
    found = await store.history(database_of(request), limit + 1, below=starting_after)
    data = [_summary(stored) for stored in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.get("/risk/models/{version}", response_model=ModelObject, summary="Read a model")
async def get_model(request: Request, version: ModelVersion) -> Response:
    """As it was saved."""
    database = database_of(request)
    model = await store.find(database, version)
    if model is None:
        raise not_found("model", "version")
    found = await store.history(database, 1, below=version + 1)
    return json_answer(200, {**_summary(found[0]), "trees": model.trees}).to_response()


def _summary(stored: StoredModel) -> dict[str, Any]:
    return {
        "object": "risk_model",
        "version": stored.version,
        "note": stored.note,
        "features": stored.features,
        "trained": stored.trained,
        "created_at": rfc3339(stored.created_at),
    }
