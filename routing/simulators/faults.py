"""Faults set from outside (`PUT /_simulator/faults`): latency, and rules that turn some calls into something else."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from routing.simulators.acts import CALLS_OF_THE_MERCHANT, ORDINARY, Act, CallKind, Delivery, RefundOutcome, Sealing
from routing.simulators.effects import Effect, EffectError, EffectKind, read_effect
from routing.simulators.notifications import About

DEFAULT_HOLD_S: Final = 30.0
HOLD_S_MAX: Final = 600.0
RULES_MAX: Final = 1_000
RETRY_S_MAX: Final = 86_400.0


class FaultError(ValueError):
    """A fault plan that cannot be read; the text says which part."""


def _number(rule: Mapping[str, Any], name: str, default: float, most: float = HOLD_S_MAX) -> float:
    value = rule.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise FaultError(f"{name} must be a number from 0 to {most:g}")
    return float(value)


def _text(rule: Mapping[str, Any], name: str) -> str:
    value = rule.get(name)
    if not isinstance(value, str) or not value:
        raise FaultError(f"{name} must be a text")
    return value


def _hold(rule: Mapping[str, Any]) -> float:
    return _number(rule, "hold_s", DEFAULT_HOLD_S)


def _wrong_amount(rule: Mapping[str, Any]) -> Act:
    delta = rule.get("delta", 1)
    if type(delta) is not int or delta == 0:
        raise FaultError("delta must be a whole number of fen other than 0")
    return Act(amount_delta_fen=delta)


def _ask_pin(rule: Mapping[str, Any]) -> Act:
    then = rule.get("then", "paid")
    if then not in ("paid", "refused"):
        raise FaultError("then must be paid or refused")
    if rule.get("never") is True or rule.get("answer_after_s", 3) in (None, "never"):
        return Act(pin_answered_after_s=math.inf)
    return Act(pin_answered_after_s=_number(rule, "answer_after_s", 3), pin_refused=then == "refused")


def _late_order(rule: Mapping[str, Any]) -> Act:
    return Act(appears_after_s=_number(rule, "after_s", 20), delivery=Delivery.NEVER, hold_s=_hold(rule))


class _Outage(StrEnum):
    """How a channel that is out shows itself."""

    RESET = "reset"
    ERROR = "error"
    """It answers that it does not know; nothing was done."""
    BAD_GATEWAY = "bad_gateway"
    HANG = "hang"
    """Connections are taken, and nothing is ever answered on them: a black hole."""
    REFUSE = "refuse"
    """Nobody listens: connections are refused for `for_s`, and those that stand are reset."""


_OUTAGES: Final = {
    _Outage.RESET: Delivery.RESET,
    _Outage.ERROR: Delivery.SERVER_ERROR,
    _Outage.BAD_GATEWAY: Delivery.BAD_GATEWAY,
    _Outage.HANG: Delivery.NEVER,
}
_NO_CALLS: Final[frozenset[CallKind]] = frozenset()


def _outage(rule: Mapping[str, Any]) -> Act:
    try:
        kind = _Outage(rule.get("as", _Outage.RESET))
    except ValueError:
        raise FaultError(f"as must be one of {', '.join(_Outage)}") from None
    if kind is _Outage.REFUSE:
        return ORDINARY
    return Act(processed=False, delivery=_OUTAGES[kind], hold_s=_hold(rule))


def _refuses_for_s(rule: Mapping[str, Any]) -> float:
    """How long nobody listens; 0 where that is not what the rule asks for."""
    if rule.get("kind") != "outage" or rule.get("as") != _Outage.REFUSE:
        return 0.0
    if rule.keys() & {"probability", "calls", "order_nos", "times"}:
        raise FaultError("an outage that refuses connections meets everybody: it takes for_s only")
    for_s = _number(rule, "for_s", 0)
    if not for_s:
        raise FaultError("for_s must say how long: while nobody listens, nobody can be told to listen again")
    return for_s


def _brown_out(rule: Mapping[str, Any]) -> Act:
    answer = rule.get("as", "refused")
    if answer not in ("refused", "unknown"):
        raise FaultError("as must be refused or unknown")
    if "probability" in rule or "share" not in rule:
        raise FaultError("brown_out takes a share, and no probability")
    return Act(processed=False, delivery=Delivery.UNAVAILABLE if answer == "refused" else Delivery.SERVER_ERROR)


def _refund_ends(rule: Mapping[str, Any]) -> Act:
    try:
        return Act(refund_outcome=RefundOutcome(rule.get("as", RefundOutcome.ABNORMAL)))
    except ValueError:
        raise FaultError(f"as must be one of {', '.join(RefundOutcome)}") from None


_BUILDERS: Final[dict[str, Callable[[Mapping[str, Any]], Act]]] = {
    "error_code": lambda rule: Act(error_code=_text(rule, "code")),
    "decline": lambda rule: Act(refusal=_text(rule, "code")),
    "timeout_after_charging": lambda rule: Act(delivery=Delivery.NEVER, hold_s=_hold(rule)),
    "timeout_before_charging": lambda rule: Act(processed=False, delivery=Delivery.NEVER, hold_s=_hold(rule)),
    "reset_after_charging": lambda _: Act(delivery=Delivery.RESET),
    "reset_before_charging": lambda _: Act(processed=False, delivery=Delivery.RESET),
    "reset_mid_answer": lambda _: Act(delivery=Delivery.RESET_MIDWAY),
    "server_error_after_charging": lambda _: Act(delivery=Delivery.SERVER_ERROR),
    "malformed_answer": lambda _: Act(delivery=Delivery.MALFORMED),
    "unsigned_answer": lambda _: Act(sealing=Sealing.UNSIGNED),
    "badly_signed_answer": lambda _: Act(sealing=Sealing.BADLY_SIGNED),
    "wrong_amount": _wrong_amount,
    "wrong_order": lambda _: Act(wrong_order=True),
    "ask_pin": _ask_pin,
    "late_order": _late_order,
    "refund_ends": _refund_ends,
    "notify": lambda _: ORDINARY,
    "outage": _outage,
    "brown_out": _brown_out,
    "slow_down": lambda rule: Act(slower_by_s=_number(rule, "latency_ms", 1_000, HOLD_S_MAX * 1_000) / 1_000),
    "rate_limit": lambda _: Act(processed=False, delivery=Delivery.RATE_LIMIT),
}
KINDS: Final = frozenset(_BUILDERS)
_USUAL_CALLS: Final[dict[str, frozenset[CallKind]]] = {
    "outage": CALLS_OF_THE_MERCHANT,
    "brown_out": frozenset({CallKind.PAY, CallKind.CREATE_CODE, CallKind.CREATE_PAGE}),
    "slow_down": CALLS_OF_THE_MERCHANT,
    "rate_limit": CALLS_OF_THE_MERCHANT,
    "refund_ends": frozenset({CallKind.REFUND}),
    "notify": frozenset({CallKind.NOTIFY}),
}
_PAY: Final = frozenset({CallKind.PAY})
_BY_THE_CUSTOMER: Final = frozenset({CallKind.PAY, CallKind.SCAN})
_POSSIBLE_CALLS: Final[dict[str, frozenset[CallKind]]] = {
    "decline": _BY_THE_CUSTOMER,
    "ask_pin": _BY_THE_CUSTOMER,
    "wrong_amount": CALLS_OF_THE_MERCHANT | _BY_THE_CUSTOMER,
    "late_order": _PAY,
    "refund_ends": _USUAL_CALLS["refund_ends"],
    "notify": _USUAL_CALLS["notify"],
}
"""Of each kind that not every call of the merchant's can meet, or not these alone."""


