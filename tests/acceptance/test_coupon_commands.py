"""`mashang coupon …`, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


@pytest.fixture(scope="module")
def campaign_id(stack: GatewayStack) -> str:
    """A campaign with two coupons."""
    document = {
        "name": "满20减5",
        "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]},
        "funding": [{"sponsor": "bank", "share": "1"}],
        "coupon": {"stock": 2},
    }
    headers = {"Authorization": f"Bearer {stack.admin_token}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False) as admin:
        created: str = admin.post("/admin/v1/campaigns", json=document).raise_for_status().json()["id"]
        admin.post(f"/admin/v1/campaigns/{created}/activate", json={}).raise_for_status()
    return created


def mashang(state: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "coupon", *arguments, "--state", str(state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment, "COLUMNS": "160"},
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def as_json(state: Path, *arguments: str) -> Any:
    return json.loads(mashang(state, *arguments, "--json")[0])


def test_coupons_are_claimed_granted_counted_listed_and_voided(state: Path, campaign_id: str) -> None:
    claimed = as_json(state, "claim", campaign_id, "c-1", "--key-once", "k-1")
    assert as_json(state, "claim", campaign_id, "c-1", "--key-once", "k-1") == claimed
    _, said = mashang(state, "claim", campaign_id, "c-1", status=2)
    assert "limit_reached" in said
    shown, _ = mashang(state, "grant", campaign_id, "c-2", "c-3")
    assert "none: sold_out" in shown
    [granted] = as_json(state, "list", "c-2")
    assert (granted["source"], granted["status"]) == ("granted", "valid")
    assert mashang(state, "void", granted["id"])[1] == f"{granted['id']} of 满20减5 is void.\n"
    assert "voided" in mashang(state, "list", "c-2")[0]
    assert "0 of 2 left" in mashang(state, "count", campaign_id)[1]
    assert as_json(state, "count", campaign_id)["by_status"] == {"valid": 1, "redeemed": 0, "expired": 0, "voided": 1}
