"""One process of `make bench-metrics`: counts what a busy gateway or worker counts, and tells what that cost.

    PROMETHEUS_MULTIPROC_DIR=FOLDER python -m loadtests.parts.metrics_process ROUNDS

Prints, as JSON, the CPU of a payment's counts and of a carrying over (flush) of all of them, in µs.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from statistics import median
from time import process_time_ns
from typing import Any, Final

import orjson

from gateway.kernel import business_metrics as business
from gateway.kernel import metrics
from gateway.kernel.failures import FailureCode
from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.metrics.process import ProcessWatch, Role

ACCOUNTS: Final = tuple(f"account_{number}" for number in range(6))
WALLETS: Final = ("wechat", "alipay", "unionpay")
RULES: Final = tuple(f"RULE_{number:03}" for number in range(400))
"""Four times as many as are told: what is not told is read and chosen from all the same."""
CAMPAIGNS: Final = tuple(f"cam_01JD5ZV8W3M0Q9C6R1T2X4{number:04}" for number in range(400))
_PAYMENTS: Final = 5_000
_PAYMENTS_PER_FLUSH: Final = 450
"""900 a second of one process, carried over twice a second."""


def payment(number: int, rules: tuple[str, ...] = RULES, campaigns: tuple[str, ...] = CAMPAIGNS) -> None:
    """All that a discounted bar-code payment with three rules that hit counts; a batch has eight rows."""
    account, wallet = ACCOUNTS[number % 6], WALLETS[number % 3]
    metrics.CLAIMS.labels("won").inc()
    metrics.RISK_DECISIONS.labels("approve").inc()
    metrics.RISK_SECONDS.labels().observe(0.002)
    for hit in range(3):
        metrics.RISK_HITS.count((rules[(number + hit) % len(rules)], "live"))
    metrics.ROUTING_CHOICES.labels(account, "score").inc()
    metrics.POOL_RESERVATIONS.labels("reserved").inc()
    for phase in ("claim", "intent", "channel", "outcome"):
        metrics.PHASE_SECONDS.labels(phase).observe(0.01)
    metrics.CHANNEL_CALLS.labels(account, "pay", "captured").inc()
    metrics.CHANNEL_SECONDS.labels(account, "pay").observe(0.075)
    business.PAYMENTS_ENDED.labels("succeeded", wallet, account, "").inc()
    business.TURNOVER.labels(wallet, account).inc(2_599)
    business.DISCOUNTS.count((campaigns[number % len(campaigns)], "platform"), 500)
    metrics.PAYMENTS.labels("succeeded", wallet).inc()
    metrics.PAYMENT_SECONDS.labels(wallet).observe(0.1)
    metrics.PAYMENT_OWN_SECONDS.labels().observe(0.02)
    metrics.HTTP_REQUESTS.labels("/v1/payments", "POST", 201).inc()
    if number % 8 == 0:
        for batch in ("intent", "outcome", "valkey", "history"):
            metrics.BATCH_ROWS.labels(batch).observe(8)
            metrics.BATCH_SECONDS.labels(batch).observe(0.004)
            metrics.QUEUE_DEPTH.labels(batch).set(3)


def take(payments: int) -> None:
    """So many of them."""
    for number in range(payments):
        payment(number)


def fill() -> None:
    """Everything else that a process with six accounts tells, once."""
    for account, call in itertools.product(ACCOUNTS, ("pay", "query", "reverse", "refund", "query_refund", "close")):
        metrics.CHANNEL_SECONDS.labels(account, call).observe(0.1)
        for result in ("captured", "pending", "not_found", "rejected", "unknown"):
            metrics.CHANNEL_CALLS.labels(account, call, result).inc()
    for account, failure in itertools.product(ACCOUNTS, FailureCode):
        business.PAYMENTS_ENDED.labels("failed", "wechat", account, failure).inc()
    for number, status in itertools.product(range(48), (200, 400, 404)):
        metrics.HTTP_REQUESTS.labels(f"/v1/route/{number}", "GET", status).inc()
    for number in range(18):
        metrics.HTTP_SECONDS.labels(f"area_{number}").observe(0.1)
    for account, number in itertools.product(ACCOUNTS, range(10)):
        metrics.CALLBACKS.labels(account, f"result_{number}").inc()
    for gauge, account in itertools.product((metrics.ACCOUNT_SUCCESS, metrics.ACCOUNT_CALLS), ACCOUNTS):
        gauge.labels(account).set(1)
    for number in range(len(RULES)):
        payment(number)
    flush_hot_metrics()


def cpu_us(work: Callable[[], Any]) -> float:
    """CPU of this process meanwhile."""
    began = process_time_ns()
    work()
    return (process_time_ns() - began) / 1_000


def main() -> None:
    """Count, and print what that cost; then stay until standard input ends, for the folder is of those who live."""
    ProcessWatch(Role.GATEWAY).look()
    fill()
    payments: list[float] = []
    flushes: list[float] = []
    for _ in range(int(sys.argv[1])):
        payments.append(cpu_us(lambda: take(_PAYMENTS)) / _PAYMENTS)
        flush_hot_metrics()
        take(_PAYMENTS_PER_FLUSH)
        flushes.append(cpu_us(flush_hot_metrics))
    costs = {
        "payment_us": min(payments, default=0.0),
        "payment_median_us": median(payments or [0.0]),
        "flush_us": min(flushes, default=0.0),
        "flush_median_us": median(flushes or [0.0]),
        "payments_per_flush": _PAYMENTS_PER_FLUSH,
    }
    sys.stdout.buffer.write(orjson.dumps(costs) + b"\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
