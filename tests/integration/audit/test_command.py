"""`mashang audit` as a script sees it: against a real stack, where the books are found, and its exit statuses."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import orjson
import pytest

from gateway.audit import command
from gateway.audit.checks import Check
from gateway.audit.command import find_places
from gateway.audit.findings import CannotAudit
from gateway.audit.run import AuditOptions
from gateway.devstack.ready import Processes, ReadyFile
from gateway.devstack.secrets import MerchantSecrets
from gateway.processes.errors import StackError
from tests.support.book import ClientBook
from tests.support.channels import CHANNELS, Simulators, start_simulators
from tests.support.gateway import start_gateway
from tests.support.till import Till, new_order, payment_of

AGREES, DISAGREES, COULD_NOT_AUDIT = 0, 1, 2


async def run(database_url: str, simulators: Simulators, *options: str) -> tuple[int, str, str]:
    """The command's exit status, output and errors."""
    named = [part for name, url in simulators.base_urls.items() for part in ("--simulator", f"{name}={url}")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "audit", *named, *options,
        env=os.environ | {"MASHANG_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def take_payments(till: Till, book: ClientBook) -> None:
    """Ordinary ones, a declined one, one whose answer never comes, a repeat, a conflict and a cancel on each wallet."""
    for wallet in CHANNELS:
        for magic in (None, "9001", "9005"):
            order = new_order(wallet, magic)
            answer = await till.pay(order)
            book.write(order, answer)
            await till.settled(payment_of(answer, 201)["id"])
        order = new_order(wallet)
        for sent in (order, order, order | {"amount": 1}):
            answer = await till.pay(sent)
            book.write(sent, answer)
        assert answer.status_code == 409
        [cancelled] = (await till.list(merchant_order_no=order["merchant_order_no"])).json()["data"]
        await till.cancel(cancelled["id"])
        await till.settled(cancelled["id"], {"reversed"})


@pytest.mark.slow
async def test_a_real_stack_agrees_until_one_fen_is_changed_and_cannot_be_audited_without_a_simulator(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    book = ClientBook(tmp_path / "client.jsonl")
    with (
        start_simulators(tmp_path / "simulators", tmp_path / "keys") as simulators,
        start_gateway(tmp_path / "stack", database_url, redis_url, simulators) as stack,
    ):
        async with stack.till() as till:
            await take_payments(till, book)
        book.close()
        log = ("--client-log", str(book.path))
        status, output, errors = await run(database_url, simulators, "--json", "--wait", "20", *log)
        assert status == AGREES, output + errors
        report = orjson.loads(output)
        assert report["payments"] == {"count": 12, "by_status": {"failed": 3, "reversed": 3, "succeeded": 6}}
        assert report["client_log"]["http_statuses"] == {"201": 15, "409": 3}
        assert report["simulators"]["refunds"] == 3
        assert report["quiet"]

        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "UPDATE transfers SET amount = amount + 1 WHERE kind = 'capture' AND payment_id ="
            " (SELECT id FROM payments WHERE status = 'succeeded' ORDER BY id LIMIT 1)"
        )
        await connection.close()
        status, output, errors = await run(database_url, simulators, *log)
        assert status == DISAGREES, output + errors
        for check in (Check.POSTINGS, Check.DAYS, Check.TOTALS):
            assert f"✗ {check}" in output
        assert "The books disagree" in output
        assert "in 3 places" in output

        status, output, errors = await run(database_url, simulators, "--simulator", "alipay=http://127.0.0.1:1")
        assert status == COULD_NOT_AUDIT, output + errors
        assert "the alipay simulator at http://127.0.0.1:1 cannot be read" in errors
        assert output == ""


def test_a_crash_of_the_audit_is_not_taken_for_a_mismatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(command, "find_places", crash)
    assert command.run_audit(command.Asked(tmp_path), AuditOptions(), json=True) == COULD_NOT_AUDIT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "KeyError" in captured.err


def ready_file(state: Path) -> None:
    """What a stack that runs on `state` writes."""
    state.mkdir()
    ReadyFile(
        gateway="http://127.0.0.1:8000",
        admin_token="t",
        merchant=MerchantSecrets(id="m", api_key="k", key_id="i", signing_secret="s", webhook_secret="w"),
        simulators={name: {"base_url": f"http://{name}"} for name in CHANNELS},
        database_url="postgresql:///of-the-stack",
        redis_url="redis://",
        processes=Processes(gateway=[], worker=[], postgres=None, valkey=None, simulators=[]),
    ).write(state / "ready.json")


def test_the_books_are_found_by_the_state_or_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    ready_file(state)
    monkeypatch.setenv("MASHANG_DATABASE_URL", "postgresql:///of-the-environment")
    places = find_places(state, ["alipay=http://elsewhere"])
    assert places.database_url == "postgresql:///of-the-stack"
    assert places.simulators == {
        "wechat": "http://wechat",
        "alipay": "http://elsewhere",
        "unionpay": "http://unionpay",
    }
    places = find_places(None, ["wechat=http://one"])
    assert places.database_url == "postgresql:///of-the-environment"
    assert places.simulators == {"wechat": "http://one"}
    with pytest.raises(CannotAudit, match="NAME=URL"):
        find_places(None, ["http://one"])
    with pytest.raises(StackError, match="No stack runs here"):
        find_places(tmp_path / "empty", [])
