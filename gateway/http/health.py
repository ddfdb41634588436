"""`/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Final

import asyncpg
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.database.batches import BROKEN
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.draining import DRAINING
from gateway.kernel.hot_metrics import flush_hot_metrics

router = APIRouter(tags=["operations"])

_CAMPAIGNS_S_MAX: Final = 2.0


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
    checks = {"valkey": "up" if await services.valkey.ping() else "away", "postgres": "up"}
    try:
        async with asyncio.timeout(2):
            await services.pool.fetchval("SELECT 1")
    except BROKEN:
        checks["postgres"] = "away"
    ready = checks["postgres"] == "up"
    return json_answer(200 if ready else 503, {"status": "ready" if ready else "not_ready", **checks}).to_response()


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """The metrics of every process of this host that shares MASHANG_METRICS_DIR, and those of the largest campaigns."""
    flush_hot_metrics()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry = REGISTRY
    body = await asyncio.to_thread(generate_latest, registry)
    with suppress(*BROKEN, asyncpg.PostgresError):  # the other metrics are wanted most while PostgreSQL is away
        async with asyncio.timeout(_CAMPAIGNS_S_MAX):
            body += await services_of(request).campaign_gauges.text()
    return Response(body, media_type=CONTENT_TYPE_LATEST)
