"""Accounts through the admin API: a merchant's own, drained ones that finish, credentials that rotate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.admin.accounts.schemas import AccountDetail, AccountObject
from gateway.kernel.ids import new_id
from gateway.payments.numbers import attempt_order_no
from tests.support.accounts import ACCOUNTS, settings_of
from tests.support.gateway import GatewayStack, Shop
from tests.support.till import Till, error_of, new_order, payment_of, shape_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes: what changes on one must be followed by the other."""
    return {"gateways": 2, "callbacks": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


def detail_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The account in an answer, exactly as documented."""
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    AccountDetail.model_validate(found)
    assert set(found) == set(AccountDetail.model_fields)
    return found


async def own_account(admin: httpx.AsyncClient, stack: GatewayStack, shop: Shop, seed: str, **more: Any) -> str:
    """A new account of the shop's own at the simulator behind a seed."""
    channel = seed.partition("_")[0]
    wanted = {"channel": channel, "merchant_id": shop.id, "settings": settings_of(stack, seed)} | more
    return str(detail_of(await admin.post(ACCOUNTS, json=wanted), 201)["id"])


async def taken_on(till: Till, account_id: str, wallet: str, magic: str | None = None) -> dict[str, Any]:
    """A payment that goes to this account: within a second of a change, on every process."""
    deadline = time.monotonic() + 1
    while True:
        payment = await till.taken(wallet, magic, **({} if magic is None else {"wait_s": 1}))
        if payment["channel"] == account_id:
            return payment
        assert time.monotonic() < deadline, f"payments go to {payment['channel']}, not to {account_id}"
        await asyncio.sleep(0.02)


async def test_a_merchant_with_an_account_of_its_own_uses_it_and_nobody_else_does(
    stack: GatewayStack, admin: httpx.AsyncClient, till: Till
) -> None:
    shop = stack.new_shop("own account")
    account_id = await own_account(admin, stack, shop, "unionpay_keyed", priority=9_000)
    for gateway in range(2):
        async with stack.till(shop, gateway=gateway) as own:
            await taken_on(own, account_id, "unionpay")
            # It has none for the other wallets: those stay with the platform.
            assert (await own.paid("wechat"))["channel"] == "wechat_direct"
    assert (await till.paid("unionpay"))["channel"] == "unionpay_direct"
    listed = (await admin.get(ACCOUNTS, params={"merchant_id": shop.id})).json()
    assert [(account["id"], account["merchant_id"]) for account in listed["data"]] == [(account_id, shop.id)]
    assert listed["has_more"] is False


async def test_a_drained_account_finishes_gives_back_and_leaves_new_payments_to_the_platform(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    shop = stack.new_shop("leaving")
    account_id = await own_account(admin, stack, shop, "unionpay_keyed")
    async with stack.till(shop) as own:
        paid = await taken_on(own, account_id, "unionpay")
        waiting = await taken_on(own, account_id, "unionpay", "9003")  # types the PIN three seconds from now
        assert waiting["status"] == "processing"
        drained = await admin.patch(f"{ACCOUNTS}/{account_id}", json={"status": "draining"})
        assert drained.json()["status"] == "draining"
        await taken_on(own, "unionpay_direct", "unionpay")

        settled = await own.settled(waiting["id"])
        assert (settled["status"], settled["channel"]) == ("succeeded", account_id)
        await admin.patch(f"{ACCOUNTS}/{account_id}", json={"status": "disabled"})
        for payment, amount in ((paid, 599), (settled, settled["amount"])):
            answer = await own.client.post(
                "/v1/refunds",
                json={"payment_id": payment["id"], "amount": amount, "merchant_refund_no": f"R-{payment['id'][-8:]}"},
            )
            assert answer.status_code == 201, answer.text
            assert (await refunded(own, answer.json()["id"]))["status"] == "succeeded"
            [trade] = stack.simulators.trades("unionpay", attempt_order_no(payment["id"], 1))
            assert trade["refunded"] == amount


async def refunded(till: Till, refund_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        refund: dict[str, Any] = (await till.client.get(f"/v1/refunds/{refund_id}")).json()
        if refund["status"] != "pending":
            return refund
        assert time.monotonic() < deadline, refund
        await asyncio.sleep(0.05)


async def test_while_credentials_overlap_what_was_signed_for_the_earlier_ones_is_believed(
    stack: GatewayStack, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    """WeChat Pay goes on to sign with the public key from before; the new settings know the certificate only."""
    shop = stack.new_shop("rotating")
    account_id = await own_account(admin, stack, shop, "wechat_direct")
    settings = settings_of(stack, "wechat_direct")
    certificate = {
        serial: pem for serial, pem in settings["platform_public_keys"].items() if not serial.startswith("PUB_KEY_ID")
    }
    assert len(certificate) == 1
    new = settings | {"platform_public_keys": certificate}
    answer = await admin.post(f"{ACCOUNTS}/{account_id}/rotate", json={"settings": new, "overlap_hours": 1})
    rotated = detail_of(answer)
    serials = {key["serial"] for key in rotated["keys"] if key["setting"] == "platform_public_keys"}
    earlier = {key["serial"] for key in rotated["previous_keys"] if key["setting"] == "platform_public_keys"}
    assert (serials, earlier) == (set(certificate), set(settings["platform_public_keys"]))
    assert rotated["previous_until"] is not None
    assert rotated["problem"] is None
    async with stack.till(shop) as own:
        await asyncio.sleep(1)  # by now every process has followed
        assert (await own.paid("wechat"))["channel"] == account_id

        await admin.post(f"{ACCOUNTS}/{account_id}/rotate", json={"settings": settings, "overlap_hours": 0})
        ended = detail_of(await admin.get(f"{ACCOUNTS}/{account_id}"))
        assert (ended["previous_until"], ended["previous_keys"]) == (None, [])
        kept = await database.fetchval(
            "SELECT previous_settings_sealed FROM channel_accounts WHERE id = $1", account_id
        )
        assert kept is None
        await own.paid("wechat")


@pytest.mark.parametrize("overlap_hours", [1, 0])
async def test_a_callback_signed_for_the_earlier_credentials_is_taken_in_while_they_overlap(
    stack: GatewayStack, admin: httpx.AsyncClient, database: asyncpg.Connection, overlap_hours: int
) -> None:
    """The channel signs with the secret key from before; without an overlap only asking finds the payment."""
    shop = stack.new_shop("called back")
    account_id = f"own_{shop.id[-6:]}"
    notified = {"notify_url": f"{stack.url}/callbacks/unionpay/{account_id}"}
    await own_account(
        admin, stack, shop, "unionpay_keyed", id=account_id, settings=settings_of(stack, "unionpay_keyed", **notified)
    )
    async with stack.till(shop) as own:
        await taken_on(own, account_id, "unionpay")
        order = new_order("unionpay", method="qrcode", auth_code=None) | {"wallet": "unionpay"}
        payment = payment_of(await own.pay(order), 201)
        assert payment["status"] == "requires_action"
        [seed] = [seed for seed in stack.simulators.rotated if seed.id == "unionpay_keyed"]
        new = settings_of(stack, "unionpay_keyed", **notified) | {"secret_key": seed.settings["secret_key"]}
        rotation = {"settings": new, "overlap_hours": overlap_hours}
        rotated = detail_of(await admin.post(f"{ACCOUNTS}/{account_id}/rotate", json=rotation))
        assert (rotated["previous_until"] is not None) == bool(overlap_hours)
        await asyncio.sleep(1)  # by now every process has followed
        stack.simulators.scan("unionpay", payment["qr_code"])
        settled = await own.settled(payment["id"])
        assert (settled["status"], settled["channel"]) == ("succeeded", account_id)
        taken_in = await database.fetchval("SELECT count(*) FROM callbacks WHERE payment_id = $1", payment["id"])
        assert taken_in == (1 if overlap_hours else 0)


async def test_a_repeated_rotation_leaves_the_overlap_as_it_was(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    account_id = await own_account(admin, stack, stack.new_shop(), "wechat_direct")
    new = settings_of(stack, "wechat_direct", app_secret="another")
    first = detail_of(await admin.post(f"{ACCOUNTS}/{account_id}/rotate", json={"settings": new}))
    again = detail_of(await admin.post(f"{ACCOUNTS}/{account_id}/rotate", json={"settings": new, "overlap_hours": 0}))
    assert again == first
    assert first["previous_until"] is not None


@pytest.mark.parametrize(
    ("seed", "changes", "param"),
    [
        ("wechat_direct", {"mchid": "1999999999"}, "settings.mchid"),
        ("wechat_direct", {"appid": "wx0000000000000000"}, "settings.appid"),
        ("alipay_direct", {"app_id": "2021000000000000"}, "settings.app_id"),
        ("unionpay_direct", {"mer_id": "777290000000000"}, "settings.mer_id"),
    ],
)
async def test_an_account_never_becomes_another_one(
    stack: GatewayStack, admin: httpx.AsyncClient, seed: str, changes: dict[str, str], param: str
) -> None:
    before = detail_of(await admin.get(f"{ACCOUNTS}/{seed}"))
    answer = await admin.post(f"{ACCOUNTS}/{seed}/rotate", json={"settings": settings_of(stack, seed, **changes)})
    error_of(answer, 409, "account_identity", param)
    for field, value in (("merchant_id", stack.shop.id), ("channel", "alipay"), ("settings", {})):
        error_of(await admin.patch(f"{ACCOUNTS}/{seed}", json={field: value}), 400, "unknown_field", field)
    assert detail_of(await admin.get(f"{ACCOUNTS}/{seed}")) == before


async def test_no_credential_is_ever_given_back(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    shop = stack.new_shop()
    said = []
    for seed in ("wechat_direct", "alipay_direct", "unionpay_direct", "unionpay_keyed"):
        account_id = await own_account(admin, stack, shop, seed, id=f"own_{seed}_{shop.id[-6:]}")
        rotation = {"settings": settings_of(stack, seed, concurrency={"calls_max": 9})}
        said.append((await admin.post(f"{ACCOUNTS}/{account_id}/rotate", json=rotation)).text)
        said.append((await admin.get(f"{ACCOUNTS}/{account_id}")).text)
        said.append((await admin.patch(f"{ACCOUNTS}/{account_id}", json={"priority": 5})).text)
        wrong = {"settings": settings_of(stack, seed, notify_url="nowhere")}
        said.append((await admin.post(f"{ACCOUNTS}/{account_id}/rotate", json=wrong)).text)
    said.append((await admin.get(ACCOUNTS, params={"limit": 100})).text)
    said += [stack.log_of(child) for child in (*stack.gateways, *stack.workers)]
    for seed in stack.simulators.accounts:
        for name in ("api_v3_key", "secret_key", "app_secret"):
            if value := seed.settings.get(name):
                assert not [text for text in said if value in text], f"{name} of {seed.id}"
    assert not [text for text in said if "BEGIN " in text]


async def test_an_account_is_shown_by_what_its_owner_recognises(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    found = detail_of(await admin.get(f"{ACCOUNTS}/wechat_direct"))
    mchid = settings_of(stack, "wechat_direct")["mchid"]
    assert found["identity"]["mchid"] == f"{mchid[:4]}****{mchid[-2:]}"
    assert found["notify_url"] == f"{stack.url}/callbacks/wechat/wechat_direct"
    assert {(key["setting"], key["kind"]) for key in found["keys"]} >= {
        ("merchant_private_key_pem", "private_key"),
        ("api_v3_key", "secret"),
        ("platform_public_keys", "public_key"),
    }
    assert (found["problem"], found["previous_until"], found["previous_keys"]) == (None, None, [])
    assert (found["merchant_id"], found["wallets"]) == (None, ["wechat"])


async def test_an_account_that_does_not_open_says_why(
    stack: GatewayStack, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    account_id = await own_account(admin, stack, stack.new_shop(), "wechat_direct")
    settings = settings_of(stack, "wechat_direct", api_v3_key="short")
    sealed = stack.vault.seal(json.dumps(settings).encode(), account_id.encode())
    await database.execute("UPDATE channel_accounts SET settings_sealed = $2 WHERE id = $1", account_id, sealed)
    assert "api_v3_key" in detail_of(await admin.get(f"{ACCOUNTS}/{account_id}"))["problem"]
    await database.execute("UPDATE channel_accounts SET settings_sealed = '\\x00' WHERE id = $1", account_id)
    broken = detail_of(await admin.get(f"{ACCOUNTS}/{account_id}"))
    assert "master key" in broken["problem"]
    assert (broken["identity"], broken["keys"]) == ({}, [])
    assert (await admin.get(ACCOUNTS)).status_code == 200


async def test_accounts_are_listed_page_by_page_without_their_keys(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    shop = stack.new_shop()
    made = sorted([await own_account(admin, stack, shop, "unionpay_keyed", status="disabled") for _ in range(3)])
    page = (await admin.get(ACCOUNTS, params={"merchant_id": shop.id, "limit": 2})).json()
    assert ([account["id"] for account in page["data"]], page["has_more"]) == (made[:2], True)
    assert {*page["data"][0]} == set(AccountObject.model_fields)
    query = {"merchant_id": shop.id, "starting_after": made[1]}
    page = (await admin.get(ACCOUNTS, params=query)).json()
    assert ([account["id"] for account in page["data"]], page["has_more"]) == (made[2:], False)
    assert [account["status"] for account in page["data"]] == ["disabled"]


async def test_terms_can_be_changed_one_by_one(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    account_id = await own_account(admin, stack, stack.new_shop(), "unionpay_keyed")
    changed = (await admin.patch(f"{ACCOUNTS}/{account_id}", json={"fee_rate_millionths": 6_000})).json()
    assert (changed["fee_rate_millionths"], changed["priority"], changed["status"]) == (6_000, 100, "enabled")
    changed = (await admin.patch(f"{ACCOUNTS}/{account_id}", json={"priority": 1, "status": "disabled"})).json()
    assert (changed["fee_rate_millionths"], changed["priority"], changed["status"]) == (6_000, 1, "disabled")
    assert shape_of(changed) == {name: shape_of(changed[name]) for name in AccountObject.model_fields}


async def test_an_id_is_given_once_and_a_merchant_must_exist(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    settings = settings_of(stack, "wechat_direct")
    wanted = {"id": "wechat_direct", "channel": "wechat", "settings": settings}
    error_of(await admin.post(ACCOUNTS, json=wanted), 409, "account_exists", "id")
    nobodys = {"channel": "wechat", "settings": settings, "merchant_id": new_id("mer")}
    error_of(await admin.post(ACCOUNTS, json=nobodys), 404, "not_found", "merchant_id")
