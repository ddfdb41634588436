"""What a velocity is: a metric of a key over a window, as `velocity('count', 'customer+merchant', '1h')` names it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple, Self

from gateway.kernel.expressions import FieldType
from gateway.kernel.expressions.fields import Call, Function, Parameter


class Series(StrEnum):
    """What is counted, each under its own id, once."""

    PAYMENTS = "payments"
    """Payments that were screened, whatever became of them."""
    DECLINES = "declines"
    """Payments that the wallet or the risk check declined."""
    REFUNDS = "refunds"
    COMPLAINTS = "complaints"
    FRAUDS = "frauds"
    """Payments that became known as fraud, at the time when they did."""


class Metric(StrEnum):
    """The current payment counts among the payments; the other series end before it."""

    COUNT = "count"
    SUM_AMOUNT = "sum_amount"
    MIN_AMOUNT = "min_amount"
    MAX_AMOUNT = "max_amount"
    MEAN_AMOUNT = "mean_amount"
    """Rounded to the fen, half up."""
    SECONDS_SINCE_LAST = "seconds_since_last"
    """Since the payment before this one; null where there is none within the window."""
    DISTINCT_CUSTOMERS = "distinct_customers"
    DISTINCT_DEVICES = "distinct_devices"
    DISTINCT_MERCHANTS = "distinct_merchants"
    DISTINCT_TERMINALS = "distinct_terminals"
    DISTINCT_CARDS = "distinct_cards"
    DISTINCT_IPS = "distinct_ips"
    DECLINE_COUNT = "decline_count"
    REFUND_COUNT = "refund_count"
    REFUND_AMOUNT = "refund_amount"
    COMPLAINT_COUNT = "complaint_count"
    FRAUD_COUNT = "fraud_count"
    """Frauds that became known within the window."""
    FRAUD_SHARE = "fraud_share"
    """FRAUD_COUNT ÷ the payments whose label fell due within the window (LABEL_DELAY_S after they were made): 0 to 1,
    null without any."""


METRIC_SERIES: Final = {
    **dict.fromkeys(Metric, Series.PAYMENTS),
    Metric.DECLINE_COUNT: Series.DECLINES,
    Metric.REFUND_COUNT: Series.REFUNDS,
    Metric.REFUND_AMOUNT: Series.REFUNDS,
    Metric.COMPLAINT_COUNT: Series.COMPLAINTS,
    Metric.FRAUD_COUNT: Series.FRAUDS,
    Metric.FRAUD_SHARE: Series.FRAUDS,
}
"""What a metric counts; FRAUD_SHARE counts payments besides."""
DISTINCT_DIMENSIONS: Final = {
    Metric.DISTINCT_CUSTOMERS: "customer",
    Metric.DISTINCT_DEVICES: "device",
    Metric.DISTINCT_MERCHANTS: "merchant",
    Metric.DISTINCT_TERMINALS: "terminal",
    Metric.DISTINCT_CARDS: "card",
    Metric.DISTINCT_IPS: "ip",
}
"""Of what a metric counts the different values."""
DISTINCT_MAX: Final = 64
"""So many different values are told apart; more count as so many."""
LABEL_DELAY_S: Final = 7 * 86_400
"""Whether a payment was fraud is taken as known so long after it."""
VELOCITIES_MAX: Final = 64
"""Different velocities in one rule set."""
WINDOW_S_MIN: Final = 60
WINDOW_S_MAX: Final = 90 * 86_400
BUCKETS: Final = 16
"""A window reaches back between its length and 1/BUCKETS more: what is counted too much is never older than that."""

DIMENSIONS: Final = (
    *("customer", "device", "ip", "card", "merchant", "store", "terminal", "operator", "code", "region"),
    *("wallet", "code_type"),
)
"""`store`, `terminal`, `operator` and `code` are the merchant's own; `card` is its BIN, a hint."""
_UNITS_S: Final = {"m": 60, "h": 3_600, "d": 86_400}
_WINDOW: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])")


class Velocity(NamedTuple):
    """`key` is one dimension, or two in the order of DIMENSIONS."""

    metric: Metric
    key: tuple[str, ...]
    window_s: int

    @classmethod
    def of(cls, call: Call) -> Self:
        """From a call that has been checked."""
        metric, key, window = call.arguments
        return cls(Metric(metric), key_of(key), window_s_of(window))


def window_s_of(text: str) -> int:
    """Seconds.  Raises ValueError for what is no window."""
    found = _WINDOW.fullmatch(text)
    seconds = 0 if found is None else int(found[1]) * _UNITS_S[found[2]]
    if not WINDOW_S_MIN <= seconds <= WINDOW_S_MAX:
        raise ValueError(f"not a window: {text}")
    return seconds


def key_of(text: str) -> tuple[str, ...]:
    """One dimension, or a pair in the order of DIMENSIONS.  Raises ValueError for what is no key."""
    parts = text.split("+")
    if len(parts) > 2 or len(set(parts)) < len(parts) or not set(parts) <= set(DIMENSIONS):
        raise ValueError(f"not a key: {text}")
    return tuple(sorted(parts, key=DIMENSIONS.index))


def _window_problem(text: str) -> str | None:
    try:
        window_s_of(text)
    except ValueError:
        return "it is a number and m, h or d, from '1m' to '90d'"
    return None


def _key_problem(text: str) -> str | None:
    try:
        key_of(text)
    except ValueError:
        return f"it is one of {', '.join(DIMENSIONS)}, or two of them joined by +"
    return None


FUNCTION: Final = Function(
    "velocity",
    (
        Parameter.one_of("metric", f"One of {', '.join(f'`{metric}`' for metric in Metric)}.", Metric),
        Parameter("key", f"Whose: {', '.join(f'`{each}`' for each in DIMENSIONS)}; or a pair, `a+b`.", _key_problem),
        Parameter("window", "How far back, from `1m` to `90d`: a number and `m`, `h` or `d`.", _window_problem),
    ),
    FieldType.INT,
    "What was counted of payments by this key; null where the payment does not name the key, or counters are away.",
    types=((Metric.FRAUD_SHARE, FieldType.DOUBLE),),
)
