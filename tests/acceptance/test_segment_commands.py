"""`mashang segments …`, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
        [sys.executable, "-m", "gateway.cli", "segments", *arguments, "--state", str(state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment, "COLUMNS": "160"},
        check=False,
        timeout=120,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def file_of(folder: Path, *lines: str) -> str:
    file = folder / "customers.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def test_files_of_customers_are_put_in_and_taken_out_in_batches(state: Path, tmp_path: Path) -> None:
    everybody = [f"c-{number}" for number in range(2_500)]
    file = file_of(tmp_path, *everybody, "", "c-1")
    assert mashang(state, "add", "vip", file)[1].endswith("2,500 of 2,500 added to vip, which has 2,500 now.\n")
    assert "2500/2500" in mashang(state, "add", "vip", file)[1]
    some = file_of(tmp_path, "c-2499", "nobody")
    told = json.loads(mashang(state, "remove", "vip", some, "--json")[0])
    assert told == {"asked": 2, "removed": 1, "customers": 2_499}
    assert mashang(state, "find", "c-2499")[1] == "The customer is in no segment.\n"
    assert mashang(state, "find", "c-2498")[1] == "vip\n"
    assert mashang(state, "find", "c-2498", "--realm", "others")[1] == "The customer is in no segment.\n"
    assert "2,499" in mashang(state, "list")[0]
    assert mashang(state, "delete", "vip")[1].endswith("The segment vip is gone; 2,499 customers were in it.\n")
    assert mashang(state, "list")[1] == "There are no segments.\n"


def test_a_file_with_a_wrong_line_puts_nobody_in(state: Path, tmp_path: Path) -> None:
    assert "line 2 is no customer's id" in mashang(state, "add", "vip", file_of(tmp_path, "a", "b\x07"), status=2)[1]
    assert "has no customers" in mashang(state, "add", "vip", file_of(tmp_path, ""), status=2)[1]
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    assert "is no UTF-8" in mashang(state, "add", "vip", str(tmp_path / "latin"), status=2)[1]
    assert mashang(state, "list", "--json")[0] == "[]\n"


def test_what_the_gateway_refuses_is_told_in_its_words(state: Path, tmp_path: Path) -> None:
    file = file_of(tmp_path, "a")
    assert "not_found" in mashang(state, "remove", "nothing", file, status=2)[1]
    assert "invalid_field" in mashang(state, "add", "VIP", file, status=2)[1]
    assert "does not go with" in mashang(state, "add", "vip", file, "--realm", "r", "--merchant", "m", status=2)[1]
