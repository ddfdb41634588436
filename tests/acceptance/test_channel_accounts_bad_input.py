"""Wrong requests for channel accounts are refused by name, quote nothing and write nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.support.accounts import ACCOUNTS, settings_of
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_order

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"channel": "card"}, "channel"),
        ({"channel": None}, "channel"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "../x"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"id": "a\x00"}, "id"),
        ({"id": 5}, "id"),
        ({"merchant_id": "mer_nobody"}, "merchant_id"),
        ({"status": "closed"}, "status"),
        ({"priority": -1}, "priority"),
        ({"priority": 10_001}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": "1"}, "priority"),
        ({"priority": True}, "priority"),
        ({"priority": 2**63}, "priority"),
        ({"fee_rate_millionths": 1_000_001}, "fee_rate_millionths"),
        ({"fee_rate_millionths": -1}, "fee_rate_millionths"),
        ({"wallets": ["alipay"]}, "wallets.0"),
        ({"wallets": []}, "wallets"),
        ({"wallets": ["cash"]}, "wallets.0"),
        ({"wallets": ["wechat", "jd"]}, "wallets.1"),
        ({"wallets": "wechat"}, "wallets"),
        ({"settings": None}, "settings"),
        ({"settings": {}}, "settings"),
        ({"settings": []}, "settings"),
        ({"settings": "{}"}, "settings"),
    ],
)
async def test_a_wrong_field_of_a_new_account_is_refused_by_name(
    stack: GatewayStack, admin: httpx.AsyncClient, database: asyncpg.Connection, change: dict[str, Any], param: str
) -> None:
    before = await database.fetchval("SELECT count(*) FROM channel_accounts")
    wanted = {"channel": "wechat", "settings": settings_of(stack, "wechat_direct")} | change
    error_of(await admin.post(ACCOUNTS, json=wanted), 400, param=param)
    assert await database.fetchval("SELECT count(*) FROM channel_accounts") == before


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"mchid": None}, "invalid_field", "settings.mchid"),
        ({"mchid": ""}, "invalid_field", "settings.mchid"),
        ({"mchid": 19}, "invalid_field", "settings.mchid"),
        ({"mchid": "1\x00"}, "invalid_field", "settings.mchid"),
        ({"mchid": "1'; DROP TABLE payments; --"}, "invalid_field", "settings.mchid"),
        ({"base_url": "ftp://x"}, "invalid_field", "settings.base_url"),
        ({"base_url": "http://x\r\nHost: y"}, "invalid_field", "settings.base_url"),
        ({"notify_url": "https://x/?a=1"}, "invalid_field", "settings.notify_url"),
        ({"api_v3_key": "secret-that-is-short"}, "invalid_field", "settings.api_v3_key"),
        ({"api_v3_key": "\ud800" * 32}, "invalid_field", "settings.api_v3_key"),
        ({"merchant_private_key_pem": "secret-that-is-no-key"}, "invalid_field", "settings.merchant_private_key_pem"),
        ({"platform_public_keys": {"K": "secret-that-is-no-key"}}, "invalid_field", "settings.platform_public_keys"),
        ({"platform_public_keys": {"K" * 9: {"deep": [[[]]]}}}, "invalid_field", "settings.platform_public_keys"),
        ({"rhythm": {"after_pending_s": [1e309]}}, "invalid_field", "settings.rhythm"),
        ({"rhythm": "quick"}, "invalid_field", "settings.rhythm"),
        ({"concurrency": {"calls_max": -1}}, "invalid_field", "settings.concurrency"),
        ({"color": "red"}, "unknown_field", "settings.color"),
        ({"a\ud800\x00\u202e": "x"}, "unknown_field", None),
        ({"x" * 5_000: "x"}, "unknown_field", None),
        *[
            ({name: ...}, "missing_field", f"settings.{name}")
            for name in ("base_url", "mchid", "merchant_serial", "merchant_private_key_pem", "api_v3_key")
        ],
    ],
)
async def test_a_wrong_setting_is_refused_by_name_and_never_quoted(
    stack: GatewayStack, admin: httpx.AsyncClient, change: dict[str, Any], code: str, param: str | None
) -> None:
    changed = settings_of(stack, "wechat_direct") | change
    settings = {name: value for name, value in changed.items() if value is not ...}
    for path, body in (
        (ACCOUNTS, {"channel": "wechat", "settings": settings}),
        (f"{ACCOUNTS}/wechat_direct/rotate", {"settings": settings}),
    ):
        content = json.dumps(body).encode()  # as it is, lone surrogates too
        answer = await admin.post(path, content=content, headers={"Content-Type": "application/json"})
        error_of(answer, 400, code, param)
        assert "secret-that" not in answer.text


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "settings"),
        ({"settings": {"a": 1}, "overlap_hours": -1}, "overlap_hours"),
        ({"settings": {"a": 1}, "overlap_hours": 8_761}, "overlap_hours"),
        ({"settings": {"a": 1}, "overlap_hours": "1"}, "overlap_hours"),
        ({"settings": {"a": 1}, "overlap_hours": 1e309}, "overlap_hours"),
        ({"settings": {"a": 1}, "overlap_hours": None}, "overlap_hours"),
        ({"settings": {"a": 1}, "overlap": 1}, "overlap"),
        ([], "body"),
    ],
)
async def test_a_wrong_rotation_is_refused_by_name(admin: httpx.AsyncClient, body: Any, param: str) -> None:
    content = json.dumps(body).encode()
    answer = await admin.post(
        f"{ACCOUNTS}/wechat_direct/rotate", content=content, headers={"Content-Type": "application/json"}
    )
    error_of(answer, 400, param=param)


@pytest.mark.parametrize(
    ("call", "body", "status", "param"),
    [
        ("GET /nobody", None, 404, "account_id"),
        ("GET /%00", None, 400, "account_id"),
        ("GET /..%2f..%2fx", None, 404, None),
        ("GET /wechat_direct?color=red", None, 400, "color"),
        ("POST /nobody/rotate", {"settings": {"mchid": "1"}}, 404, "account_id"),
        ("PATCH /wechat_direct", {"priority": None}, 400, "priority"),
        ("PATCH /wechat_direct", {"status": None}, 400, "status"),
        ("PATCH /wechat_direct", {"fee_rate_millionths": 0.5}, 400, "fee_rate_millionths"),
        ("PATCH /wechat_direct", {"priority": 10**30}, 400, "priority"),
        ("GET ?limit=0", None, 400, "limit"),
        ("GET ?limit=101", None, 400, "limit"),
        ("GET ?merchant_id=mer_x", None, 400, "merchant_id"),
        ("GET ?starting_after=%00", None, 400, "starting_after"),
        ("GET ?status=enabled", None, 400, "status"),
        ("DELETE /wechat_direct", None, 405, None),
        ("PUT /wechat_direct", {}, 405, None),
    ],
)
async def test_a_wrong_call_is_refused_by_name(
    admin: httpx.AsyncClient, call: str, body: Any, status: int, param: str | None
) -> None:
    method, _, path = call.partition(" ")
    error_of(await admin.request(method, f"{ACCOUNTS}{path}", json=body), status, param=param)


async def test_a_body_that_is_too_large_or_no_json_writes_nothing(admin: httpx.AsyncClient) -> None:
    json_type = {"Content-Type": "application/json"}
    large = b'{"channel": "wechat", "settings": {"a": "' + b"x" * 40_000 + b'"}}'
    error_of(await admin.post(ACCOUNTS, content=large, headers=json_type), 413)
    for body in (b"{", b"\xff", b"[" * 10_000, b'{"channel": NaN}', b"null", b""):
        answer = await admin.post(ACCOUNTS, content=body, headers=json_type)
        assert answer.status_code == 400, answer.text


async def test_without_the_admin_token_nothing_is_told_and_nothing_written(stack: GatewayStack, till: Till) -> None:
    for method, path in (
        ("GET", ACCOUNTS),
        ("POST", ACCOUNTS),
        ("GET", f"{ACCOUNTS}/wechat_direct"),
        ("PATCH", f"{ACCOUNTS}/wechat_direct"),
        ("POST", f"{ACCOUNTS}/wechat_direct/rotate"),
    ):
        error_of(await till.client.request(method, path, json={"status": "disabled"}), 401, "invalid_admin_token")
    assert (await till.pay(new_order())).json()["channel"] == "wechat_direct"
