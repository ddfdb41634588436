"""The metrics of an account: its cells together."""

from __future__ import annotations

from prometheus_client import REGISTRY

from routing.channels.base import Wallet
from routing.health.gauges import HealthGauges
from routing.health.health import Health
from routing.health.verdicts import Verdict
from routing.sale import Cell, Method


def value(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"mashang_account_{name}", {"account": "gauged"})


def test_an_account_is_shown_by_its_worst_breaker_and_its_mean_success() -> None:
    health = Health(clock=lambda: 1.0)
    wechat, alipay = (Cell("gauged", wallet, Method.BARCODE) for wallet in (Wallet.WECHAT, Wallet.ALIPAY))
    gauges = HealthGauges(health)
    for _ in range(98):
        health.begin(alipay).end(Verdict.OK)
    for _ in range(12):
        health.begin(wechat).end(Verdict.FAULT)
    health.begin(alipay)
    for _ in range(2):
        gauges.publish()
    assert value("breaker_state") == 2
    assert value("breaker_openings_total") == 1, "an opening counts once"
    assert value("calls_in_flight") == 1
    assert value("calls_max") == health.settings.calls_max
    success = value("success_ratio")
    assert success is not None
    assert health.standing(wechat).success < success < health.standing(alipay).success
    assert success > 0.9, "by how much is known of each"
