"""What was added between two readings."""

from __future__ import annotations

import os
import subprocess
import sys

from prometheus_client import generate_latest

from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.kernel.metrics import PAYMENTS
from loadtests.capacity.readings import difference, switches, total, totals_of


def test_a_difference_counts_what_is_new_in_full_and_leaves_out_what_is_gone() -> None:
    before = {"rows.intent": 10.0, "client_bytes a:1": 500.0, "client_bytes b:2": 100.0}
    after = {"rows.intent": 25.0, "client_bytes b:2": 160.0, "client_bytes c:3": 7.0}
    assert difference(after, before) == {"rows.intent": 15.0, "client_bytes b:2": 60.0, "client_bytes c:3": 7.0}


def test_a_total_adds_up_every_connection_of_that_name_only() -> None:
    assert total({"client_bytes b:2": 60.0, "client_bytes c:3": 7.0, "channel_bytes d:4": 1.0}, "client_bytes") == 67.0
    assert total({"log_bytes": 3.0}, "log_bytes") == 3.0


def test_a_process_that_slept_has_been_woken() -> None:
    groups = {"me": [os.getpid()]}
    before = switches(groups)["me"]
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert switches(groups)["me"] > before


def test_payments_are_read_under_the_labels_that_the_gateway_gives_them() -> None:
    labels = [("succeeded", "wechat"), ("failed", "alipay")]
    for each in labels:
        PAYMENTS.labels(*each).inc()
    flush_hot_metrics()
    totals = totals_of(generate_latest().decode())
    assert totals["payments"] >= 2
    assert totals["unsuccessful.failed alipay"] >= 1
