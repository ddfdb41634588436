"""`mashang migrate --status`, `--dry-run` and `--wait`, and who is refused by a schema, as an operator sees it."""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from gateway.commandline.operations import migrate as command
from gateway.database.migrate import migrations
from gateway.processes.errors import StackError
from tests.support.servers import TestServers

LAST = migrations()[-1]


@pytest.fixture(scope="module")
def empty_url(servers: TestServers) -> Iterator[str]:
    """A database with nothing in it."""
    url = servers.create_database()
    yield url
    servers.drop_database(url)


def test_the_status_of_an_empty_database_names_what_has_to_run(
    empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not command.status(empty_url)
    shown = capsys.readouterr().out
    assert f"to run:   {LAST.name} (in one transaction)" in shown
    assert "run `mashang migrate` first" in shown


def test_the_status_of_a_migrated_database_says_that_nothing_is_to_be_done(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.status(database_url)
    assert "The schema is up to date." in capsys.readouterr().out


def test_a_dry_run_shows_the_statements_and_runs_none(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    command.dry_run(empty_url)
    shown = capsys.readouterr().out
    assert "    create table payments (" in shown
    assert f"{LAST.number} to run." in shown
    assert not command.wait(empty_url, 0)


def test_whoever_waits_goes_on_at_once_where_the_schema_is_there(database_url: str) -> None:
    assert command.wait(database_url, 0)


def test_whoever_waits_at_a_database_that_is_not_there_says_so(database_url: str) -> None:
    with pytest.raises(StackError, match='database "nowhere" does not exist'):
        command.wait(database_url.replace(urlsplit(database_url).path, "/nowhere"), 0)


def test_a_process_that_does_not_fit_says_what_to_do(empty_url: str, database_url: str) -> None:
    command.require_schema(database_url)
    with pytest.raises(StackError, match=r"has schema 0000, this code needs .*: run `mashang migrate` first"):
        command.require_schema(empty_url)


@pytest.mark.parametrize("options", [("--wait", "60"), ()], ids=["waiting", "migrating"])
def test_sigterm_ends_it_at_once_also_where_it_is_a_containers_first_process(options: tuple[str, ...]) -> None:
    """There the signal has no effect unless it is taken, which the exit status shows everywhere: no death by it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        secret = {
            "MASHANG_DATABASE_URL": f"postgresql://mashang@127.0.0.1:{port}/mashang",
            "MASHANG_REDIS_URL": f"redis://127.0.0.1:{port}/0",
            "MASHANG_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "MASHANG_ADMIN_TOKEN": secrets.token_hex(24),
        }
        command = [sys.executable, "-m", "gateway.cli", "migrate", *options]
        with subprocess.Popen(command, env={**os.environ, **secret}, stderr=subprocess.PIPE) as running:
            silent.settimeout(30)
            with silent.accept()[0]:  # it asks, and waits for an answer
                running.terminate()
                assert running.wait(timeout=10) == 143
