"""In production no channel account leads into a network of one's own: public https addresses only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACCOUNTS = "/admin/v1/channel_accounts"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """A gateway that believes to be in production; its database knows the simulators as accounts."""
    return {"settings": {"MASHANG_ENV": "production", "MASHANG_PUBLIC_URL": "https://pay.example"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


def settings_of(stack: GatewayStack, **changes: str) -> dict[str, Any]:
    [seed] = [seed for seed in stack.simulators.accounts if seed.id == "unionpay_keyed"]
    public = {
        name: f"https://gateway.95516.com/{name}"
        for name, value in seed.settings.items()
        if isinstance(value, str) and value.startswith("http")
    }
    return seed.settings | public | changes


async def test_the_simulators_are_no_channels_in_production(admin: httpx.AsyncClient, till: Till) -> None:
    assert "must be a public https address" in (await admin.get(f"{ACCOUNTS}/wechat_direct")).json()["problem"]
    payment = await till.taken("wechat")
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "no_channel")


@pytest.mark.parametrize(
    "address", ["http://gateway.95516.com/x", "https://127.0.0.1/x", "https://localhost/x", "https://10.1.2.3/x"]
)
@pytest.mark.parametrize("name", ["back_trans_url", "query_trans_url", "file_url", "notify_url"])
async def test_an_address_inside_is_refused_by_name(
    stack: GatewayStack, admin: httpx.AsyncClient, name: str, address: str
) -> None:
    wanted = {"channel": "unionpay", "settings": settings_of(stack, **{name: address})}
    error_of(await admin.post(ACCOUNTS, json=wanted), 400, "invalid_field", f"settings.{name}")


async def test_an_account_at_the_channels_own_addresses_opens(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    wanted = {"channel": "unionpay", "settings": settings_of(stack), "status": "disabled"}
    made = await admin.post(ACCOUNTS, json=wanted)
    assert made.status_code == 201, made.text
    account = made.json()
    assert account["problem"] is None
    assert account["notify_url"] == f"https://pay.example/callbacks/unionpay/{account['id']}"