@dataclass(slots=True)
class Rule:
    """One fault: which calls it meets, how often, and how often it has struck."""

    kind: str
    act: Act
    calls: frozenset[CallKind]
    probability: float
    order_nos: frozenset[str] | None
    times: int | None
    source: Mapping[str, Any]
    effect: Effect | None = None
    refuses_for_s: float = 0.0
    """How long nobody listens; such a rule meets no single call."""
    seen: int = 0
    struck: int = 0

    def strikes(self, call: CallKind, order_no: str, rng: random.Random) -> bool:
        """Whether the rule applies to this call; counts both answers."""
        if call not in self.calls or (self.order_nos is not None and order_no not in self.order_nos):
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.seen += 1
        if self.probability < 1 and rng.random() >= self.probability:
            return False
        self.struck += 1
        return True


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the channel takes: constant, even between two bounds, or normal (never below zero)."""

    low_s: float
    high_s: float
    stddev_s: float
    calls: frozenset[CallKind]

    def draw_s(self, call: CallKind, rng: random.Random) -> float:
        """The latency of one call in seconds."""
        if call not in self.calls:
            return 0.0
        if self.stddev_s:
            return max(0.0, rng.gauss(self.low_s, self.stddev_s))
        return self.low_s if self.high_s == self.low_s else rng.uniform(self.low_s, self.high_s)


NO_LATENCY: Final = Latency(0, 0, 0, frozenset())


@dataclass(slots=True)
class FaultPlan:
    """The faults in force.  One seed replays the same draws for the same sequence of calls."""

    rules: list[Rule] = field(default_factory=list)
    latency: Latency = NO_LATENCY
    source: Mapping[str, Any] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.Random)
    tells_before_answers: bool = False
    """Whether some rule wants notifications sent before the call that caused them is answered."""
    notify_retry_s: tuple[float, ...] | None = None
    """In place of the channel's own waits between tries."""
    refuses_for_s: float = 0.0
    """How long nobody is to listen, from the moment that the plan is set."""

    def act_for(self, call: CallKind, order_no: str, otherwise: Act = ORDINARY) -> Act:
        """What is to happen with this call: the first rule that strikes, else `otherwise`; slow-downs add up beside."""
        slower_by_s = 0.0
        for rule in self.rules:
            if rule.strikes(call, order_no, self.rng):
                if rule.kind != "slow_down":
                    return _slowed(rule.act, slower_by_s)
                slower_by_s += rule.act.slower_by_s
        return _slowed(otherwise, slower_by_s)

    def effect_for(self, order_nos: frozenset[str], about: About, *, before_answer: bool = False) -> Effect | None:
        """What is to become of a notification, by whichever number a rule names; None for nothing unusual."""
        for rule in self.rules:
            effect = rule.effect
            if effect is None or not effect.meets(about):
                continue
            if (effect.kind is EffectKind.BEFORE_ANSWER) is not before_answer:
                continue
            named = next(iter(order_nos & rule.order_nos), "") if rule.order_nos is not None else ""
            if rule.strikes(CallKind.NOTIFY, named, self.rng):
                return effect
        return None

    def latency_s(self, call: CallKind) -> float:
        """The drawn latency of one call."""
        return self.latency.draw_s(call, self.rng)

    def as_json(self) -> dict[str, Any]:
        """The plan as it was set, with the counters of each rule."""
        shown = [{**rule.source, "seen": rule.seen, "struck": rule.struck} for rule in self.rules]
        return {**self.source, "rules": shown}


