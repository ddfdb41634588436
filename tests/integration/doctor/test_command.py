"""`mashang doctor --state` looks at a development stack as its processes were told."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import Processes, ReadyFile
from gateway.devstack.secrets import MerchantSecrets, StateSecrets, save_secrets
from gateway.processes.errors import StackError


@pytest.fixture
def state(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder as `mashang dev` leaves it while it runs."""
    for name in ("DATABASE_URL", "REDIS_URL", "MASTER_KEY", "ADMIN_TOKEN", "METRICS_DIR", "PUBLIC_URL",
                 "WEBHOOK_ALLOWED_NETWORKS"):  # fmt: skip
        monkeypatch.setenv(f"MASHANG_{name}", "")  # put back when the test ends
        monkeypatch.delenv(f"MASHANG_{name}")
    merchant = MerchantSecrets(id="mer_1", api_key="k", key_id="key_1", signing_secret="s", webhook_secret="w")
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    kept = StateSecrets(master_key=key, admin_token=f"adm_test_{secrets.token_urlsafe(24)}", merchant=merchant)
    save_secrets(tmp_path, kept)
    ReadyFile(
        gateway="http://127.0.0.1:1",
        admin_token=kept.admin_token,
        merchant=merchant,
        simulators={},
        database_url=database_url,
        redis_url=redis_url,
        processes=Processes(gateway=[], worker=[], postgres=None, valkey=None, simulators=[]),
    ).write(ready_file_of(tmp_path))
    return tmp_path


def test_a_stack_is_looked_at_and_says_what_production_would_refuse(state: Path) -> None:
    ended = CliRunner().invoke(app, ["doctor", "--state", str(state), "--json", "--accept", "postgresql.standby"])
    assert ended.exit_code == 2, ended.output
    found = {f"{each['area']}.{each['check']}": each for each in json.loads(ended.stdout)["findings"]}
    assert found["settings.MASHANG_ENV"]["standing"] == "warning"
    assert found["settings.MASHANG_ADMIN_TOKEN"]["standing"] == "problem"
    assert found["postgresql.schema"]["standing"] == "ok"
    assert found["postgresql.standby"]["standing"] == "warning"
    assert found["address.public_url"]["standing"] == "problem"


def test_a_folder_without_a_stack_is_told_in_a_sentence(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["doctor", "--state", str(tmp_path)])
    assert isinstance(ended.exception, StackError)
    assert "No stack runs here" in str(ended.exception)
