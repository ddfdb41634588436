"""What matching conditions costs: rules × µs of CPU, for routing policies, campaigns and risk rules.

`python -m loadtests.parts.conditions` prints the table of docs/conditions.md; `--quick` leaves out the sets of 100,000.
Rules and payments come from a seed, so that two runs match the same. CPU time is that of this process
(`time.process_time`), the median of several rounds over the same payments.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]

from gateway.kernel.expressions import Expression, Field, Fields, FieldType, Function, Matcher, Parameter, Value, check

SEED: Final = 20_261_122
PAYMENTS: Final = 400
ROUNDS: Final = 5
ONE_BY_ONE_RULES_MAX: Final = 1_000
"""CEL's own cost one by one is in proportion to the rules: measuring it for more says nothing new."""

Payment = Mapping[str, Value | None]
Chooser = random.Random

METRICS: Final = ("count", "sum_amount", "distinct_devices")
KEYS: Final = ("customer", "device", "ip", "card", "merchant")
WINDOWS: Final = ("1m", "10m", "1h", "1d", "7d")
WALLETS: Final = ("wechat", "wechat", "wechat", "alipay", "alipay", "unionpay")
MERCHANTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of condition: what it looks at, what a rule and what a payment is like, and the sizes to measure."""

    name: str
    fields: Fields
    rule: Callable[[Chooser], str]
    payment: Callable[[Chooser], Payment]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table."""

    name: str
    rules: int
    hits_mean: float
    hits_max: int
    match_us: float
    one_by_one_us: float | None
    check_us: float
    build_s: float

    def line(self) -> str:
        """A row in Markdown."""
        alone = "" if self.one_by_one_us is None else f"{self.one_by_one_us:,.0f}"
        return (
            f"| {self.name} | {self.rules:,} | {self.hits_mean:.1f} ({self.hits_max}) | {self.match_us:,.1f} | {alone} "
            f"| {self.check_us:.0f} | {self.build_s:.2f} |"
        )


HEAD: Final = (
    "| conditions of | rules | hits, mean (most) | match, µs | CEL one by one, µs | check a rule, µs | build, s |\n"
    "|---|---|---|---|---|---|---|"
)


def _field(name: str, kind: FieldType) -> Field:
    return Field(name, kind, "Measured.", nullable=True)


def _some_merchant(choose: Chooser) -> str:
    """A few dozen large merchants, and many small ones."""
    return f"m_{choose.randrange(50) if choose.random() < 0.3 else choose.randrange(MERCHANTS)}"


COMMON: Final = (
    _field("payment.amount", FieldType.INT),
    _field("payment.wallet", FieldType.STRING),
    _field("payment.method", FieldType.STRING),
    _field("payment.hour", FieldType.INT),
    _field("payment.weekday", FieldType.INT),
    _field("payment.merchant_id", FieldType.STRING),
    _field("payment.store_id", FieldType.STRING),
    _field("payment.card_bin", FieldType.STRING),
    _field("payment.static_code", FieldType.BOOL),
)
RISK: Final = (
    _field("customer.age_days", FieldType.INT),
    _field("customer.segment", FieldType.STRING),
    _field("customer.usual_amount", FieldType.DOUBLE),
    _field("device.customers", FieldType.INT),
    _field("merchant.tier", FieldType.STRING),
    _field("merchant.category", FieldType.STRING),
)


def _word(name: str, choices: Sequence[str]) -> Parameter:
    return Parameter.one_of(name, "Measured.", choices)


VELOCITY: Final = Function(
    "velocity",
    (_word("metric", METRICS), _word("key", KEYS), _word("window", WINDOWS)),
    FieldType.INT,
    "Measured.",
)


