"""Every POST of the admin API is carried out once per Idempotency-Key, and answered as before when it is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.admin.kept_answers import forget_answers
from gateway.kernel.ids import new_ulid
from tests.support.gateway import GatewayStack
from tests.support.till import error_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
MERCHANTS = "/admin/v1/merchants"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes: a repetition may come to another one."""
    return {"gateways": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admins(stack: GatewayStack) -> AsyncIterator[list[httpx.AsyncClient]]:
    """A client of the admin API at each process."""
    async with stack.admin(gateway=0) as first, stack.admin(gateway=1) as second:
        yield [first, second]


@pytest.fixture
def key() -> dict[str, str]:
    """A new key, as a header."""
    return {"Idempotency-Key": f"K-{new_ulid()}"}


async def merchants(database: asyncpg.Connection, name: str) -> int:
    return int(await database.fetchval("SELECT count(*) FROM merchants WHERE name = $1", name))


async def test_a_repetition_makes_nothing_and_is_answered_with_the_same_secrets(
    admins: list[httpx.AsyncClient], database: asyncpg.Connection, key: dict[str, str]
) -> None:
    name = new_ulid()
    first = await admins[0].post(MERCHANTS, json={"name": name, "timezone": "Asia/Urumqi"}, headers=key)
    again = await admins[1].post(
        MERCHANTS, content=f'{{ "timezone":"Asia/Urumqi",\n"name":"{name}" }}'.encode(),
        headers=key | {"Content-Type": "application/json"},
    )  # fmt: skip
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert await merchants(database, name) == 1


async def test_of_many_at_once_one_is_carried_out(
    admins: list[httpx.AsyncClient], database: asyncpg.Connection, key: dict[str, str]
) -> None:
    name = new_ulid()
    answers = await asyncio.gather(
        *[admins[number % 2].post(MERCHANTS, json={"name": name}, headers=key) for number in range(6)]
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 5
    assert await merchants(database, name) == 1


async def test_without_a_key_each_request_is_a_new_one(
    admins: list[httpx.AsyncClient], database: asyncpg.Connection
) -> None:
    name = new_ulid()
    for _ in range(2):
        assert (await admins[0].post(MERCHANTS, json={"name": name})).status_code == 201
    assert await merchants(database, name) == 2


async def test_another_request_under_the_same_key_is_a_conflict(
    stack: GatewayStack, admins: list[httpx.AsyncClient], database: asyncpg.Connection, key: dict[str, str]
) -> None:
    name = new_ulid()
    assert (await admins[0].post(MERCHANTS, json={"name": name}, headers=key)).status_code == 201
    for path, body in ((MERCHANTS, {"name": f"{name}!"}), (f"{MERCHANTS}/{stack.shop.id}/keys", {"name": name})):
        answer = await admins[0].post(path, json=body, headers=key)
        error_of(answer, 409, "idempotency_key_reused", "Idempotency-Key")
    assert await merchants(database, f"{name}!") == 0


async def test_a_refusal_binds_nothing(
    admins: list[httpx.AsyncClient], database: asyncpg.Connection, key: dict[str, str]
) -> None:
    name = new_ulid()
    error_of(await admins[0].post(MERCHANTS, json={"name": name, "color": "red"}, headers=key), 400)
    error_of(await admins[0].post(f"{MERCHANTS}/mer_{new_ulid()}/keys", json={}, headers=key), 404)
    made = await admins[0].post(MERCHANTS, json={"name": name}, headers=key)
    assert (made.status_code, "idempotent-replayed" in made.headers) == (201, False)
    assert await merchants(database, name) == 1


async def test_an_answer_without_a_body_is_repeated_too(
    stack: GatewayStack, admins: list[httpx.AsyncClient], key: dict[str, str]
) -> None:
    made = (await admins[0].post(f"{MERCHANTS}/{stack.shop.id}/keys", json={})).json()
    for admin in admins:
        answer = await admin.post(f"{MERCHANTS}/{stack.shop.id}/keys/{made['id']}/revoke", headers=key)
        assert (answer.status_code, answer.content) == (204, b"")


async def test_a_known_key_opens_no_door(
    stack: GatewayStack, admins: list[httpx.AsyncClient], key: dict[str, str]
) -> None:
    assert (await admins[0].post(MERCHANTS, json={"name": "x"}, headers=key)).status_code == 201
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as stranger:
        error_of(await stranger.post(MERCHANTS, json={"name": "x"}, headers=key), 401, "invalid_admin_token")


@pytest.mark.parametrize("value", [b"", b"a b", b"x" * 256, b"caf\xc3\xa9", b"\xff"])
async def test_a_key_that_is_no_key_is_refused(
    admins: list[httpx.AsyncClient], database: asyncpg.Connection, value: bytes
) -> None:
    name = new_ulid()
    answer = await admins[0].post(MERCHANTS, json={"name": name}, headers={b"idempotency-key": value})
    error_of(answer, 400, "invalid_header", "Idempotency-Key")
    assert await merchants(database, name) == 0


async def test_a_body_that_is_nested_too_deeply_is_refused_with_a_key_too(
    admins: list[httpx.AsyncClient], key: dict[str, str]
) -> None:
    content = b'{"name":' + b'{"a":' * 600 + b"1" + b"}" * 601
    error_of(await admins[0].post(MERCHANTS, content=content, headers=key | {"Content-Type": "application/json"}), 400)


async def test_what_is_kept_of_an_answer_is_sealed(
    stack: GatewayStack, admins: list[httpx.AsyncClient], database: asyncpg.Connection, key: dict[str, str]
) -> None:
    answer = await admins[0].post(f"{MERCHANTS}/{stack.shop.id}/keys", json={}, headers=key)
    kept = await database.fetchrow("SELECT * FROM admin_requests WHERE key = $1", key["Idempotency-Key"])
    assert kept is not None
    made = answer.json()
    for secret in (made["secret"], made["signing_secret"]):
        assert secret.encode() not in bytes(kept["answer_sealed"])
        assert secret.encode() not in bytes(kept["fingerprint"])
    assert stack.vault.open(kept["answer_sealed"], key["Idempotency-Key"].encode()) == answer.content


async def test_an_answer_is_kept_for_a_day_and_then_forgotten(
    admins: list[httpx.AsyncClient], database: asyncpg.Connection, key: dict[str, str]
) -> None:
    name, number = new_ulid(), key["Idempotency-Key"]
    await admins[0].post(MERCHANTS, json={"name": name}, headers=key)
    age = "UPDATE admin_requests SET created_at = now() - $2::text::interval WHERE key = $1"
    await database.execute(age, number, "23 hours 59 minutes")
    await forget_answers(database)
    assert (await admins[0].post(MERCHANTS, json={"name": name}, headers=key)).headers["idempotent-replayed"]
    await database.execute(age, number, "24 hours 1 minute")
    fresh = await admins[0].post(
        MERCHANTS, json={"name": name}, headers=key
    )  # not forgotten yet, and over all the same
    assert (fresh.status_code, "idempotent-replayed" in fresh.headers) == (201, False)
    assert await merchants(database, name) == 2
    await database.execute(age, number, "24 hours 1 minute")
    await forget_answers(database)
    assert await database.fetchval("SELECT count(*) FROM admin_requests WHERE key = $1", number) == 0


async def test_making_and_rotating_accounts_is_carried_out_once_as_well(
    stack: GatewayStack, admins: list[httpx.AsyncClient], key: dict[str, str]
) -> None:
    [seed] = [seed for seed in stack.simulators.accounts if seed.id == "unionpay_keyed"]
    wanted = {"channel": "unionpay", "settings": seed.settings, "status": "disabled"}
    made = [await admin.post("/admin/v1/channel_accounts", json=wanted, headers=key) for admin in admins]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json() == made[1].json()
    path = f"/admin/v1/channel_accounts/{made[0].json()['id']}/rotate"
    rotation = {"settings": {**seed.settings, "notify_barcode": True}}
    other = {"Idempotency-Key": f"K-{new_ulid()}"}
    rotated = [await admin.post(path, json=rotation, headers=other) for admin in admins]
    assert rotated[0].json() == rotated[1].json()
    assert rotated[0].json()["previous_until"] is not None
