"""The OpenAPI document as it stands: examples that fit their schemas, errors of one shape, pages where pages come."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.admin import api as admin_api
from gateway.callbacks import api as callbacks_api
from gateway.codes import api as codes_api
from gateway.codes import cashier
from gateway.coupons import api as coupons_api
from gateway.http import health
from gateway.http import openapi as module
from gateway.http.openapi import describe
from gateway.payments import api as payments_api
from gateway.quotes import api as quotes_api
from gateway.receipts import api as receipts_api
from gateway.refunds import api as refunds_api
from gateway.reports import api as reports_api
from gateway.webhooks import api as webhooks_api
from tests.support.json_schema import misfits

_ROOMS = (payments_api, refunds_api, quotes_api, coupons_api, codes_api, cashier, receipts_api, reports_api,
          callbacks_api, webhooks_api, admin_api, health)  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What /openapi.json answers."""
    app = FastAPI()
    for room in _ROOMS:
        app.include_router(room.router)
    describe(app)
    return app.openapi()


def test_every_example_fits_the_schema_that_it_is_an_example_of(document: dict[str, Any]) -> None:
    examples = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            assert misfits(example, schema, document) == [], name
            examples += 1
    assert examples > 40


def test_every_error_has_the_one_shape_a_page_or_a_channels_words(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path in {"/livez", "/readyz", "/metrics"}:
                continue
            for status, response in operation["responses"].items():
                if status < "400":
                    continue
                kinds = set(response["content"])
                if path.startswith("/callbacks/") and status in {"400", "503"}:
                    assert kinds == {"application/json", "text/plain"}
                elif "text/html" in kinds:
                    assert path.startswith(("/q/", "/r/")), f"{method} {path} {status}"
                else:
                    schema = {"$ref": "#/components/schemas/ErrorAnswer"}
                    assert response["content"] == {"application/json": {"schema": schema}}, f"{method} {path} {status}"


def test_whoever_needs_a_key_is_told_so(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            if path.startswith(("/v1/", "/admin/")):
                assert operation["security"] == [{"key": []}]
                assert {"401", "403"} <= operation["responses"].keys()
            else:
                assert not operation.get("security")
                assert "401" not in operation["responses"]


async def test_other_requests_go_on_while_the_document_is_made_and_it_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on, made = threading.Event(), threading.Event(), []

    def slow(**described: Any) -> dict[str, Any]:
        made.append(described["title"])
        begun.set()
        assert go_on.wait(20)
        return {"openapi": "3.1.0", "paths": {}}

    monkeypatch.setattr(module, "get_openapi", slow)
    app = FastAPI()
    app.include_router(health.router)
    describe(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        asked = [asyncio.create_task(client.get("/openapi.json")) for _ in range(3)]
        await asyncio.to_thread(begun.wait, 20)
        assert (await client.get("/livez")).status_code == 200
        assert not any(task.done() for task in asked)
        go_on.set()
        answers = await asyncio.gather(*asked)
    assert made == ["Mashang API"]
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert {answer.json()["openapi"] for answer in answers} == {"3.1.0"}