def _common_payment(choose: Chooser) -> dict[str, Value | None]:
    return {
        "payment.amount": int(choose.lognormvariate(8.5, 1.3)),
        "payment.wallet": choose.choice(WALLETS),
        "payment.method": choose.choice(("barcode", "qrcode")),
        "payment.hour": choose.randrange(24),
        "payment.weekday": choose.randrange(1, 8),
        "payment.merchant_id": _some_merchant(choose),
        "payment.store_id": f"s_{choose.randrange(40)}",
        "payment.card_bin": f"62{choose.randrange(10_000):04}" if choose.random() < 0.5 else None,
        "payment.static_code": choose.random() < 0.1,
    }


def _risk_payment(choose: Chooser) -> Payment:
    calls = (f"velocity('{m}', '{k}', '{w}')" for m in METRICS for k in KEYS for w in WINDOWS)
    return {
        **_common_payment(choose),
        "customer.age_days": choose.randrange(1_000),
        "customer.segment": f"s{choose.randrange(8)}",
        "customer.usual_amount": choose.lognormvariate(8.5, 1.0),
        "device.customers": choose.choice((1, 1, 1, 1, 2, 3)),
        "merchant.tier": f"t{choose.randrange(4)}",
        "merchant.category": f"c{choose.randrange(20)}",
        **{call: int(choose.paretovariate(1.2)) if choose.random() < 0.8 else None for call in calls},
    }


def _routing_rule(choose: Chooser) -> str:
    wallet = f"payment.wallet == '{choose.choice(WALLETS)}'"
    amount = f"payment.amount {choose.choice(('>', '<='))} {choose.randrange(1, 100) * 1_000}"
    return choose.choice(
        (
            f"{amount} && {wallet}",
            f"payment.hour < {choose.randrange(1, 8)} && {wallet}",
            f"payment.merchant_id == '{_some_merchant(choose)}' && {wallet}",
            f"payment.store_id in ['s_{choose.randrange(40)}', 's_{choose.randrange(40)}'] && {amount}",
            f"payment.weekday >= 6 && payment.method == 'barcode' && {amount}",
            f"payment.card_bin.startsWith('62{choose.randrange(100):02}') || payment.static_code && {amount}",
        )
    )


def _campaign_rule(choose: Chooser) -> str:
    parts = [f"payment.merchant_id in ['{_some_merchant(choose)}', '{_some_merchant(choose)}']"]
    if choose.random() < 0.1:
        parts = [f"payment.amount >= {choose.randrange(10, 500) * 100}"]
    if choose.random() < 0.7:
        parts.append(f"payment.wallet == '{choose.choice(WALLETS)}'")
    if choose.random() < 0.5:
        parts.append(f"payment.hour >= {choose.randrange(6, 12)} && payment.hour < {choose.randrange(13, 24)}")
    if choose.random() < 0.2:
        parts.append(f"payment.card_bin.startsWith('62{choose.randrange(100):02}')")
    if choose.random() < 0.2:
        parts.append(f"!(payment.weekday in [{choose.randrange(1, 8)}, {choose.randrange(1, 8)}])")
    return " && ".join(parts)


_RISK_PARTS: Final[tuple[tuple[float, Callable[[Chooser], str]], ...]] = (
    (0.5, lambda c: f"payment.amount > {c.randrange(100, 1_000_000)}"),
    (0.3, lambda c: f"payment.wallet {c.choice(('==', '!='))} '{c.choice(WALLETS)}'"),
    (0.2, lambda c: f"payment.hour {c.choice(('<', '>='))} {c.randrange(1, 23)}"),
    (0.2, lambda c: f"merchant.category in ['c{c.randrange(20)}', 'c{c.randrange(20)}']"),
    (0.3, lambda c: f"payment.merchant_id == '{_some_merchant(c)}'"),
    (0.15, lambda c: f"payment.card_bin.startsWith('62{c.randrange(10_000):04}')"),
    (0.3, lambda c: f"device.customers >= {c.randrange(2, 30)}"),
    (0.2, lambda c: f"customer.age_days < {c.randrange(1, 90)}"),
    (
        0.7,
        lambda c: f"velocity('{c.choice(METRICS)}', '{c.choice(KEYS)}', '{c.choice(WINDOWS)}') >= {c.randrange(3, 60)}",
    ),
    (0.1, lambda _: "payment.amount % 100 == 0"),
    (0.05, lambda _: "double(payment.amount) > 3.0 * customer.usual_amount"),
    (0.1, lambda c: f"(customer.segment == 's{c.randrange(8)}' || merchant.tier == 't{c.randrange(4)}')"),
)


