"""A merchant's endpoints: how many, with which secrets, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.client.errors import WebhookRefused
from gateway.client.webhooks import verify_webhook
from gateway.kernel.errors import ApiError, Conflict, InvalidRequest
from gateway.webhooks.addresses import AddressRules
from gateway.webhooks.endpoints import ENDPOINTS_MAX, Endpoints
from gateway.webhooks.resolving import Resolver
from tests.integration.webhooks.conftest import NOWHERE, Hooks
from tests.support.receivers import Receiver


async def test_a_merchant_has_at_most_sixteen_endpoints_however_many_it_makes_at_once(hooks: Hooks) -> None:
    made = await asyncio.gather(*(hooks.endpoint() for _ in range(ENDPOINTS_MAX + 8)), return_exceptions=True)
    refused = [one for one in made if isinstance(one, BaseException)]
    assert [one.code for one in refused if isinstance(one, Conflict)] == ["too_many_endpoints"] * 8
    kept = await hooks.endpoints.list(hooks.merchant_id, 100, None)
    assert len(kept) == ENDPOINTS_MAX
    await hooks.endpoints.delete(hooks.merchant_id, kept[0].id)
    await hooks.endpoint()


async def test_the_list_is_newest_first_and_goes_on_after_an_id(hooks: Hooks) -> None:
    made = [(await hooks.endpoint())[0].id for _ in range(5)]
    first = [one.id for one in await hooks.endpoints.list(hooks.merchant_id, 3, None)]
    rest = [one.id for one in await hooks.endpoints.list(hooks.merchant_id, 3, first[-1])]
    assert first + rest == sorted(made, reverse=True)


async def test_a_secret_is_stored_sealed_and_stands_nowhere_else(hooks: Hooks) -> None:
    endpoint, secret = await hooks.endpoint()
    row = await hooks.pool.fetchrow("SELECT * FROM webhook_endpoints WHERE id = $1", endpoint.id)
    assert row is not None
    assert secret not in str(dict(row))
    assert hooks.base.vault.open(row["secret_sealed"], endpoint.id.encode()).decode() == secret
    assert "secret" not in endpoint.to_json()


async def test_while_secrets_overlap_messages_are_signed_with_both_and_afterwards_with_the_new_one_only(
    hooks: Hooks, receiver: Receiver
) -> None:
    endpoint, old = await hooks.endpoint(receiver.url)
    rotated, new = await hooks.endpoints.rotate_secret(hooks.merchant_id, endpoint.id, 24)
    assert rotated.previous_until is not None
    told = [await hooks.captured() for _ in range(2)]
    await hooks.relay.relay()
    await hooks.tried(told[0])
    for secret in (old, new):
        verify_webhook(secret, receiver.received[0].headers, receiver.received[0].body)
    await hooks.pool.execute(
        "UPDATE webhook_endpoints SET previous_until = now() - interval '1 second' WHERE id = $1", endpoint.id
    )
    await hooks.tried(told[1])
    verify_webhook(new, receiver.received[1].headers, receiver.received[1].body)
    with pytest.raises(WebhookRefused):
        verify_webhook(old, receiver.received[1].headers, receiver.received[1].body)
    assert (await hooks.endpoints.get(hooks.merchant_id, endpoint.id)).previous_until is None


async def test_a_secret_that_leaked_can_be_dropped_at_once(hooks: Hooks, receiver: Receiver) -> None:
    endpoint, old = await hooks.endpoint(receiver.url)
    rotated, new = await hooks.endpoints.rotate_secret(hooks.merchant_id, endpoint.id, 0)
    assert rotated.previous_until is None
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.tried(told)
    [one] = receiver.received
    verify_webhook(new, one.headers, one.body)
    with pytest.raises(WebhookRefused):
        verify_webhook(old, one.headers, one.body)


@pytest.mark.parametrize(
    ("addresses", "taken"),
    [
        (["1.1.1.1"], True),
        (["10.0.0.1"], False),
        (["1.1.1.1", "127.0.0.1"], False),
        (["::ffff:1.1.1.1"], False),
        ([], True),
    ],
)
async def test_a_name_is_resolved_before_it_is_taken_and_one_without_an_address_yet_is_taken(
    hooks: Hooks, addresses: list[str], taken: bool
) -> None:
    def look_up(_: str) -> Sequence[str]:
        if not addresses:
            raise OSError
        return addresses

    rules = AddressRules()
    resolver = Resolver(rules, look_up)
    endpoints = Endpoints(hooks.pool, hooks.base.vault, rules, resolver)
    try:
        if taken:
            await endpoints.add(hooks.merchant_id, "https://till.example/hook", None, None)
        else:
            with pytest.raises(InvalidRequest) as refused:
                await endpoints.add(hooks.merchant_id, "https://till.example/hook", None, None)
            assert (refused.value.code, refused.value.param) == ("address_refused", "url")
            assert not any(address in refused.value.message for address in addresses), "no map of the inside"
            assert await endpoints.list(hooks.merchant_id, 10, None) == []
    finally:
        resolver.close()


async def test_another_merchants_endpoint_is_not_found(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    stranger = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
    calls = [
        hooks.endpoints.get(stranger, endpoint.id),
        hooks.endpoints.change(stranger, endpoint.id, {"status": "disabled"}),
        hooks.endpoints.delete(stranger, endpoint.id),
        hooks.endpoints.rotate_secret(stranger, endpoint.id, 1),
        hooks.endpoints.send_test(stranger, endpoint.id),
    ]
    for call in calls:
        with pytest.raises(ApiError) as refused:
            await call  # type: ignore[misc]
        assert refused.value.http_status == 404
    now = await hooks.endpoints.get(hooks.merchant_id, endpoint.id)
    assert now == endpoint


async def test_a_test_event_goes_to_its_endpoint_alone_whatever_types_it_has_chosen(
    hooks: Hooks, receiver: Receiver
) -> None:
    endpoint, secret = await hooks.endpoint(receiver.url, types=["refund.failed"])
    await hooks.endpoint(NOWHERE)
    message = await hooks.endpoints.send_test(hooks.merchant_id, endpoint.id)
    assert await hooks.outbox() == 0
    await hooks.tried(message["id"])
    [one] = receiver.received
    sent = verify_webhook(secret, one.headers, one.body)
    assert sent == one.message
    assert (sent["type"], sent["data"]["id"]) == ("webhook_endpoint.test", endpoint.id)
    second = await hooks.endpoints.send_test(hooks.merchant_id, endpoint.id)
    assert (message["sequence"], second["sequence"]) == (1, 2)


async def test_a_disabled_endpoint_takes_no_test_event(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    await hooks.endpoints.change(hooks.merchant_id, endpoint.id, {"status": "disabled"})
    with pytest.raises(Conflict) as refused:
        await hooks.endpoints.send_test(hooks.merchant_id, endpoint.id)
    assert refused.value.code == "endpoint_disabled"
