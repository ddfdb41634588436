"""Stored payments are played again by a back-test, and a saved model scores payments once a rule set names it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from gateway.cli import app
from gateway.processes.errors import StackError
from tests.support.gateway import GatewayStack
from tests.support.risk_history import payments, write
from tests.support.risk_rules import decision_of, published, rule, without_rules
from tests.support.till import Till

pytestmark = pytest.mark.asyncio(loop_scope="module")
_MODELS = "/admin/v1/risk/models"
_TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
_TOMORROW = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def afterwards_no_rules(stack: GatewayStack) -> AsyncIterator[None]:
    yield
    await without_rules(stack)


@pytest.fixture
def settings(stack: GatewayStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the database is, as an operator's environment says it."""
    monkeypatch.setenv("MASHANG_DATABASE_URL", stack.database_url)
    monkeypatch.setenv("MASHANG_MASTER_KEY", stack.environment["MASHANG_MASTER_KEY"])


async def _backtest(*arguments: str) -> dict[str, Any]:
    command = ["risk", "backtest", *arguments, "--from", _TODAY, "--to", _TOMORROW, "--json"]
    result = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


async def _model(folder: Path) -> dict[str, Any]:
    """Of the made-up town, by the command."""
    file, looked_at = folder / "model.json", folder / "features.json"
    looked_at.write_text(json.dumps(["payment.amount", "velocity('count', 'customer', '1d')"]))
    town = write(folder / "town.csv", payments())
    command = ["risk", "train", str(file), "--data", str(town), "--train-days", "0-44", "--features", str(looked_at)]
    result = await asyncio.to_thread(CliRunner().invoke, app, [*command, "--threads", "1"])
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.usefixtures("settings")
async def test_stored_payments_are_decided_again_as_they_were_live(
    stack: GatewayStack, database: asyncpg.Connection, till: Till, tmp_path: Path
) -> None:
    customer, other = {"id": "back-1", "device_id": "d-1", "ip": "203.0.113.9"}, {"id": "back-2"}
    fast = rule("velocity('count', 'customer', '1h') >= 3", "review", code="FAST")
    same = rule("velocity('count', 'device', '1h') >= 2 && payment.ip == '203.0.113.9'", "review", code="DEVICE")
    version = await published(stack, fast, same)
    taken = [await till.paid(amount=1_000 + number, customer=customer) for number in range(4)]
    taken.append(await till.paid(amount=2_000, customer=other))
    async with stack.admin() as admin:
        body = {"payment_id": taken[3]["id"], "fraud": True, "source": "issuer", "by": "a test"}
        labelled = await admin.post("/admin/v1/risk/labels", json=body)
        assert labelled.status_code == 201, labelled.text

    found = await _backtest("live")
    decisions = [await decision_of(database, payment) for payment in taken]
    for code in ("FAST", "DEVICE"):
        (played,) = [each for each in found["rules"] if each["code"] == code]
        live = sum(code in ((row and row["hits"]) or ()) for row in decisions)
        assert played["tally"]["alerts"] == live > 0, code
        assert played["tally"]["frauds"] == 1, code
    assert found["together"]["alerts"] == sum(row["verdict"] == "review" for row in decisions if row is not None)
    assert found["against"]["version"] == version
    assert found["against"]["new"]["alerts"] == found["against"]["gone"]["alerts"] == 0

    (tmp_path / "other.json").write_text(json.dumps({"rules": [rule("payment.amount == 2000", code="OTHER")]}))
    changed = await _backtest(str(tmp_path / "other.json"))
    assert changed["against"]["new"]["alerts"] == 1
    assert changed["against"]["gone"]["alerts"] == found["together"]["alerts"]


@pytest.mark.usefixtures("settings")
async def test_a_saved_model_scores_payments_once_a_rule_set_names_it(
    stack: GatewayStack, database: asyncpg.Connection, till: Till, tmp_path: Path
) -> None:
    document = await _model(tmp_path)
    async with stack.admin() as admin:
        saved = await admin.post(_MODELS, json=document)
        assert saved.status_code == 201, saved.text
        model = saved.json()["version"]
        listed = (await admin.get(_MODELS)).json()["data"][0]
        assert listed == saved.json()
        whole = (await admin.get(f"{_MODELS}/{model}")).json()
        assert whole["trees"] == document["trees"]
        spoilt = await admin.post(_MODELS, json={**document, "features": ["payment.amout"]})
        assert (spoilt.status_code, spoilt.json()["error"]["code"]) == (400, "model_refused")
        assert (await admin.get(f"{_MODELS}/{model + 7}")).status_code == 404

    high = rule("model.score >= 0.5", "review", code="MODEL")
    await published(stack, high, model=model)
    usual = await till.paid(amount=4_000, customer={"id": "scored-1"})
    suspicious = await till.paid(amount=36_000, customer={"id": "scored-1"})
    assert usual["risk"]["reasons"] == []
    assert suspicious["risk"]["reasons"] == ["MODEL"]
    row = await decision_of(database, suspicious)
    assert row is not None
    assert any(isinstance(value, float) and value >= 0.5 for value in json.loads(row["features"]))
    found = await _backtest("live")
    assert found["rules"][0]["tally"]["alerts"] >= 1
    assert found["ranking"] is not None


async def test_models_are_saved_listed_and_shown_by_the_command(
    stack: GatewayStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MASHANG_ADMIN_TOKEN", stack.admin_token)
    document = await _model(tmp_path)

    async def models(*arguments: str) -> str:
        command = ["risk", "models", *arguments, "--url", stack.url]
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert result.exit_code == 0, result.exception
        return result.stdout

    saved = json.loads(await models("save", str(tmp_path / "model.json"), "--json"))
    listed = json.loads(await models("list", "--json"))
    assert listed["data"][0] == saved
    assert str(saved["version"]) in await models("list")
    shown = json.loads(await models("show", str(saved["version"])))
    assert shown["features"] == document["features"]
    await models("show", str(saved["version"]), "--out", str(tmp_path / "again.json"))
    assert json.loads((tmp_path / "again.json").read_text()) == document


async def test_stored_payments_stay_shut_without_the_master_key(
    stack: GatewayStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MASHANG_DATABASE_URL", stack.database_url)
    monkeypatch.delenv("MASHANG_MASTER_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.json").write_text(json.dumps({"rules": [rule("payment.amount > 1")]}))
    command = ["risk", "backtest", "rules.json", "--from", _TODAY]
    result = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert isinstance(result.exception, StackError)
    assert "MASHANG_MASTER_KEY" in str(result.exception)
