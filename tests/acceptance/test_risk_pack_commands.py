"""`mashang risk packs …`: ready packs are shown, published together, and published onto the rules in force."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from risk.packs import names, pack
from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


def packs(*arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "risk", "packs", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**ENVIRONMENT, "COLUMNS": "200"},
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def published(state: Path, *arguments: str) -> Any:
    """The version that a command has saved."""
    return json.loads(packs("publish", *arguments, "--json", "--state", str(state))[0])


def test_every_pack_is_listed_with_what_it_is_for() -> None:
    told, _ = packs("list")
    assert all(name in told for name in names())
    by_name = {each["name"]: each for each in json.loads(packs("list", "--json")[0])}
    assert by_name["impossible_travel"]["velocities"] == 0
    assert by_name["cash_out"] == {
        "name": "cash_out",
        "note": pack("cash_out")["note"],
        "rules": 5,
        "tests": sum(len(rule["tests"]) for rule in pack("cash_out")["rules"]),
        "velocities": 7,
    }


def test_a_pack_is_shown_with_each_rule_and_as_a_document() -> None:
    told, _ = packs("show", "regulator_caps")
    for rule in pack("regulator_caps")["rules"]:
        assert f"{rule['code']}  review, in shadow" in told
    assert json.loads(packs("show", "cash_out", "--json")[0]) == pack("cash_out")


def test_a_name_that_is_none_is_told_with_those_that_are(state: Path) -> None:
    _, told = packs("publish", "starter", "nothing", "--state", str(state), status=2)
    assert "There is no pack “nothing”" in told
    assert "bonus_hunting" in told


def test_packs_are_published_instead_of_the_rules_in_force_and_onto_them(state: Path) -> None:
    first = published(state, "starter", "bonus_hunting")
    assert (first["status"], first["rule_count"], first["failed_tests"]) == ("live", 12, [])
    assert first["thresholds"] == {"review": 60, "decline": None}
    both = published(state, "cash_out", "starter", "--onto-live", "--shadow")
    assert (both["status"], both["rule_count"]) == ("live", 17)
    alone = published(state, "regulator_caps")
    assert (alone["rule_count"], alone["thresholds"]) == (4, {"review": None, "decline": None})


def test_all_packs_fit_together_and_a_draft_leaves_the_rules_in_force(state: Path) -> None:
    live = published(state, "starter")
    told = packs("publish", "all", "--draft", "--state", str(state))[1]
    assert "48 rules is saved as a draft: mashang risk rules publish" in told
    again = packs("publish", "all", "--onto-live", "--state", str(state))[1]
    assert f"mashang risk rules roll-back {live['version']}" in again
