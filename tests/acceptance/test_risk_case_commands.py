"""`mashang risk cases …`, as an analyst types it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.kernel.ids import new_id
from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file
from tests.support.till import new_order

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


@pytest.fixture
def payment_id(stack: GatewayStack) -> str:
    """A payment of a customer."""
    headers = {"Authorization": f"Bearer {stack.shop.key.secret}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False) as till:
        found: dict[str, Any] = till.post("/v1/payments", json=new_order(customer={"id": "customer-0042"})).json()
    assert found["status"] == "succeeded"
    return str(found["id"])


def mashang(state: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "risk", "cases", *arguments, "--state", str(state)],
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


def test_a_case_goes_from_a_complaint_to_a_verdict_and_back(state: Path, payment_id: str, tmp_path: Path) -> None:
    taken = as_json(
        state, "complain", payment_id, "It was not me [bold].", "--reason", "not_authorised", "--channel", "wechat",
        "--number", payment_id[-12:], "--by", "hotline", "--evidence", "bill=https://files.example/1.png",
    )  # fmt: skip
    case_id = taken["case_id"]
    assert case_id in {case["id"] for case in as_json(state, "list", "--kind", "complaint", "--unclaimed")}
    assert "is with li.wei until" in mashang(state, "claim", case_id, "--by", "li.wei")[1]
    assert "case_claimed" in mashang(state, "claim", case_id, "--by", "zhang.min", status=2)[1]
    mashang(state, "claim", case_id, "--by", "zhang.min", "--take-over-from", "li.wei")
    mashang(state, "note", case_id, "called [red]twice", "--by", "zhang.min")
    shown, _ = mashang(state, "show", case_id)
    for word in ("It was not me [bold].", "called [red]twice", "bill: https://files.example/1.png", payment_id):
        assert word in shown
    assert "customer-0042" not in shown
    _, said = mashang(
        state, "verdict", case_id, "fraud", "--by", "zhang.min", "--note", "confirmed", "--block", "customer",
        "--days", "30",
    )  # fmt: skip
    assert "is decided as fraud by zhang.min" in said
    assert case_id in mashang(state, "list", "--status", "decided")[0]
    assert "waits" in mashang(state, "reopen", case_id, "the bank called", "--by", "li.wei")[1]
    for arguments in (("list",), ("show", case_id)):
        page = tmp_path / f"{arguments[0]}.html"
        mashang(state, *arguments, "--html", str(page))
        assert case_id in page.read_text()


def test_labels_are_imported_from_a_file_and_again_without_being_added_twice(
    state: Path, payment_id: str, tmp_path: Path
) -> None:
    nobody, file = new_id("pay"), tmp_path / "labels.csv"
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["payment_id", "fraud", "note", "known_at"])
        rows.writerow([payment_id, "1", "10.4, “fraud”", ""])
        rows.writerow([nobody, "0", "", ""])
    out, said = mashang(state, "import-labels", str(file), "--by", "disputes", status=1)
    assert "1 added, 0 stood already, 1 refused." in said
    assert nobody in out
    again = json.loads(mashang(state, "import-labels", str(file), "--by", "disputes", "--json", status=1)[0])
    assert (again["unchanged"], again["refused"]) == (
        1, [{"line": 3, "payment_id": nobody, "result": "no_payment"}],
    )  # fmt: skip
    labelled = as_json(state, "label", payment_id, "good", "--source", "merchant", "--by", "li.wei")
    assert (labelled["fraud"], labelled["source"]) == (False, "merchant")
    [known] = [label for label in _labels(state, payment_id) if label["fraud"]]
    assert known["note"] == "10.4, “fraud”"


def _labels(state: Path, payment_id: str) -> list[dict[str, Any]]:
    case = as_json(
        state, "complain", payment_id, "x", "--reason", "other", "--channel", "phone", "--number", payment_id,
        "--by", "x",
    )  # fmt: skip
    found: list[dict[str, Any]] = as_json(state, "show", case["case_id"])["labels"]
    return found


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("payment,fraud\nx,1\n", "column names"),
        ("payment_id,fraud\npay_1,perhaps\n", "line 2"),
        ("payment_id,fraud\npay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB,1\n,0\n", "line 3"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole_by_its_line(
    state: Path, tmp_path: Path, content: str, told: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(content)
    assert told in mashang(state, "import-labels", str(file), "--by", "disputes", status=2)[1]
