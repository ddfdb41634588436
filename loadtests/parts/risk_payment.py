"""What the risk check costs in a payment, whole and by its parts: 1,000 live rules, 20 velocities, a real Valkey."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any, Final, TypeVar, cast

import orjson
import uvloop

from gateway.database.valkey import Script, Valkey
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.valkey import Valkey as ValkeyServer
from gateway.kernel.expressions import Value
from gateway.kernel.secrets import Vault
from gateway.merchants.stores import Place, StoreBook
from gateway.payments.counting import Hears
from gateway.payments.payment import PaymentOrder
from gateway.payments.schemas import PaymentRequest
from gateway.payments.screening import OrderScreening, facts_of, wallet_of_order
from loadtests.parts.pool import settings_of
from loadtests.traffic.risk_rules import NOON, TYPICAL_VELOCITIES, document_of, payments_of
from risk.counting import count as count_decision
from risk.decision import Decision
from risk.decisions.row import decision_row
from risk.desk import Screening
from risk.engine import decide
from risk.facts import Facts
from risk.lists.book import ListBook
from risk.model.book import ModelBook
from risk.profiles.reading import Profiles
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.values import kept, values_of
from risk.velocity.calling import Calling, Claim
from risk.velocity.reading import Velocities

RULES: Final = 1_000
AT_ONCE: Final = 64
_PAYMENTS: Final = 512
_PLACE: Final = Place("realm", "c1", "r1", NOON - timedelta(days=40), "t1", 500_000, 31.23, 121.47)
_Begun = TypeVar("_Begun")


@dataclass(frozen=True, slots=True)
class Part:
    """CPU of one payment in µs; what begins with "·" is a part of the first line."""

    what: str
    best_us: float
    median_us: float


def parts_of_a_payment(rounds: int) -> Iterator[Part]:
    """The whole first."""
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(
            private_folder(Path(folder) / "valkey"), socket_folder(Path(folder)), Path(folder) / "log", durable=False
        )
        server.start()
        try:
            server.wait_ready()
            yield from uvloop.run(_measured(server, rounds))
        finally:
            server.stop()


class _InForce:
    def __init__(self, compiled: CompiledSet) -> None:
        self.current = compiled


class _Places:
    async def get(self, merchant_id: str, store_id: str | None) -> Place:  # noqa: ARG002
        return _PLACE


async def _measured(server: ValkeyServer, rounds: int) -> list[Part]:
    valkey, vault = Valkey(settings_of(server.url())), Vault(bytes(32))
    document = document_of(RULES, TYPICAL_VELOCITIES, all_live=True)
    compiled = CompiledSet.of(parse(document, lists=None, models=None), 1)
    assert len(compiled.velocities) == TYPICAL_VELOCITIES, "a thousand rules ask for all of them"
    velocities = Velocities(Calling(valkey), vault)
    nobody = cast("Any", None)  # no rule here asks for lists, profiles or models
    desk = Screening(
        rules=_InForce(compiled),
        velocities=velocities,
        customers=cast("Profiles", nobody),
        lists=cast("ListBook", nobody),
        models=cast("ModelBook", nobody),
        deadline_s=30.0,
    )
    screening = OrderScreening(desk, cast("StoreBook", _Places()), vault, _clock(), cast("Hears", nobody))
    try:
        return await _Meter(rounds, [_order(each) for each in range(_PAYMENTS)], vault).measure(
            screening, velocities, compiled, valkey
        )
    finally:
        await valkey.aclose()


@dataclass(frozen=True, slots=True)
class _Meter:
    rounds: int
    orders: Sequence[PaymentOrder]
    vault: Vault

    async def measure(
        self, screening: OrderScreening, velocities: Velocities, compiled: CompiledSet, valkey: Valkey
    ) -> list[Part]:
        """With a Valkey that has the script and the entities."""

        async def ended(begun: Any) -> None:
            decision_row(await screening.decide(begun), is_refused=False)

        async def counted(asked: Any) -> None:
            await asked.features(30.0)

        async def heard(called: asyncio.Future[Any]) -> None:
            await called

        async def ask(facts: Facts) -> Any:
            return velocities.begin(compiled, facts)

        nothing = _script("return 1")
        await valkey.script(nothing, ("k",), ())

        async def call(_facts: Facts) -> asyncio.Future[Any]:
            return valkey.submit("k", nothing.by_hash(_KEYS, (bytes(66), bytes(6))))

        async def begin(order: PaymentOrder) -> Any:
            return await screening.begin(
                order, wallet_of_order(order.request), Claim(f"claim:{order.request.merchant_order_no}", _HOLDER)
            )

        for order in self.orders:
            await valkey.call("SET", f"claim:{order.request.merchant_order_no}", _HOLDER)
        facts = [self._facts(order) for order in self.orders]
        await self._waited("", self.orders, begin, ended)
        return [
            await self._waited("the whole check, with its trip to Valkey", self.orders, begin, ended),
            await self._waited("· the trip to Valkey: keys, call, answer", facts, ask, counted),
            await self._waited("·· of that, the pipeline by itself", facts, call, heard),
            *self._own_parts(compiled, facts),
        ]

    def _own_parts(self, compiled: CompiledSet, facts: Sequence[Facts]) -> Iterator[Part]:
        features = [each for _, each in payments_of(len(facts), TYPICAL_VELOCITIES)]
        values = [values_of(compiled, *each) for each in zip(facts, features, strict=True)]
        decisions = [
            decide(compiled, *each)._replace(at=of.at)
            for each, of in zip(zip(values, facts, strict=True), facts, strict=True)
        ]
        yield self._plain("· facts of the order, with two keyed hashes", self.orders, self._facts)
        yield self._plain("· values", list(zip(facts, features, strict=True)), lambda each: values_of(compiled, *each))
        yield self._plain("· match", values, compiled.matcher.matches)
        yield self._plain(
            "· match and decision with its JSON",
            list(zip(values, facts, strict=True)),
            lambda each: decide(compiled, *each),
        )
        yield self._plain("·· of that, the JSON", values, lambda each: kept(compiled, each))
        yield self._plain("· row of the decision, and metrics", decisions, _ended)

    def _facts(self, order: PaymentOrder) -> Facts:
        return facts_of(order, wallet_of_order(order.request), _PLACE, self.vault, NOON)

    async def _waited(
        self,
        what: str,
        given: Sequence[Any],
        begin: Callable[[Any], Awaitable[_Begun]],
        end: Callable[[_Begun], Awaitable[None]],
    ) -> Part:
        """So many at once; CPU of the process, as answers are read between."""
        costs_us = []
        for _ in range(self.rounds):
            began = process_time_ns()
            for start in range(0, len(given), AT_ONCE):
                begun = [await begin(each) for each in given[start : start + AT_ONCE]]
                for each in begun:
                    await end(each)
            costs_us.append((process_time_ns() - began) / 1_000 / len(given))
        return Part(what, min(costs_us), median(costs_us))

    def _plain(self, what: str, given: Sequence[Any], work: Callable[[Any], object]) -> Part:
        costs_us = []
        for _ in range(self.rounds):
            began = process_time_ns()
            for each in given:
                work(each)
            costs_us.append((process_time_ns() - began) / 1_000 / len(given))
        return Part(what, min(costs_us), median(costs_us))


_HOLDER: Final = "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
_KEYS: Final = tuple(f"risk:{{customer:{number:024x}}}" for number in range(6))


def _ended(decision: Decision) -> None:
    count_decision(decision, 0.002)
    decision_row(decision, is_refused=False)


def _clock() -> Callable[[], datetime]:
    """A minute between two payments, so that counters move on."""
    minutes = count()
    return lambda: NOON + timedelta(minutes=next(minutes))


def _order(number: int) -> PaymentOrder:
    body: Mapping[str, Value | Mapping[str, Any]] = {
        "merchant_order_no": f"POS7-{number:06}",
        "amount": 100 + number * 7,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": f"1345678901{number:08}",
        "description": "latte",
        "store_id": f"s{number % 40}",
        "terminal_id": f"t{number % 100}",
        "customer": {
            "id": f"c-{number % 200}",
            "ip": f"203.0.113.{number % 250}",
            "device_id": f"d-{number % 150}",
            "location": {"latitude": 31.2, "longitude": 121.4},
            "card_bin": "622202",
        },
    }
    request = PaymentRequest.model_validate_json(orjson.dumps(body))
    return PaymentOrder(f"mer_{number % 50}", "A shop", request, None, {})


def _script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324 - how servers name scripts