def _risk_rule(choose: Chooser) -> str:
    parts: list[str] = []
    while len(parts) < 3:
        parts = [part(choose) for share, part in _RISK_PARTS if choose.random() < share]
    return " && ".join(parts)


WORKLOADS: Final = (
    Workload("routing", Fields(*COMMON), _routing_rule, _common_payment, (10, 100, 1_000)),
    Workload("campaigns", Fields(*COMMON), _campaign_rule, _common_payment, (100, 1_000, 10_000)),
    Workload(
        "risk",
        Fields(*COMMON, *RISK, functions=[VELOCITY]),
        _risk_rule,
        _risk_payment,
        (100, 1_000, 10_000, 100_000),
    ),
)


def measured(workload: Workload, rules: int) -> Measured:
    """Check, build and match one set."""
    choose = random.Random(SEED)
    texts = [workload.rule(choose) for _ in range(rules)]
    payments = [workload.payment(choose) for _ in range(PAYMENTS)]
    check("true", workload.fields)  # makes the schema's environment, once
    began = time.process_time()
    expressions = [check(text, workload.fields) for text in texts]
    checked = time.process_time()
    matcher = Matcher(expressions)
    built = time.process_time()
    hits = [len(matcher.matches(payment)) for payment in payments]
    alone = _one_by_one_us(expressions, payments, workload) if rules <= ONE_BY_ONE_RULES_MAX else None
    del expressions
    return Measured(
        name=workload.name,
        rules=rules,
        hits_mean=statistics.mean(hits),
        hits_max=max(hits),
        match_us=_per_payment_us(matcher.matches, payments),
        one_by_one_us=alone,
        check_us=(checked - began) / rules * 1e6,
        build_s=built - checked,
    )


def _per_payment_us(match: Callable[[Payment], object], payments: Sequence[Payment]) -> float:
    """The median of several rounds; a small set is matched several times a round, as the clock is coarse."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for payment in payments:
            match(payment)
        rounds.append((time.process_time() - began) / len(payments) * 1e6)
    return statistics.median(rounds)


def _one_by_one_us(expressions: Sequence[Expression], payments: Sequence[Payment], workload: Workload) -> float:
    """The same conditions, each evaluated by cel-expr-python over one shared activation; calls are variables there."""
    types = {FieldType.INT: cel.Type.INT, FieldType.DOUBLE: cel.Type.DOUBLE, FieldType.BOOL: cel.Type.BOOL}
    variables = {field.name: types.get(field.type, cel.Type.STRING) for field in workload.fields.fields.values()}
    renamed = {call.name: f"call_{at}" for at, call in enumerate({c for e in expressions for c in e.calls})}
    environment = cel.NewEnv(variables={**variables, **dict.fromkeys(renamed.values(), cel.Type.INT)})
    programs = []
    for expression in expressions:
        text = expression.text
        for call in expression.calls:
            text = text.replace(call.name, renamed[call.name])
        programs.append(environment.compile(text))

    def match(payment: Payment) -> None:
        known = {renamed.get(name, name): value for name, value in payment.items() if value is not None}
        activation: Any = environment.Activation(known)
        for program in programs:
            program.eval(activation).value()

    return _per_payment_us(match, payments[: PAYMENTS // 10])


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="leave out the sets of 100,000 rules")
    quick = arguments.parse_args().quick
    print(HEAD)
    for workload in WORKLOADS:
        for rules in workload.sizes:
            if not quick or rules < 100_000:
                print(measured(workload, rules).line(), flush=True)


if __name__ == "__main__":
    main()
