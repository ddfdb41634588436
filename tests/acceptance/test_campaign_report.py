"""A campaign's report and metrics, as a manager asks for them: over the API, on the command line, as a page."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.ready import write_ready_file
from tests.support.refunds import refund
from tests.support.till import Till
from tests.support.waiting import eventually

__all__ = ["manager"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as the commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


async def campaign_command(state: Path, *arguments: str) -> str:
    """What a command prints."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway.cli", "campaign", *arguments, "--state", str(state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**ENVIRONMENT, "COLUMNS": "160"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def report(manager: Manager, campaign_id: str, **query: str) -> dict[str, Any]:
    answer = await manager.client.get(f"/admin/v1/campaigns/{campaign_id}/report", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_report_tells_what_was_given_by_whom_and_why_others_had_nothing(manager: Manager, till: Till) -> None:
    campaign_id = await manager.start(limits={"budget": 100_000})
    payments = [await till.paid(customer={"id": f"reported-{number % 2}"}) for number in range(3)]
    await till.paid(amount=1_999)
    await refund(till, payments[0], 2_599)
    found = await report(manager, campaign_id)
    assert found["payments"] | {"considered": 0} == {
        "considered": 0,
        "redeemed": 3,
        "succeeded": 3,
        "held": 0,
        "given_back": 0,
    }
    assert (found["spent"], found["returned"]) == (1_500, 500)
    assert (found["turnover"], found["refunded"]) == (3 * 2_599, 2_599)
    assert found["turnover_per_fen"] == round(2 * 2_599 / 1_000, 4)
    assert found["customers"] == {"known": 2, "new": 2}
    assert found["sponsors"] == [
        {"sponsor": "bank", "spent": 1_050, "returned": 350},
        {"sponsor": "merchant", "spent": 450, "returned": 150},
    ]
    assert sum(hour["spent"] for hour in found["hours"]) == 1_500


async def test_what_was_asked_is_in_the_report_within_seconds(manager: Manager, till: Till) -> None:
    campaign_id = await manager.start(limits={"budget": 100_000})
    await till.paid(amount=1_999)

    async def is_told() -> bool:
        return (await report(manager, campaign_id))["refusals"] == [{"reason": "below_spend", "count": 1}]

    await eventually(is_told)
    assert (await report(manager, campaign_id))["payments"]["considered"] == 1


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"from": "2026-11-22T00:00:00Z", "to": "2026-11-22T00:00:00Z"}, "to"),
        ({"from": "2025-11-22T00:00:00Z", "to": "2026-11-22T00:00:00Z"}, "to"),
        ({"from": "yesterday"}, "from"),
        ({"form": "html"}, "form"),
    ],
)
async def test_a_time_that_makes_no_report_is_refused_by_name(
    manager: Manager, query: dict[str, str], param: str
) -> None:
    campaign_id = await manager.start()
    answer = await manager.client.get(f"/admin/v1/campaigns/{campaign_id}/report", params=query)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


async def test_an_unknown_campaign_has_no_report(manager: Manager) -> None:
    answer = await manager.client.get("/admin/v1/campaigns/cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/report")
    assert answer.status_code == 404


async def test_the_page_loads_nothing_and_shows_no_markup_of_a_name(manager: Manager, till: Till) -> None:
    campaign_id = await manager.start(name="<b>5</b> off & more", limits={"budget": 100_000})
    await till.paid()
    answer = await manager.client.get(f"/admin/v1/campaigns/{campaign_id}/report", params={"format": "html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;5&lt;/b&gt; off &amp; more" in answer.text
    assert "<svg" in answer.text
    assert "¥5.00" in answer.text
    assert not re.search(r"<script|src=|href=|url\(|@import", answer.text)


async def test_the_command_prints_a_report_writes_the_page_and_watches(
    manager: Manager, till: Till, state: Path, tmp_path: Path
) -> None:
    campaign_id = await manager.start(limits={"budget": 100_000})
    await till.paid()
    printed = await campaign_command(state, "report", campaign_id)
    assert "bank" in printed
    assert "¥3.50" in printed
    assert json.loads(await campaign_command(state, "report", campaign_id, "--json"))["spent"] == 500
    page = tmp_path / "report.html"
    await campaign_command(state, "report", campaign_id, "--html", str(page))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    watched = await campaign_command(state, "watch", campaign_id, "--times", "2", "--every", "0.2")
    assert "¥995.00" in watched


async def test_prometheus_shows_a_running_campaign(stack: GatewayStack, manager: Manager, till: Till) -> None:
    campaign_id = await manager.start(limits={"budget": 100_000})
    await till.paid()
    async with httpx.AsyncClient(trust_env=False) as client:

        async def spent() -> bool:
            text = (await client.get(f"{stack.url}/metrics")).text
            return f'mashang_campaign_spent_fen{{campaign="{campaign_id}"}} 500.0' in text

        await eventually(spent)
