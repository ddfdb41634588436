"""What is logged when PostgreSQL is away: which route, never the path, for it can hold the token of a customer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.app import _handle_errors
from gateway.database.batches import BROKEN
from tests.support.rows import settings

TOKEN = "01JD5ZV8W3M0Q9C6R1T2X4Y7KBMZXW6YTBOI2GK3DF"


async def test_the_token_of_a_receipt_is_not_logged_when_a_store_is_away(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    _handle_errors(app, settings("postgresql:///nowhere"))

    @app.get("/r/{token}")
    async def receipt(token: str) -> Any:
        raise BROKEN[0]

    async def with_id(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "mashang.request_id": "req_1"}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(with_id), base_url="http://gateway") as client:
        answer = await client.get(f"/r/{TOKEN}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
    [line] = [record for record in caplog.records if record.getMessage().startswith("a store is away")]
    assert vars(line)["route"] == "/r/{token}"
    assert TOKEN not in str(vars(line))
