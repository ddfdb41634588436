"""`/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from gateway.database.probing import answers
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.draining import DRAINING
from gateway.metrics.exposition import CONTENT_TYPE

router = APIRouter(tags=["operations"])


@router.get("/livez", summary="Is this process alive")
async def livez() -> Response:
    """200 as long as the event loop turns."""
    return json_answer(200, {"status": "alive"}).to_response()


@router.get(
    "/readyz",
    summary="Can this process take payments",
    responses={503: {"description": "PostgreSQL does not answer, or this process is to stop."}},
)
async def readyz(request: Request) -> Response:
    """200 where PostgreSQL answers; Valkey's absence slows payments but does not stop them, and is shown."""
    if DRAINING.is_on:
        return json_answer(503, {"status": "draining"}).to_response()
    services = services_of(request)
    valkey = "up" if await services.valkey.ping() else "away"
    ready = await answers(services.pool)
    checks = {"valkey": valkey, "postgres": "up" if ready else "away"}
    return json_answer(200 if ready else 503, {"status": "ready" if ready else "not_ready", **checks}).to_response()


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """The metrics of every process of this host that shares MASHANG_METRICS_DIR (docs/metrics.md)."""
    return Response(await services_of(request).exposition.scrape(), media_type=CONTENT_TYPE)
