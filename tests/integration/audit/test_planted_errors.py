"""Every check finds the error that is planted for it; a check without a planted error fails the first test."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from gateway.audit.checks import Check
from tests.integration.audit import (
    campaign_plants,
    code_plants,
    money_plants,
    news_plants,
    record_plants,
    refund_plants,
    risk_plants,
)
from tests.integration.audit.planting import PLANTS, Plant
from tests.integration.audit.world import World

_MODULES = (campaign_plants, code_plants, money_plants, news_plants, record_plants, refund_plants, risk_plants)
"""Importing them registers what they plant."""


def test_every_check_has_an_error_planted_for_it() -> None:
    assert {check for check, _ in PLANTS} == set(Check)


@pytest.mark.parametrize(("check", "plant"), PLANTS, ids=[f"{check}-{plant.__name__}" for check, plant in PLANTS])
async def test_the_planted_error_is_found(
    check: Check, plant: Plant, connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded("wechat")
    plant(world)
    report = await world.audit(connection, database_url, tmp_path)
    assert report.findings.counts[check] >= 1, report.findings.shown
    assert not report.agrees
