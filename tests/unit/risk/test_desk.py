"""What has not come by the deadline is null to the rules, and the merchant's tolerance decides then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.database.valkey import ValkeyAway
from gateway.kernel.errors import Unavailable
from gateway.kernel.expressions import Value
from risk.decision import Decision, Missed, Verdict
from risk.desk import Screening
from risk.facts import CodeType, Facts, Tolerance
from risk.profiles.reading import Profile
from risk.rules.compiled import NO_RULES, CompiledSet
from risk.rules.document import parse

COUNT = "velocity('count', 'customer', '1h')"
FACTS = Facts("mer_1", "mer_1:A1", 2_599, "barcode", CodeType.BARCODE, datetime.now(UTC), "UTC", customer="ab" * 16)
DEADLINE_S = 0.03


class Counters:
    """Counters that answer so, or after a while."""

    def __init__(self, answer: Mapping[str, Value | None] | Exception, after_s: float = 0.0) -> None:
        self.answer, self.after_s = answer, after_s

    def begin(self, *_: Any, **__: Any) -> Counters:
        return self

    async def features(self, timeout_s: float) -> Mapping[str, Value | None]:
        if self.after_s > max(0.0, timeout_s):  # what has come is taken, however late it is
            await asyncio.sleep(max(0.0, timeout_s))
            raise TimeoutError
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Customers:
    """Profiles that come so, never, or not at all."""

    def __init__(self, answer: Profile | Exception | None) -> None:
        self.answer = answer

    def begin(self, customer: str) -> asyncio.Future[Profile]:
        if isinstance(self.answer, Unavailable):
            raise self.answer
        asked: asyncio.Future[Profile] = asyncio.get_running_loop().create_future()
        if isinstance(self.answer, Exception):
            asked.set_exception(self.answer)
        elif self.answer is not None:
            asked.set_result(self.answer)
        return asked


class Book:
    def __init__(self, current: CompiledSet) -> None:
        self.current = current


def compiled(*whens: str, **more: Any) -> CompiledSet:
    rules = [{"code": f"R_{number}", "when": when, "action": "decline", **more} for number, when in enumerate(whens)]
    return CompiledSet.of(parse({"note": "", "rules": rules}, lists=None, models=None), 1)


async def judged(
    rules: CompiledSet, counters: Any = None, customers: Any = None, *, facts: Facts = FACTS, open_fen: int | None = 0
) -> Decision:
    nothing: Any = None
    desk = Screening(
        rules=Book(rules),
        velocities=counters,
        customers=customers,
        lists=nothing,
        models=nothing,
        deadline_s=DEADLINE_S,
    )
    return await desk.decide(desk.begin(facts, Tolerance(open_fen)))


async def test_without_rules_everything_is_approved_and_nothing_looked_at() -> None:
    assert (await judged(NO_RULES)).at is None


async def test_what_comes_in_time_is_seen_and_nothing_is_missed() -> None:
    decision = await judged(compiled(f"{COUNT} >= 3"), Counters({COUNT: 3}, DEADLINE_S / 10))
    assert (decision.verdict, decision.features, decision.missed) == (Verdict.DECLINE, "[3]", None)
    assert decision.at == FACTS.at


@pytest.mark.parametrize(
    ("more", "is_refused"), [({}, True), ({"mode": "shadow"}, False), ({"rollout": 0}, False), ({"rollout": 1}, True)]
)
async def test_no_payment_is_refused_for_what_only_rules_in_shadow_would_have_looked_at(
    more: dict[str, Any], is_refused: bool
) -> None:
    decision = await judged(compiled(f"{COUNT} > 5", **more), Counters(ValkeyAway("away")))
    assert (decision.missed, decision.beyond_tolerance) == (Missed.AWAY, is_refused)


async def test_a_late_answer_is_not_waited_for_beyond_the_deadline() -> None:
    began = time.monotonic()
    decision = await judged(compiled(f"{COUNT} >= 3", "payment.amount > 1"), Counters({COUNT: 3}, 60.0))
    assert DEADLINE_S * 0.9 < time.monotonic() - began < 1.0
    assert (decision.reasons, decision.features) == (("R_1",), "[null]")
    assert (decision.missed, decision.beyond_tolerance) == (Missed.DEADLINE, True)


@pytest.mark.parametrize("trouble", [ValkeyAway(), RuntimeError("a bug")])
async def test_trouble_with_counters_never_fails_a_payment(trouble: Exception) -> None:
    decision = await judged(compiled(f"{COUNT} >= 3"), Counters(trouble))
    assert (decision.verdict, decision.missed) == (Verdict.APPROVE, Missed.AWAY)


class Broken:
    """Counters with a bug where they are asked."""

    def begin(self, *_: Any, **__: Any) -> Counters:
        raise KeyError("a bug")


@pytest.mark.parametrize(("open_fen", "is_refused"), [(None, False), (0, True)])
@pytest.mark.parametrize(
    ("when", "counters"),
    [(f"{COUNT} >= 3", Broken()), ("listed('block', 'customer')", None), (f"{COUNT} >= 3", Counters({COUNT: "three"}))],
)
async def test_a_bug_in_the_check_is_as_if_features_were_away(
    when: str, counters: Any, open_fen: int | None, *, is_refused: bool
) -> None:
    decision = await judged(compiled(when), counters, open_fen=open_fen)
    assert (decision.verdict, decision.missed, decision.at) == (Verdict.APPROVE, Missed.AWAY, FACTS.at)
    assert (decision.version, decision.features) == (1, "[null]")
    assert decision.beyond_tolerance is is_refused


@pytest.mark.parametrize(
    ("answer", "missed"),
    [
        (Profile(), None),
        (None, Missed.DEADLINE),
        (OSError(), Missed.AWAY),
        (Unavailable("database_busy", "x", retry_after_s=1), Missed.AWAY),
    ],
)
async def test_a_profile_is_waited_for_like_counters(answer: Any, missed: Missed | None) -> None:
    decision = await judged(compiled("customer.first_payment"), None, Customers(answer))
    assert (decision.verdict is Verdict.DECLINE) is (missed is None)
    assert decision.missed is missed


async def test_of_two_sources_each_is_seen_for_itself_and_both_end_at_one_deadline() -> None:
    rules = compiled(f"{COUNT} >= 3", "customer.orders > 100")
    began = time.monotonic()
    decision = await judged(rules, Counters({COUNT: 5}, 60.0), Customers(None))
    assert time.monotonic() - began < 1.0
    assert decision.missed is Missed.DEADLINE
    decision = await judged(rules, Counters(ValkeyAway()), Customers(Profile(orders=101)))
    assert (decision.reasons, decision.missed) == (("R_1",), Missed.AWAY)


async def test_nobodys_profile_is_not_missed() -> None:
    decision = await judged(
        compiled("customer.first_payment"), None, Customers(None), facts=FACTS._replace(customer=None)
    )
    assert (decision.verdict, decision.missed) == (Verdict.APPROVE, None)


@given(amount=st.integers(1, 10_000_000), open_fen=st.one_of(st.none(), st.integers(0, 10_000_000)))
async def test_the_tolerance_is_up_to_its_amount_and_applies_only_where_something_was_missed(
    amount: int, open_fen: int | None
) -> None:
    facts, rules = FACTS._replace(amount_fen=amount), compiled(f"{COUNT} >= 3")
    missed = await judged(rules, Counters(ValkeyAway()), facts=facts, open_fen=open_fen)
    assert missed.beyond_tolerance is (open_fen is not None and amount > open_fen)
    seen = await judged(rules, Counters({COUNT: 1}), facts=facts, open_fen=open_fen)
    assert (seen.missed, seen.beyond_tolerance) == (None, False)
