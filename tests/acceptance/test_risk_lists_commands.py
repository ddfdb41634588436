"""`mashang risk lists …`, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
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


def mashang(state: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "risk", "lists", *arguments, "--state", str(state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment, "COLUMNS": "200"},
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def as_json(state: Path, *arguments: str) -> Any:
    return json.loads(mashang(state, *arguments, "--json")[0])


def test_a_value_is_put_on_a_list_found_shown_and_removed(state: Path) -> None:
    _, said = mashang(state, "add", "block", "customer", "customer-1", "customer-2", "--reason", "chargebacks")
    assert said == "2 added to block, 0 renewed.\n"
    shown, _ = mashang(state, "find", "customer", "customer-1")
    assert "chargebacks" in shown
    assert "customer-1" not in shown
    assert len(as_json(state, "show", "block", "--field", "customer")) == 2
    assert mashang(state, "remove", "block", "customer", "customer-1", "c-9")[1] == "1 of 2 removed from block.\n"
    assert mashang(state, "find", "customer", "customer-1")[1] == "It stands on no list.\n"
    assert "customer 1" in mashang(state, "show")[0]


def test_a_list_is_made_and_deleted(state: Path) -> None:
    mashang(state, "create", "grey", "--description", "Asks for refunds.")
    assert "Asks for refunds." in mashang(state, "show")[0]
    assert "list_exists" in mashang(state, "create", "grey", status=2)[1]
    mashang(state, "delete", "grey")
    assert "list_built_in" in mashang(state, "delete", "watch", status=2)[1]


def test_a_file_is_imported_and_replaces_what_was_there(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "ranges.csv"
    rows = [f"ip,203.0.{number // 250}.{number % 250},,botnet {number}" for number in range(700)]
    rows += [f"region,region {number},2027-01-01T00:00:00Z," for number in range(6_000)]
    file.write_text("field,value,expires_at,reason\n" + "\n".join(rows) + "\n", encoding="utf-8")
    mashang(state, "add", "watch", "region", "old", "--reason", "before")
    merged = as_json(state, "import", str(file), "--list", "watch")
    assert (merged["status"], merged["batches"], merged["added"], merged["mode"]) == ("done", 3, 6_700, "merge")
    assert [each["reason"] for each in as_json(state, "find", "ip", "203.0.2.4")] == ["botnet 504"]
    [region] = as_json(state, "find", "region", "region 5999")
    assert (region["reason"], region["expires_at"]) == ("ranges.csv", "2027-01-01T00:00:00.000Z")
    assert len(as_json(state, "find", "region", "old")) == 1
    _, said = mashang(state, "import", str(file), "--list", "watch", "--replace", "--reason", "the bank's list")
    assert "6,700 added to watch, 0 renewed" in said
    assert as_json(state, "find", "region", "old") == []


def test_the_same_command_goes_on_where_an_import_broke_off(state: Path, tmp_path: Path, stack: GatewayStack) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("value\n" + "".join(f"c-{number}\n" for number in range(12_000)), encoding="utf-8")
    command = ("import", str(file), "--list", "allow", "--field", "customer", "--replace")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    broken = subprocess.run(
        [sys.executable, "-c", _BREAKS_OFF, "risk", "lists", *command, "--state", str(state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
        timeout=60,
    )
    assert broken.returncode == 7, broken.stdout + broken.stderr
    shown, said = mashang(state, *command, "--json")
    done = json.loads(shown)
    assert "behind batch 2" in said
    assert (done["status"], done["batches"], done["added"]) == ("done", 3, 12_000)
    headers = {"Authorization": f"Bearer {stack.admin_token}"}
    found = httpx.get(f"{stack.url}/admin/v1/risk/lists/allow", headers=headers, trust_env=False).json()
    assert found["by_field"] == {"customer": 12_000}


_BREAKS_OFF = """
import os
from gateway.commandline.risk.lists import importing as module
call, sent = module.call_admin, []
def breaking(*arguments, **named):
    answer = call(*arguments, **named)
    if arguments[2].endswith("/batches"):
        sent.append(answer)
        if len(sent) == 2:
            os._exit(7)
    return answer
module.call_admin = breaking
from gateway.cli import main
main()
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("value\nc-1\n", "line 2: what is listed?"),
        ("field,value\nip,203.0.113.7\nip,203.0.113.300\n", "line 3: ip takes an address"),
        ("field,value,expires_at\nip,203.0.113.7,\nip,203.0.113.8,2026-13-01\n", "line 3: 2026-13-01 is no time"),
        ("field,value,expires_at\nip,203.0.113.7,2027-01-01T00:00:00\n", "line 2: 2027-01-01T00:00:00 is no time"),
        ("field,worth\nip,203.0.113.7\n", "begins with a line of column names"),
        ("field,value\n", "has no entries"),
    ],
)
async def test_a_file_with_a_wrong_line_is_refused_before_anything_is_sent(
    state: Path, tmp_path: Path, text: str, said: str, database: asyncpg.Connection
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text, encoding="utf-8")
    before = await database.fetchval("SELECT count(*) FROM risk_list_imports")
    assert said in mashang(state, "import", str(file), status=2)[1]
    assert await database.fetchval("SELECT count(*) FROM risk_list_imports") == before
