"""`mashang risk rules …`, as an analyst types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file
from tests.support.rule_sets import FAST, rule

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
DOCUMENT = {
    "note": "the first",
    "thresholds": {"review": 40, "decline": 80},
    "rules": [
        FAST | {"tests": [{"given": {"payment.amount": 10}, "hits": False, "verdict": "approve"}]},
        rule("R_NIGHT", "payment.hour < 6", "score", score=30, rollout=10, merchants=["mer_1"]),
    ],
}


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


def rules(state: Path, *arguments: str, status: int = 0, given: Any = None) -> tuple[str, str]:
    """What a command prints, and what it says beside; `given` stands on its input."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "risk", "rules", *arguments, "--state", str(state)],
        input=None if given is None else json.dumps(given),
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


def as_json(state: Path, *arguments: str, given: Any = None) -> Any:
    """What a command prints for scripts."""
    return json.loads(rules(state, *arguments, "--json", given=given)[0])


def test_a_rule_set_is_checked_saved_published_and_shown(state: Path) -> None:
    assert "Nothing is wrong with it: 2 rules, 1 tests." in rules(state, "check", "-", given=DOCUMENT)[1]
    _, said = rules(state, "create", "-", "--note", "cards are tested", given=DOCUMENT)
    version = as_json(state, "versions", "--limit", "1")[0]["version"]
    assert f"Version {version} is saved, a draft of 2 rules." in said
    assert f"mashang risk rules diff {version}" in said
    assert f"Version {version} of the risk rules is in force, with 2 rules." in rules(state, "publish", str(version))[1]
    shown, _ = rules(state, "show")
    for part in (f"Version {version}, live", "cards are tested", "review from a score of 40", "R_FAST", FAST["when"]):
        assert part in shown
    assert "score, score 30, to 10 %, mer_1" in shown
    listed, _ = rules(state, "versions")
    assert "cards are tested" in listed


def test_what_is_shown_can_be_edited_and_what_it_changes_is_told(state: Path) -> None:
    before = as_json(state, "create", "-", given=DOCUMENT)["version"]
    edited = as_json(state, "show", str(before))
    edited["rules"][0]["mode"] = "shadow"
    edited["note"] = "[only] counted"
    del edited["rules"][1]
    edited["rules"].append(rule("R_NEW"))
    after = as_json(state, "create", "-", given=edited)["version"]
    told, _ = rules(state, "diff", str(before), str(after))
    for line in (
        f"Version {after} against {before}: 1 added, 1 removed, 1 changed",
        "note: “the first” → “[only] counted”",
        "~ R_FAST",
        "    mode: “live” → “shadow”",
        "+ R_NEW: payment.amount > 50000 → review",
        "- R_NIGHT: payment.hour < 6 → score, score 30, to 10 %, mer_1",
    ):
        assert line in told
    assert as_json(state, "diff", str(after))["version"] == after


def test_a_version_is_put_in_force_again_and_a_race_is_told(state: Path) -> None:
    first, second = (as_json(state, "create", "-", given=DOCUMENT)["version"] for _ in range(2))
    rules(state, "publish", str(first))
    rules(state, "publish", str(second), "--base", str(first))
    assert f"Version {first} of the risk rules is in force" in rules(state, "roll-back", str(first))[1]
    third = as_json(state, "create", "-", given=DOCUMENT)["version"]
    assert "rule_set_changed" in rules(state, "publish", str(third), "--base", str(second), status=2)[1]


def test_one_rule_is_changed_without_sending_the_others(state: Path) -> None:
    before = as_json(state, "create", "-", given=DOCUMENT)["version"]
    rules(state, "publish", str(before))
    after = as_json(state, "change", "R_FAST", "--mode", "shadow", "--rollout", "5")
    assert after["note"] == f"R_FAST of version {before}: mode shadow, rollout 5"
    [changed] = as_json(state, "diff", str(after["version"]))["rules"]
    assert changed["fields"] == {"mode": {"before": "live", "after": "shadow"}, "rollout": {"before": 100, "after": 5}}
    assert "has no rule R_NONE" in rules(state, "change", "R_NONE", "--score", "5", status=2)[1]
    assert "rule_set_refused" in rules(state, "change", "R_FAST", "--mode", "off", status=2)[1]
    assert "--rollout" in rules(state, "change", "R_FAST", status=2)[1]


def test_what_is_wrong_and_what_fails_is_a_table(state: Path) -> None:
    wrong = {"rules": [rule("R_A", "payment.amout > 1"), rule("R_A")]}
    printed, _ = rules(state, "check", "-", status=1, given=wrong)
    for part in ("rules.0.when:1:1", "did you mean payment.amount?", "rules.1.code", "rules.0 has this code already"):
        assert part in printed
    _, said = rules(state, "create", "-", status=2, given=wrong)
    assert "rule_set_refused" in said
    assert said.count("did you mean payment.amount?") == said.count("rules.1.code") == 1
    failing = {"rules": [rule("R_A") | {"tests": [{"given": {"payment.amount": 1}, "hits": True}]}]}
    assert "R_A does not hit, and should" in rules(state, "check", "-", status=1, given=failing)[0]
    printed, said = rules(state, "create", "-", given=failing)
    assert "rules.0.tests.0.hits" in printed
    assert "It cannot be published" in said
    assert "1 (1 fail)" in rules(state, "versions", "--limit", "1")[0]


def test_a_file_that_is_none_is_told_in_a_sentence(state: Path, tmp_path: Path) -> None:
    assert "cannot be read" in rules(state, "check", str(tmp_path / "nothing.json"), status=2)[1]
    for content in ("{", "[]"):
        (tmp_path / "rules.json").write_text(content)
        assert "rules.json is no" in rules(state, "check", str(tmp_path / "rules.json"), status=2)[1]