def _slowed(act: Act, slower_by_s: float) -> Act:
    return replace(act, slower_by_s=slower_by_s) if slower_by_s else act


def _calls(names: object) -> frozenset[CallKind]:
    try:
        return frozenset(CallKind(name) for name in names)  # type: ignore[attr-defined]  # TypeError is caught
    except (TypeError, ValueError):
        raise FaultError(f"calls must be a list out of {', '.join(CallKind)}") from None


def _effect(rule: Mapping[str, Any]) -> Effect:
    try:
        return read_effect(rule)
    except EffectError as error:
        raise FaultError(str(error)) from None


def _read_rule(rule: object) -> Rule:
    if not isinstance(rule, dict):
        raise FaultError("each rule must be an object")
    kind = rule.get("kind")
    if kind not in _BUILDERS:
        raise FaultError(f"kind must be one of {', '.join(sorted(KINDS))}")
    refuses_for_s = _refuses_for_s(rule)
    calls = _calls(rule["calls"]) if "calls" in rule else _USUAL_CALLS.get(kind, _PAY)
    possible = _POSSIBLE_CALLS.get(kind, CALLS_OF_THE_MERCHANT)
    if not calls <= possible:
        raise FaultError(f"{kind} applies to {', '.join(sorted(possible))} only")
    numbers, times = rule.get("order_nos"), rule.get("times")
    if numbers is not None and not (isinstance(numbers, list) and all(isinstance(n, str) for n in numbers)):
        raise FaultError("order_nos must be a list of texts")
    if times is not None and (type(times) is not int or times < 1):
        raise FaultError("times must be a whole number of at least 1")
    return Rule(
        kind=kind,
        act=_BUILDERS[kind](rule),
        effect=_effect(rule) if kind == "notify" else None,
        calls=_NO_CALLS if refuses_for_s else calls,
        probability=_number(rule, "share" if kind == "brown_out" else "probability", 1.0, 1.0),
        order_nos=None if numbers is None else frozenset(numbers),
        times=times,
        source=rule,
        refuses_for_s=refuses_for_s,
    )


