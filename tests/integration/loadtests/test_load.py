"""`make load` from end to end: a stack, Locust in processes of its own, a report, the audit, the status."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
BY_BAR_CODE = {"wechat bar code", "alipay bar code", "unionpay bar code"}
BY_CODE = {"wechat code", "alipay code", "unionpay code"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def load(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Started in a folder for its report, and with what it prints in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "loadtests.load", "--report", str(folder), *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def report_in(folder: Path) -> dict[str, Any]:
    [path] = folder.glob("load-*.json")
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def test_ten_seconds_of_everything_that_tills_do_end_in_a_clean_audit(tmp_path: Path) -> None:
    book = tmp_path / "book.jsonl"
    running = load(
        tmp_path, "--level", "25", "--seconds", "10", "--shops", "5", "--think-s", "0.05", "--displayed", "40",
        "--processes", "2", "--client-log", str(book),
    )  # fmt: skip
    output = running.communicate(timeout=280)[0]
    assert running.returncode == 0, output
    report = report_in(tmp_path)
    assert report["passed"]
    assert report["audit"]["passed"]
    assert report["errors"] == 0, report["errors_by_text"]
    assert report["payments"] > 30
    assert set(report["mix"]) == BY_BAR_CODE | BY_CODE
    assert {"pay by bar code", "show a code", "customer scans", "poll"} <= set(report["answers_ms"])
    assert {"gateway", "worker", "PostgreSQL", "Valkey", "simulators", "Locust"} <= set(report["cpu_us_per_payment"])
    # Both processes' books, with several merchants in them
    assert report["book"]["files"] == 2
    lines = [json.loads(line) for line in book.read_bytes().splitlines()]
    assert len(lines) == report["book"]["lines"]
    assert len({line["merchant"] for line in lines}) == 5
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert "payments/s" in output
    assert "Audit: clean." in output
    assert list(tmp_path.glob("load-*.html"))


@pytest.mark.long
def test_a_gateway_that_is_killed_ends_the_run_with_status_1_and_a_clean_audit(tmp_path: Path) -> None:
    """Answers are missing, which are errors; but the gateway comes back, tills ask again, and nothing is lost."""
    ready_file, output = tmp_path / "state" / "ready.json", tmp_path / "dev.log"
    with output.open("wb") as log:
        stack = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "dev", "--port", "0", "--state", str(ready_file.parent),
             "--ready-file", str(ready_file), "--no-demo"],
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        asyncio.run(until(lambda: ready_file.exists() or stack.poll() is not None, 90))
        running = load(tmp_path, "--ready-file", str(ready_file), "--level", "5", "--seconds", "12", "--shops", "2")
        assert running.stdout is not None
        for line in running.stdout:
            if " payments/s" in line and " 0.0 payments/s" not in line:
                break
        ready = json.loads(ready_file.read_bytes())
        for simulator in ready["simulators"].values():  # so slow that payments are under way at whatever moment
            faults = {"latency_ms": {"min": 3_000, "max": 3_000}}
            httpx.put(f"{simulator['base_url']}/_simulator/faults", json=faults, trust_env=False).raise_for_status()
        for line in running.stdout:
            if (open_now := re.search(r" open (\d+) ", line)) and int(open_now[1]) >= 2:
                break
        for pid in ready["processes"]["gateway"]:
            os.kill(pid, signal.SIGKILL)
        said = running.communicate(timeout=280)[0]
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(100)
    report = report_in(tmp_path)
    assert running.returncode == 1, said
    assert not report["passed"]
    assert any("no answer" in text for text in report["errors_by_text"]), report["errors_by_text"]
    assert report["audit"]["passed"], report["audit"]["output"]
    assert "Failed: " in said
