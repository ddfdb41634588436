"""A stack in containers: its secrets are made once, its database gets the demo, and production gets neither."""

from __future__ import annotations

import base64
import stat
import subprocess
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from gateway.devstack.containers import make_secrets, seed_demo
from gateway.devstack.ready import read_ready_file
from gateway.devstack.simulators import PORTS, Doors, SimulatorSet
from gateway.processes.errors import StackError
from gateway.processes.sockets import listen, port_of
from gateway.settings import Environment, Settings
from tests.support.rows import MASTER_KEY


def _settings(database_url: str, environment: Environment = Environment.DEVELOPMENT) -> Settings:
    return Settings(
        MASHANG_ENV=environment,
        database_url=SecretStr(database_url),
        redis_url=SecretStr("redis://valkey:6379/0"),
        master_key=SecretStr(base64.b64encode(MASTER_KEY).decode()),
        admin_token=SecretStr("adm_test_of_a_stack_in_containers"),
    )


def _make(state: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables that a shell reads from the file, as compose.yaml has it read them."""
    monkeypatch.setenv("MASHANG_DATABASE_URL", "postgresql://mashang:{password}@postgres/mashang")
    monkeypatch.setenv("MASHANG_REDIS_URL", "redis://valkey:6379/0")
    path = make_secrets(state / "demo", state / "postgres" / "password")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shell = subprocess.run(
        ["/bin/sh", "-c", 'set -a; . "$0"; exec env', str(path)], capture_output=True, text=True, check=True, env={}
    )
    return dict(line.split("=", 1) for line in shell.stdout.splitlines() if line.startswith("MASHANG_"))


def test_secrets_are_made_once_and_read_by_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _make(tmp_path, monkeypatch)
    password = (tmp_path / "postgres" / "password").read_text()
    assert first["MASHANG_DATABASE_URL"] == f"postgresql://mashang:{password}@postgres/mashang"
    assert len(base64.b64decode(first["MASHANG_MASTER_KEY"])) == 32
    assert _make(tmp_path, monkeypatch) == first
    assert _make(tmp_path / "another", monkeypatch)["MASHANG_MASTER_KEY"] != first["MASHANG_MASTER_KEY"]


def test_the_servers_image_can_read_its_password_and_not_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(tmp_path, monkeypatch)
    assert stat.S_IMODE((tmp_path / "postgres" / "password").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "demo").stat().st_mode) == 0o700


def test_production_gets_no_demo_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASHANG_ENV", "production")
    with pytest.raises(StackError, match="not for production"):
        _make(tmp_path, monkeypatch)
    assert not list(tmp_path.iterdir())


async def test_the_database_gets_the_demo_and_the_commands_find_it(database_url: str, tmp_path: Path) -> None:
    settings = _settings(database_url)
    kept = await seed_demo(settings, tmp_path / "demo", "simulators", "http://proxy:8080")
    ready = read_ready_file(tmp_path / "demo" / "ready.json")
    assert ready.gateway == "http://proxy:8080"
    assert ready.merchant == kept.merchant
    assert {name: found["base_url"] for name, found in ready.simulators.items() if "base_url" in found}.items() <= {
        name: f"http://simulators:{port}" for name, port in PORTS.items()
    }.items()
    connection = await asyncpg.connect(database_url)
    try:
        counted = "SELECT (SELECT count(*) FROM channel_accounts), (SELECT count(*) FROM merchants)"
        accounts, merchants = await connection.fetchrow(counted)
        assert accounts >= len(PORTS)
        assert merchants == 2
        again = await seed_demo(settings, tmp_path / "demo", "simulators", "http://proxy:8080")
        assert again == kept
        assert tuple(await connection.fetchrow(counted)) == (accounts, merchants)
    finally:
        await connection.close()


async def test_a_production_database_gets_no_demo(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="not for production"):
        await seed_demo(_settings(database_url, Environment.PRODUCTION), tmp_path / "demo", "simulators", "http://x")
    assert not list(tmp_path.iterdir())


def test_simulators_that_others_call_have_their_usual_ports_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen(0, "127.0.0.1") as taken:
        monkeypatch.setitem(PORTS, "qra", port_of(taken))
        with pytest.raises(StackError, match="is taken"):
            SimulatorSet(tmp_path, ("qra",), Doors("127.0.0.1", "simulators"))
        alone = SimulatorSet(tmp_path, ("qra",))  # on the loopback any free port will do
        assert alone.base_urls["qra"] != f"http://127.0.0.1:{port_of(taken)}"
        alone.close()
    reached = SimulatorSet(tmp_path, ("qra",), Doors("127.0.0.1", "simulators"))
    assert reached.base_urls == {"qra": f"http://simulators:{PORTS['qra']}"}
    reached.close()
