"""I8: no secret, card number, auth code, payer, customer or callback body reaches a log, a metric, a trace or an error,
nor rests in the clear in PostgreSQL or Valkey; whatever fails, with everything logged and traced, and every payment
screened."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import risk_scenes
from tests.fuzz.scenes import CARD_BIN, CARD_NUMBER, LOCATION, PERSON, Scenes, Sought
from tests.fuzz.shelf import fill_shelf
from tests.fuzz.values import bounded, changed, fields_of
from tests.fuzz.world import World
from tests.support.collector import Collector, start_collector
from tests.support.gateway import GatewayStack
from tests.support.receivers import start_receiver
from tests.support.waiting import until

pytestmark = pytest.mark.slow
_READS: Final[Mapping[bytes, Callable[[redis.Redis, bytes], Any]]] = {
    b"string": redis.Redis.get,
    b"hash": redis.Redis.hgetall,
    b"set": redis.Redis.smembers,
    b"stream": redis.Redis.xrange,
    b"list": lambda valkey, key: valkey.lrange(key, 0, -1),
    b"zset": lambda valkey, key: valkey.zrange(key, 0, -1, withscores=True),
}
_TOLD: Final[Mapping[str, set[Any]]] = {"POST /admin/v1/channel_accounts": {("id",)}}
"""Names that an operator gives, to be told by."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where every trace goes."""
    with start_collector() as running:
        yield running


@pytest.fixture(scope="module")
def stack_options(collector: Collector) -> dict[str, Any]:
    """Everything is logged and traced, the channels tell what happens, webhooks go to this machine."""
    settings = {
        "MASHANG_TRACING_ENDPOINT": collector.url,
        "MASHANG_TRACING_SAMPLE": "1",
        "MASHANG_LOG_LEVEL": "DEBUG",
        "MASHANG_CHANNEL_TIMEOUT_S": "0.8",
        "MASHANG_TRUSTED_PROXIES": "1",
        "MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "MASHANG_WEBHOOK_INTERVAL_S": "0.05",
    }
    return {"callbacks": True, "settings": settings}


@pytest.fixture(scope="module")
def scenes(world: World, stack: GatewayStack) -> Iterator[Scenes]:
    """All of them have been played."""
    sought = Sought()
    master = stack.environment["MASHANG_MASTER_KEY"]
    sought.add("master key", master)
    sought.add("master key", base64.b64decode(master).hex())
    sought.add("admin token", stack.admin_token)
    sought.add("API key", stack.shop.key.secret)
    sought.add("signing secret", stack.shop.key.signing_secret)
    sought.add("card number", CARD_NUMBER)
    for name, value in PERSON.items():
        sought.add(f"customer {name}", value)
    sought.add("customer card", CARD_BIN)
    for name, degrees in LOCATION.items():
        sought.add(f"customer {name}", str(degrees))
    with start_receiver() as receiver:
        played = Scenes(world, world.run(fill_shelf(stack, world.till, receiver.url)), sought)
        played.run(risk_scenes.put_in_force(played))
        for scene in (played.accounts, played.keys, played.webhooks, played.bar_codes, played.pages, played.callbacks,
                      played.troubles):  # fmt: skip
            played.run(scene())
        played.run(risk_scenes.look_into_it(played))
        yield played
        world.run(played.shelf.customer.client.aclose())


def test_there_is_something_to_look_for_and_something_to_look_at(scenes: Scenes, stack: GatewayStack) -> None:
    kinds = set(scenes.sought.texts.values())
    assert {"auth code", "payer", "callback body", "API key", "signing secret", "webhook secret", "api_v3_key",
            "app_secret", "merchant_private_key_pem", "cookie mashang_visit", "master key", "customer id",
            "customer device_id", "customer ip", "customer card", "customer latitude", "complaint",
            "note"} <= kinds  # fmt: skip
    assert scenes.sought.found_in(f'{{"key": "{stack.shop.key.secret}"}}') == [f"API key: {stack.shop.key.secret}"]
    assert len(scenes.sought.errors) > 50
    assert all(len(stack.log_of(child).splitlines()) > 20 for child in stack.gateways)
    assert all("worker started" in stack.log_of(child) for child in stack.workers)


def test_no_log_has_a_secret(scenes: Scenes, stack: GatewayStack) -> None:
    for child in (*stack.gateways, *stack.workers):
        for line in stack.log_of(child).splitlines():
            assert scenes.sought.found_in(line) == [], line


def test_no_metric_has_a_secret(scenes: Scenes) -> None:
    assert scenes.sought.found_in(scenes.world.request("GET", "/metrics").text) == []


