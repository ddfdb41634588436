"""Switching off is counted from a worker's beginning."""

from __future__ import annotations

from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from gateway.webhooks.disabling import Disabling


@pytest.mark.parametrize("reason", ["gone", "failing"])
def test_endpoints_switched_off_are_told_as_none_before_there_are_any(reason: str) -> None:
    Disabling(cast("Any", None), 5.0)
    assert REGISTRY.get_sample_value("mashang_webhook_endpoints_disabled_total", {"reason": reason}) is not None
