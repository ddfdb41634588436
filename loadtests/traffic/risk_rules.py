"""Risk rules as analysts write them and payments to hold against them, drawn from a seed: for the risk benchmarks."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from gateway.kernel.expressions import Value
from risk.facts import CodeType, Facts, Location

SEED: Final = 20_261_122
MERCHANTS: Final = 20_000
BUSY_MERCHANTS: Final = 50
"""These make three payments in ten, and have as large a share of the rules that are about one merchant."""
NOON: Final = datetime(2026, 11, 22, 4, tzinfo=UTC)
WALLETS: Final = ("wechat",) * 6 + ("alipay",) * 3 + ("unionpay",)
CATEGORIES: Final = 20
REGIONS: Final = 30
SHANGHAI: Final = Location(31.2304, 121.4737)

Chooser: TypeAlias = random.Random

TYPICAL: Final = (
    *(("count", "customer", window) for window in ("1h", "1d", "30d")),
    *(("sum_amount", "customer", window) for window in ("1d", "30d")),
    ("seconds_since_last", "customer", "30d"),
    ("distinct_devices", "customer", "7d"),
    ("distinct_merchants", "customer", "1h"),
    ("count", "device", "1h"),
    ("distinct_customers", "device", "7d"),
    ("count", "ip", "10m"),
    ("distinct_customers", "ip", "1d"),
    ("count", "terminal", "10m"),
    ("distinct_customers", "terminal", "1d"),
    ("fraud_share", "terminal", "28d"),
    ("count", "merchant", "1h"),
    ("mean_amount", "merchant", "7d"),
    ("decline_count", "merchant", "1d"),
    ("count", "customer+merchant", "1d"),
    ("sum_amount", "customer+merchant", "7d"),
)
"""Metric, key and window of twenty velocities over six keys, as an acquirer's rules ask."""
_OTHERS: Final = (
    *(("max_amount", "customer", window) for window in ("10m", "1h", "1d", "7d")),
    *(("decline_count", "customer", window) for window in ("10m", "1h", "1d", "7d")),
    *((metric, "device", "1d") for metric in ("count", "distinct_customers", "sum_amount")),
    *((metric, "ip", "1h") for metric in ("count", "distinct_customers", "distinct_cards")),
    *((metric, "card", window) for metric in ("count", "decline_count") for window in ("1h", "7d")),
    *((metric, "customer+merchant", "30d") for metric in ("count", "sum_amount", "max_amount")),
    *((metric, "terminal", window) for metric in ("fraud_count", "distinct_cards", "count") for window in ("1h", "7d")),
    *((metric, "merchant", "30d") for metric in ("refund_count", "complaint_count", "refund_amount")),
)
VELOCITIES: Final = tuple(f"velocity('{metric}', '{key}', '{window}')" for metric, key, window in TYPICAL + _OTHERS)
"""Fifty: within what one rule set may look up."""
TYPICAL_VELOCITIES: Final = len(TYPICAL)


@dataclass(frozen=True, slots=True)
class Draw:
    """Draws rules that look up the first so many velocities."""

    choose: Chooser
    velocities: Sequence[str]
    all_live: bool

    def document(self, rules: int) -> dict[str, Any]:
        """A rule set as it is sent."""
        return {
            "note": f"{rules} rules",
            "thresholds": {"review": 60, "decline": 90},
            "rules": [self.rule(number) for number in range(rules)],
        }

    def rule(self, number: int) -> dict[str, Any]:
        """One rule."""
        choose = self.choose
        action = choose.choices(("decline", "review", "score", "no_discount", "approve"), (30, 30, 30, 7, 3))[0]
        rule = {
            "code": f"R_{number:06}",
            "when": self.condition(),
            "action": action,
            "score": choose.randrange(1, 40) if action != "approve" else 0,
            "mode": "live" if choose.random() < 0.9 or self.all_live else "shadow",
            "rollout": choose.choice((10, 50)) if choose.random() < 0.05 else 100,
            "priority": choose.randrange(100),
        }
        if choose.random() < 0.2:
            rule["merchants"] = sorted({some_merchant(choose) for _ in range(choose.randrange(1, 4))})
        return rule

    def condition(self) -> str:
        """At least three parts, each of its own share."""
        parts: list[str] = []
        while len(parts) < 3:
            parts = [part(self) for share, part in _PARTS if self.choose.random() < share]
        return " && ".join(parts)

    def velocity(self) -> str:
        """A bound on what was counted."""
        name = self.choose.choice(self.velocities)
        if "fraud_share" in name:
            return f"{name} >= {self.choose.randrange(5, 60) / 100}"
        if "seconds_since" in name:
            return f"{name} < {self.choose.randrange(2, 60)}"
        bound = self.choose.randrange(100, 500_000) if "_amount" in name else self.choose.randrange(3, 60)
        return f"{name} >= {bound}"