def _read_latency(latency: object, calls: frozenset[CallKind]) -> Latency:
    if not isinstance(latency, dict) or not latency.keys() <= {"mean", "stddev", "min", "max"}:
        raise FaultError("latency_ms must hold mean, mean and stddev, or min and max")
    limit_ms = HOLD_S_MAX * 1_000
    if "mean" in latency:
        mean_s = _number(latency, "mean", 0, limit_ms) / 1_000
        return Latency(mean_s, mean_s, _number(latency, "stddev", 0, limit_ms) / 1_000, calls)
    low_ms, high_ms = _number(latency, "min", 0, limit_ms), _number(latency, "max", 0, limit_ms)
    if low_ms > high_ms:
        raise FaultError("latency_ms: min is above max")
    return Latency(low_ms / 1_000, high_ms / 1_000, 0, calls)


def _read_waits(waits: object) -> tuple[float, ...] | None:
    if waits is None:
        return None
    if not isinstance(waits, list) or len(waits) > RULES_MAX:
        raise FaultError(f"notify_retry_s must be a list of at most {RULES_MAX}")
    return tuple([_number({"notify_retry_s": wait}, "notify_retry_s", 0, RETRY_S_MAX) for wait in waits])


def read_plan(document: object) -> FaultPlan:
    """The plan that a JSON document describes.  Raises FaultError."""
    known = {"latency_ms", "latency_calls", "seed", "rules", "notify_retry_s"}
    if not isinstance(document, dict) or not document.keys() <= known:
        raise FaultError(f"expected an object with {', '.join(sorted(known))}")
    rules, seed = document.get("rules", []), document.get("seed")
    if not isinstance(rules, list) or len(rules) > RULES_MAX:
        raise FaultError(f"rules must be a list of at most {RULES_MAX}")
    if seed is not None and type(seed) is not int:
        raise FaultError("seed must be a whole number")
    calls = _calls(document.get("latency_calls", [CallKind.PAY]))
    latency = _read_latency(document["latency_ms"], calls) if document.get("latency_ms") is not None else NO_LATENCY
    read = [_read_rule(rule) for rule in rules]
    early = any(rule.effect is not None and rule.effect.kind is EffectKind.BEFORE_ANSWER for rule in read)
    return FaultPlan(
        rules=read,
        latency=latency,
        source=document,
        rng=random.Random(seed),
        tells_before_answers=early,
        notify_retry_s=_read_waits(document.get("notify_retry_s")),
        refuses_for_s=max([rule.refuses_for_s for rule in read], default=0.0),
    )
