"""The command line: quick where it needs nothing, and plain words where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.servers import TestServers

ROOT = Path(__file__).parents[3]
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def mashang(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**environment, **settings, "COLUMNS": "120"},
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    shown = mashang("--help")
    assert shown.returncode == 0
    for command in (
        "dev",
        "serve",
        "worker",
        "simulators",
        "migrate",
        "settings",
        "pay",
        "refund",
        "payment",
        "scan",
        "audit",
    ):
        assert f" {command} " in shown.stdout
    program = (
        "import sys, gateway.cli; print({'asyncpg', 'fastapi', 'uvicorn', 'httpx', 'pydantic'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "set()"


def test_missing_settings_are_named() -> None:
    refused = mashang("migrate")
    assert refused.returncode == 2
    for name in ("DATABASE_URL", "REDIS_URL", "MASTER_KEY", "ADMIN_TOKEN"):
        assert f"MASHANG_{name}: Field required" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_settings_are_shown_with_secrets_masked() -> None:
    secrets = {
        "MASHANG_DATABASE_URL": "postgresql://someone:very-secret@db/mashang",
        "MASHANG_REDIS_URL": "redis://:very-secret@cache:6379/0",
        "MASHANG_MASTER_KEY": KEY,
        "MASHANG_ADMIN_TOKEN": "very-secret-token-of-thirty-letters",
    }
    shown = mashang("settings", **secrets, MASHANG_WAIT_MAX_S="21")
    assert shown.returncode == 0
    assert "MASHANG_ENV=development" in shown.stdout
    assert "MASHANG_WAIT_MAX_S=21.0" in shown.stdout
    for name, value in secrets.items():
        assert f"{name}=**********" in shown.stdout
        assert value not in shown.stdout


def test_migrate_brings_an_empty_database_up_to_date_and_says_so_the_second_time(servers: TestServers) -> None:
    url = servers.create_database()
    settings = {
        "MASHANG_DATABASE_URL": url,
        "MASHANG_REDIS_URL": servers.redis_url,
        "MASHANG_MASTER_KEY": KEY,
        "MASHANG_ADMIN_TOKEN": "token-of-at-least-24-letters",
    }
    first, second = mashang("migrate", **settings), mashang("migrate", **settings)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("0001_")
    assert second.stdout == "The schema is up to date.\n"
    servers.drop_database(url)


def test_pay_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    refused = mashang("pay", "--state", str(tmp_path))
    assert refused.returncode == 2
    assert "make run" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_unknown_simulator_is_refused_by_name(tmp_path: Path) -> None:
    refused = mashang("simulators", "paypal", "--state", str(tmp_path))
    assert refused.returncode == 2
    assert "paypal" in refused.stderr
