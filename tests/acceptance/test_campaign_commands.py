"""`mashang campaign …`, as a campaign manager types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.kernel.ids import new_ulid
from promotions.examples import example, names
from tests.support.campaign_lives import document
from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


def run(*arguments: str, status: int = 0, given: str | None = None) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "campaign", *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**ENVIRONMENT, "COLUMNS": "220"},
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def campaign(state: Path, *arguments: str, status: int = 0, given: str | None = None) -> tuple[str, str]:
    """The same at the stack."""
    return run(*arguments, "--state", str(state), status=status, given=given)


def as_json(state: Path, *arguments: str, status: int = 0) -> Any:
    """What a command prints for scripts."""
    return json.loads(campaign(state, *arguments, "--json", status=status)[0])


def written(folder: Path, content: Any) -> str:
    """A file of it."""
    file = folder / f"{new_ulid()}.json"
    file.write_text(json.dumps(content), "utf-8")
    return str(file)


def test_a_campaign_is_set_up_started_funded_and_stopped(state: Path, tmp_path: Path) -> None:
    shown, said = campaign(state, "create", written(tmp_path, document()))
    campaign_id = said.split()[-1]
    for text in ("draft, version 1", "满20减5", "¥5.00 off ¥20.00", "bank 0.7, merchant 0.3", "¥10,000.00", "0%"):
        assert text in shown
    assert f"mashang campaign activate {campaign_id}" in said

    assert "is active" in campaign(state, "activate", campaign_id)[1]
    shown, said = campaign(state, "top-up", campaign_id, "¥5000", "--key", f"by-hand-{campaign_id}")
    assert "¥15,000.00" in shown
    assert f"¥5,000.00 (500000 fen) are in the budget, under the key by-hand-{campaign_id}." in said
    campaign(state, "top-up", campaign_id, "500000", "--key", f"by-hand-{campaign_id}")
    assert as_json(state, "show", campaign_id)["budget"]["total"] == 1_500_000
    _, said = campaign(state, "top-up", campaign_id, "1", "--key", f"by-hand-{campaign_id}", status=2)
    assert "idempotency_key_reused" in said

    for step, done in [("pause", "is paused"), ("resume", "is active again"), ("end", "has ended")]:
        assert done in campaign(state, step, campaign_id)[1]
    shown, _ = campaign(state, "show", campaign_id)
    assert "ended" in shown
    assert "returned" in shown
    _, said = campaign(state, "resume", campaign_id, status=2)
    assert "campaign_status" in said


def test_a_campaign_is_created_in_force_at_once(state: Path) -> None:
    text = json.dumps(document(name="at once"))
    shown, said = campaign(state, "create", "-", "--activate", given=text)
    assert "active, version 1" in shown
    assert "A draft" not in said


def test_a_campaign_is_edited_from_what_was_shown_or_field_by_field(state: Path, tmp_path: Path) -> None:
    made = as_json(state, "create", written(tmp_path, document(name="edited")), "--activate")
    shown = as_json(state, "show", made["id"])
    shown["name"] = "better"
    _, said = campaign(state, "edit", made["id"], written(tmp_path, shown))
    assert "Version 2 is in force." in said
    shown["name"] = "from the version before"
    assert "campaign_changed" in campaign(state, "edit", made["id"], written(tmp_path, shown), status=2)[1]
    assert "is of cam_" in campaign(state, "edit", f"cam_{new_ulid()}", written(tmp_path, shown), status=2)[1]

    sets = ["--set", "limits.per_customer.day=2", "--set", "name=best", "--set", "limits.budget_per_day=null"]
    changed = as_json(state, "edit", made["id"], *sets)
    assert (changed["version"], changed["name"]) == (3, "best")
    assert changed["limits"]["per_customer"]["day"] == 2
    assert changed["limits"]["per_customer"]["lifetime"] == 3, "what is not named stays"
    assert changed["limits"]["budget_per_day"] is None
    assert "campaign_running" in campaign(state, "edit", made["id"], "--set", "timezone=Europe/Berlin", status=2)[1]
    assert "FIELD=JSON" in campaign(state, "edit", made["id"], "--set", "name", status=2)[1]
    assert "name a file" in campaign(state, "edit", made["id"], status=2)[1]

    listed, _ = campaign(state, "versions", made["id"])
    for text in ("3 in force", "edited", "better", "best", "payment.wallet == 'wechat'"):
        assert text in listed
    assert [each["version"] for each in as_json(state, "versions", made["id"], "--limit", "2")] == [3, 2]


def test_campaigns_are_listed_with_their_budgets(state: Path, tmp_path: Path) -> None:
    tag = new_ulid()
    made = [as_json(state, "create", written(tmp_path, document(name=f"{tag} {n}"))) for n in range(3)]
    campaign(state, "activate", made[0]["id"])
    listed, _ = campaign(state, "list", "--name", tag)
    for each in made:
        assert each["id"] in listed
    assert "░" * 24 in listed
    found = as_json(state, "list", "--name", tag, "--status", "active")
    assert [each["id"] for each in found] == [made[0]["id"]]
    assert len(as_json(state, "list", "--name", tag, "--limit", "2")) == 2
    assert "no such campaigns" in campaign(state, "list", "--name", f"not {tag}")[1]
    assert "invalid_field" in campaign(state, "list", "--status", "running", status=2)[1]


def test_a_campaign_with_problems_is_told_all_of_them(state: Path, tmp_path: Path) -> None:
    wrong = document(condition="payment.hours > 3", funding=[{"sponsor": "bank", "share": "0.5"}])
    file = written(tmp_path, wrong)
    checked, _ = campaign(state, "check", file, status=1)
    for text in ("condition", "payment.hours", "payment.hour", "funding", "0.5"):
        assert text in checked
    assert as_json(state, "check", file, status=1)["valid"] is False
    assert "campaign_refused" in campaign(state, "create", file, status=2)[1]
    checked, said = campaign(state, "check", written(tmp_path, document()))
    assert "Nothing is wrong with it." in said
    assert "newest payments" in checked
    asking = document(condition="customer.first_payment")
    assert "what the customer did before" in campaign(state, "check", written(tmp_path, asking))[1]


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("{", "no JSON"), ("[]", "no campaign")])
def test_a_file_that_is_no_campaign_is_told_in_a_sentence(
    state: Path, tmp_path: Path, content: str | None, told: str
) -> None:
    file = tmp_path / "campaign.json"
    if content is not None:
        file.write_text(content, "utf-8")
    for command in ("check", "create"):
        assert told in campaign(state, command, str(file), status=2)[1]


def test_examples_are_printed_to_begin_from(state: Path) -> None:
    listed, said = run("examples")
    for name in names():
        assert name in listed
    assert "examples NAME > campaign.json" in said
    printed, _ = run("examples", "spend-and-save")
    assert json.loads(printed) == example("spend-and-save")
    shown, _ = campaign(state, "create", "-", given=printed)
    assert "¥15.00 off ¥300.00" in shown
    assert json.loads(run("examples", "--json")[0]).keys() == set(names())
    assert "there are bank-and-coffee" in run("examples", "nothing", status=2)[1]


@pytest.mark.parametrize("amount", ["5.00", "-5", "0", "¥5.001", "five", "", "5 dollars", "¥", "1e5"])
def test_an_amount_that_could_be_meant_otherwise_is_refused(state: Path, amount: str) -> None:
    _, said = campaign(state, "top-up", f"cam_{new_ulid()}", "--", amount, status=2)
    assert "amount" in said.lower()


@pytest.mark.parametrize(
    ("amount", "fen"), [("500", 500), ("500 fen", 500), ("¥5", 500), ("5.5yuan", 550), ("￥5.00", 500), ("5元", 500)]
)
def test_an_amount_is_fen_or_says_that_it_is_yuan(state: Path, tmp_path: Path, amount: str, fen: int) -> None:
    made = as_json(state, "create", written(tmp_path, document()))
    assert as_json(state, "top-up", made["id"], amount)["budget"]["total"] == 1_000_000 + fen


def test_a_top_up_without_an_answer_names_its_key(tmp_path: Path, stack: GatewayStack) -> None:
    state = write_ready_file(tmp_path, stack)
    file = state / "ready.json"
    file.write_text(file.read_text("utf-8").replace(stack.url, "http://127.0.0.1:9"), "utf-8")
    _, said = campaign(state, "top-up", f"cam_{new_ulid()}", "500", status=2)
    assert "gives no answer" in said
    assert "with: --key cli-" in said


def test_the_token_of_the_stack_here_goes_to_no_other_address(state: Path) -> None:
    _, said = campaign(state, "list", "--url", "http://127.0.0.1:9", status=2)
    assert "Which token does http://127.0.0.1:9 take? Set MASHANG_ADMIN_TOKEN." in said