def test_no_trace_has_a_secret(scenes: Scenes, collector: Collector) -> None:
    wanted = {"POST /v1/payments", "channel pay", "callback", "webhook", "task", "POST /q/{token}/pay"}
    scenes.run(until(lambda: wanted <= {span.name for span in collector.spans}))
    assert len(collector.spans) > 300
    for body in list(collector.bodies):
        assert scenes.sought.found_in(body.decode(errors="replace")) == []


def test_no_error_has_a_secret(scenes: Scenes) -> None:
    for error in scenes.sought.errors:
        assert scenes.sought.found_in(error) == [], error


def test_nothing_that_is_secret_rests_in_the_clear(scenes: Scenes) -> None:
    """What a till sends as free text it gets back as it was: that is no secret of ours."""
    tables = scenes.run(scenes.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
    for table in tables:
        for row in scenes.run(scenes.rows(f"SELECT t::text AS whole FROM {table['tablename']} t")):
            found = [one for one in scenes.sought.found_in(row["whole"]) if not one.startswith("card number")]
            assert found == [], f"{table['tablename']}: {row['whole'][:1_000]}"


def test_nothing_that_is_secret_rests_in_valkey(scenes: Scenes, stack: GatewayStack) -> None:
    with redis.Redis.from_url(stack.redis_url) as valkey:
        keys = list(valkey.scan_iter(count=1_000))
        assert len([key for key in keys if key.startswith(b"risk:")]) > 5
        for key in keys:
            held = f"{key!r} {_held(valkey, key)!r}"
            assert scenes.sought.found_in(held) == [], held[:1_000]


def _held(valkey: redis.Redis, key: bytes) -> Any:
    """All that stands there, of whatever kind it is; None where it has expired meanwhile."""
    kind = valkey.type(key)
    read = _READS.get(kind)
    assert read is not None or kind == b"none", f"{key!r} is a {kind!r}"
    return None if read is None else read(valkey, key)


def test_who_the_customer_is_is_shown_masked(scenes: Scenes) -> None:
    assert len(scenes.sought.masked) > 5
    for text in scenes.sought.masked:
        assert scenes.sought.found_in(text) == [], text


@bounded(200, per_minute=300)
@given(data=st.data())
def test_what_is_sent_in_a_wrong_place_stands_in_no_log_and_in_no_error(scenes: Scenes, data: st.DataObject) -> None:
    """A value, in whatever field or header it comes; a field's own name is told."""
    marked = f"canary{secrets.token_hex(8)}"
    operation = data.draw(st.sampled_from(scenes.operations))
    base: dict[str, Any] = scenes.shelf.body(operation) if operation.body is not None else {}
    headers = {"Content-Type": "application/json", **scenes.shelf.headers(operation)}
    path = scenes.shelf.path(operation)
    places = [*operation.parameters("query"), *operation.parameters("path"), "Authorization", "Prefer", "User-Agent",
              "Idempotency-Key", "Cookie", "Mashang-Signature", "Request-Id", "traceparent", "tracestate"]  # fmt: skip
    body: Any = base
    if data.draw(st.booleans()) and base:
        assert operation.body is not None
        fields = set(fields_of(operation.body, scenes.document, base)) - _TOLD.get(str(operation), set())
        place = data.draw(st.sampled_from(sorted(fields)))
        values: list[Any] = [marked, [marked], {"a": marked}, f"\x00{marked}"]
        body = changed(base, place, data.draw(st.sampled_from(values)))
    else:
        name = data.draw(st.sampled_from(places))
        if name in operation.parameters("path"):
            path = scenes.shelf.path(operation, **{name: marked})
        elif name in operation.parameters("query"):
            path = f"{path}?{name}={marked}"
        else:
            headers[name] = f"{marked}\x7f" if name == "Idempotency-Key" else marked
    content = json.dumps(body).encode() if operation.body is not None else b""
    answer = scenes.world.request(operation.method, path, content=content, headers=headers)
    if answer.is_client_error:
        shown = answer.text.replace(f'href="/q/{marked}"', "")  # a page leads back to where its reader came from
        assert marked not in shown, f"{operation}: {shown}"


def test_no_canary_has_sung(scenes: Scenes, stack: GatewayStack, collector: Collector) -> None:
    assert not any(b"canary" in body for body in list(collector.bodies))
    for child in (*stack.gateways, *stack.workers):
        for line in stack.log_of(child).splitlines():
            assert "canary" not in line
    assert "canary" not in scenes.world.request("GET", "/metrics").text
