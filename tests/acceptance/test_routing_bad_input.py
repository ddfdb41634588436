"""Whatever is wrong in a request about routing is refused by name, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.policies import EXPLAIN, POLICY
from tests.support.till import error_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
JSON = {"Content-Type": "application/json"}
RULE = {"name": "r", "when": "payment.amount > 1", "order": ["wechat_direct"]}
WRONG_POLICIES: list[tuple[Any, str]] = [
    ([], "body"),
    ("x", "body"),
    (5, "body"),
    (None, "body"),
    ({}, "rules"),
    ({"rules": None}, "rules"),
    ({"rules": {}}, "rules"),
    ({"rules": [1]}, "rules.0"),
    ({"rules": [RULE] * 201}, "rules"),
    ({"rules": [RULE, RULE]}, "rules.1.name"),
    ({"rules": [RULE | {"name": "\ud800"}]}, "rules.0.name"),
    ({"rules": [RULE | {"name": None}]}, "rules.0.name"),
    ({"rules": [RULE | {"when": 1}]}, "rules.0.when"),
    ({"rules": [RULE | {"when": "\ud800"}]}, "rules.0.when"),
    ({"rules": [RULE | {"when": "payment.amount > 1 \x00"}]}, "rules.0.when"),
    ({"rules": [RULE | {"when": "(" * 1_900}]}, "rules.0.when"),
    ({"rules": [RULE | {"when": "a" * 1_900}]}, "rules.0.when"),
    ({"rules": [RULE | {"when": "payment.amount > " + "9" * 400}]}, "rules.0.when"),
    ({"rules": [RULE | {"when": "[1,2,3].map(x, x)"}]}, "rules.0.when"),
    ({"rules": [RULE | {"order": ["nobody"]}]}, "rules.0.order.0"),
    ({"rules": [RULE | {"order": ["'; DROP TABLE payments; --"]}]}, "rules.0.order.0"),
    ({"rules": [RULE | {"exclude": ["wechat_direct"]}]}, "rules.0"),
    ({"rules": [RULE | {"enabled": "no"}]}, "rules.0.enabled"),
    ({"rules": [RULE | {"description": 1}]}, "rules.0.description"),
    ({"rules": [RULE | {"within": "0.1"}]}, "rules.0.within"),
    ({"rules": [RULE | {"surprise": 1}]}, "rules.0.surprise"),
    ({"rules": [{"name": "r", "when": "true", "split": {"wechat_direct": 70}}]}, "rules.0.split"),
    ({"rules": [{"name": "r", "when": "true", "split": {"wechat_direct": 1e309}}]}, "rules.0.split.wechat_direct"),
    ({"rules": [{"name": "r", "when": "true", "split": {"\ud800": 100}}]}, "rules.0.split.?"),
    ({"rules": [], "note": "\x00"}, "note"),
    ({"rules": [], "success_value": 0.3}, "success_value"),
    ({"rules": [], "exploration": "1"}, "exploration"),
    ({"rules": [], "tries_max": 99}, "tries_max"),
    ({"rules": [], "surprise": 1}, "surprise"),
    ({"rules": [], "base_version": "1"}, "base_version"),
    ({"rules": [], "base_version": -1}, "base_version"),
    ({"rules": [], "base_version": True}, "base_version"),
    ({"rules": [], "base_version": 2**31}, "base_version"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def unchanged(database: asyncpg.Connection) -> AsyncIterator[None]:
    """Nothing that is refused leaves anything."""
    count = "SELECT (SELECT count(*) FROM routing_policies) + (SELECT count(*) FROM routing_publications)"
    before = await database.fetchval(count)
    yield
    assert await database.fetchval(count) == before


@pytest.mark.parametrize(("given", "param"), WRONG_POLICIES, ids=lambda value: ascii(value)[:60])
async def test_a_wrong_policy_is_refused_by_name(admin: httpx.AsyncClient, given: Any, param: str) -> None:
    content = json.dumps(given).encode()  # as it is, lone surrogates too
    error_of(await admin.put(POLICY, content=content, headers=JSON), 400, None, param)


@pytest.mark.parametrize(("given", "param"), WRONG_POLICIES, ids=lambda value: ascii(value)[:60])
async def test_a_check_says_the_same(admin: httpx.AsyncClient, given: Any, param: str) -> None:
    answer = await admin.post(f"{POLICY}/check", content=json.dumps(given).encode(), headers=JSON)
    if param in {"body", "base_version"}:
        error_of(answer, 400, None, param)
    else:
        assert answer.status_code == 200, answer.text
        assert [problem["path"] for problem in answer.json()["problems"]] == [param]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 30_000, b'{"rules":' + b"[" * 9_000 + b"]" * 9_000 + b"}"]
)
async def test_what_is_no_policy_at_all_is_refused(admin: httpx.AsyncClient, content: bytes) -> None:
    for method, path in (("PUT", POLICY), ("POST", f"{POLICY}/check")):
        answer = await admin.request(method, path, content=content, headers=JSON)
        assert answer.status_code == 400 or b"problems" in answer.content, answer.text


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"version": -1}, "version"),
        ({"version": 2**31}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"version": 1.5}, "version"),
        ({"surprise": 1}, "surprise"),
        ([], "body"),
    ],
)
async def test_a_wrong_roll_back_is_refused_by_name(admin: httpx.AsyncClient, given: Any, param: str) -> None:
    error_of(await admin.post(f"{POLICY}/roll_back", json=given), 400, None, param)


@pytest.mark.parametrize(
    ("path", "param"),
    [
        (f"{POLICY}/versions?limit=0", "limit"),
        (f"{POLICY}/versions?limit=101", "limit"),
        (f"{POLICY}/versions?limit=x", "limit"),
        (f"{POLICY}/versions?starting_after=-1", "starting_after"),
        (f"{POLICY}/versions?starting_after=99999999999", "starting_after"),
        (f"{POLICY}/versions?surprise=1", "surprise"),
        (f"{POLICY}/versions/x", "version"),
        (f"{POLICY}/versions/-1", "version"),
        (f"{POLICY}/versions/99999999999", "version"),
        (f"{POLICY}?surprise=1", "surprise"),
        ("/admin/v1/routing/accounts?limit=0", "limit"),
        ("/admin/v1/routing/accounts?merchant_id=x", "merchant_id"),
        ("/admin/v1/routing/accounts?starting_after=a%20b", "starting_after"),
        ("/admin/v1/routing/accounts?surprise=1", "surprise"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(admin: httpx.AsyncClient, path: str, param: str) -> None:
    error_of(await admin.get(path), 400, None, param)


@pytest.mark.parametrize("payments", ["-1", "1001", "x", "1.5"])
async def test_a_check_looks_at_so_many_payments_at_most(admin: httpx.AsyncClient, payments: str) -> None:
    answer = await admin.post(f"{POLICY}/check", params={"payments": payments}, json={"rules": []})
    error_of(answer, 400, None, "payments")


SALE = {"amount": 100, "wallet": "wechat"}
AUTH_CODE = "281234567890123456"
NOBODY = "01M8175PV2XYG6AM6MYX836A0Y"
"""Of ids that nothing has; the same in every process that collects the tests."""


@pytest.mark.parametrize(
    ("given", "status", "param"),
    [
        ({}, 400, "amount"),
        ({"wallet": "wechat"}, 400, "amount"),
        ({"amount": 100}, 400, "wallet"),
        *[(SALE | {"amount": value}, 400, "amount") for value in (0, -1, 1.5, "1", True, 10**11, 10**400)],
        *[(SALE | {"wallet": value}, 400, "wallet") for value in ("", "alipay_plus", 1, ["wechat"], "\ud800")],
        *[({"amount": 1, "auth_code": value}, 400, "auth_code") for value in ("", "1", 1, "9" * 65, "\x00", "\ud800")],
        ({"amount": 1, "auth_code": AUTH_CODE, "wallet": "wechat"}, 400, "wallet"),
        ({"amount": 1, "auth_code": AUTH_CODE, "method": "page"}, 400, "method"),
        *[(SALE | {"method": value}, 400, "method") for value in ("", "card", 1)],
        *[(SALE | {"merchant_id": value}, 400, "merchant_id") for value in ("", "x", 1, "mer_x")],
        (SALE | {"merchant_id": f"mer_{NOBODY}"}, 404, "merchant_id"),
        *[
            (SALE | {"at": value}, 400, "at")
            for value in ("", "x", "2026-11-22", "2026-11-22T00:00:00", "9999-12-31T23:59:59-12:00")
        ],
        *[
            (SALE | {name: value}, 400, name)
            for name in ("store_id", "terminal_id", "operator_id")
            for value in ("", "x" * 33, 1, "\x00")
        ],
        *[(SALE | {"card_bin": value}, 400, "card_bin") for value in ("", "62220", "622202020", "62220x", 622202)],
        *[(SALE | {"static_code": value}, 400, "static_code") for value in ("true", 1, None)],
        (SALE | {"surprise": 1}, 400, "surprise"),
        *[({"payment_id": value}, 400, "payment_id") for value in ("", "pay_x", 1, "pay_" + "I" * 26)],
        ({"payment_id": f"pay_{NOBODY}"}, 404, "payment_id"),
        ({"payment_id": f"pay_{NOBODY}", "amount": 1}, 400, "amount"),
        ({"payment_id": f"pay_{NOBODY}", "static_code": False}, 400, "static_code"),
        ([], 400, "body"),
        (None, 400, "body"),
    ],
    ids=lambda value: ascii(value)[:60],
)
async def test_what_cannot_be_explained_is_refused_by_name(
    admin: httpx.AsyncClient, given: Any, status: int, param: str
) -> None:
    answer = await admin.post(EXPLAIN, content=json.dumps(given).encode(), headers=JSON)
    error = error_of(answer, status, None, param)
    code = given.get("auth_code") if isinstance(given, dict) else None
    assert not isinstance(code, str) or len(code) < 5 or code not in error["message"]


async def test_without_the_token_nothing_is_told(stack: GatewayStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as nobody:
        for method, path in (
            ("GET", POLICY),
            ("PUT", POLICY),
            ("GET", f"{POLICY}/versions"),
            ("GET", f"{POLICY}/versions/0"),
            ("POST", f"{POLICY}/roll_back"),
            ("POST", f"{POLICY}/check"),
            ("POST", EXPLAIN),
            ("GET", "/admin/v1/routing/accounts"),
        ):
            error_of(await nobody.request(method, path), 401)