def some_merchant(choose: Chooser) -> str:
    """A few busy merchants, and many small ones."""
    return f"mer_{choose.randrange(BUSY_MERCHANTS) if choose.random() < 0.3 else choose.randrange(MERCHANTS)}"


_PARTS: Final[tuple[tuple[float, Callable[[Draw], str]], ...]] = (
    (0.5, lambda d: f"payment.amount > {d.choose.randrange(100, 1_000_000)}"),
    (0.3, lambda d: f"payment.wallet {d.choose.choice(('==', '!='))} '{d.choose.choice(WALLETS)}'"),
    (0.2, lambda d: f"payment.hour {d.choose.choice(('<', '>='))} {d.choose.randrange(1, 23)}"),
    (0.2, lambda d: f"payment.category in ['c{d.choose.randrange(20)}', 'c{d.choose.randrange(20)}']"),
    (0.1, lambda d: f"payment.region == 'r{d.choose.randrange(REGIONS)}'"),
    (0.1, lambda d: f"payment.code_type == '{d.choose.choice(tuple(CodeType))}'"),
    (0.25, lambda d: f"payment.merchant_id == '{some_merchant(d.choose)}'"),
    (0.15, lambda d: f"payment.card_bin.startsWith('62{d.choose.randrange(10_000):04}')"),
    (0.1, lambda d: f"payment.distance_km > {d.choose.randrange(1, 300)}.0"),
    (0.2, lambda d: f"merchant.age_days < {d.choose.randrange(1, 90)}"),
    (0.7, Draw.velocity),
    (0.3, Draw.velocity),
    (0.1, lambda _: "payment.amount % 100 == 0"),
    (
        0.1,
        lambda d: f"(payment.store_id == 's{d.choose.randrange(40)}' || merchant.tier == 't{d.choose.randrange(4)}')",
    ),
)


def document_of(rules: int, velocities: int = len(VELOCITIES), *, all_live: bool = False) -> dict[str, Any]:
    """A rule set of so many rules over so many velocities: the same every time."""
    return Draw(random.Random(SEED), VELOCITIES[:velocities], all_live).document(rules)


def payments_of(number: int, velocities: int = len(VELOCITIES)) -> list[tuple[Facts, Mapping[str, Value | None]]]:
    """Payments, each with the features of these velocities: some are null, most are small, a few are high."""
    choose = random.Random(SEED + 1)
    return [(_payment(choose, each), _features(choose, VELOCITIES[:velocities])) for each in range(number)]


def _payment(choose: Chooser, number: int) -> Facts:
    return Facts(
        merchant_id=some_merchant(choose),
        order_key=f"mer:{number}",
        amount_fen=int(choose.lognormvariate(8.5, 1.3)) + 1,
        method="barcode",
        code_type=choose.choices(tuple(CodeType), (7, 2, 1))[0],
        at=NOON + timedelta(seconds=choose.randrange(86_400)),
        timezone="Asia/Shanghai",
        wallet=choose.choice(WALLETS),
        store_id=f"s{choose.randrange(40)}",
        terminal_id=f"t{choose.randrange(100)}",
        region=f"r{choose.randrange(REGIONS)}",
        category=f"c{choose.randrange(CATEGORIES)}",
        customer=choose.randbytes(16).hex() if choose.random() < 0.9 else None,
        device=choose.randbytes(16).hex() if choose.random() < 0.8 else None,
        ip=f"203.0.113.{choose.randrange(256)}" if choose.random() < 0.8 else None,
        card_bin=f"62{choose.randrange(10_000):04}" if choose.random() < 0.5 else None,
        location=Location(31.2 + choose.gauss(0, 0.2), 121.5 + choose.gauss(0, 0.2)) if choose.random() < 0.6 else None,
        store_location=SHANGHAI,
        merchant_since=NOON - timedelta(days=choose.randrange(1_000)),
        merchant_tier=f"t{choose.randrange(4)}",
    )


def _features(choose: Chooser, velocities: Sequence[str]) -> dict[str, Value | None]:
    return {name: _counted(choose, name) if choose.random() < 0.8 else None for name in velocities}


def _counted(choose: Chooser, name: str) -> Value:
    if "fraud_share" in name:
        return max(0.0, choose.gauss(0.0, 0.05))
    if "seconds_since" in name:
        return int(choose.expovariate(1 / 86_400))
    if "_amount" in name:
        return int(choose.paretovariate(1.2) * choose.lognormvariate(8, 1))
    least = 1 if "'count'" in name or "distinct_" in name else 0
    return int(choose.paretovariate(1.2)) - 1 + least
