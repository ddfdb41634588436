"""The health check of a container: it finds the process that is there, and believes its answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest

from gateway.processes.health import addresses, is_ready
from gateway.processes.sockets import listen, port_of

ANSWERS: Final = {"/readyz": 200, "/not-ready": 503}


@contextmanager
def _server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(ANSWERS[self.path])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with _server() as url:
        yield url


@pytest.fixture
def nobody() -> str:
    """An address at which nobody listens."""
    with listen(0) as listener:
        port = port_of(listener)
    return f"http://127.0.0.1:{port}/readyz"


def test_a_process_that_says_200_is_ready(server: str) -> None:
    assert is_ready([f"{server}/readyz"])


def test_a_process_that_says_503_is_not(server: str, nobody: str) -> None:
    assert not is_ready([f"{server}/not-ready"])
    assert not is_ready([nobody, f"{server}/not-ready", f"{server}/readyz"])  # the first that answers is it


def test_where_nobody_listens_the_next_address_is_asked(server: str, nobody: str) -> None:
    assert is_ready([nobody, f"{server}/readyz"])
    assert not is_ready([nobody])


def test_a_process_that_keeps_silent_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.processes.health._TIMEOUT_S", 0.05)
    with listen(0) as silent:
        assert not is_ready([f"http://127.0.0.1:{port_of(silent)}/readyz"])


def test_a_worker_is_asked_at_its_own_port() -> None:
    assert "http://127.0.0.1:8001/readyz" in addresses({"MASHANG_WORKER_PORT": "8001"})
    assert [url for url in addresses({}) if url.endswith("/readyz")] == ["http://127.0.0.1:8000/readyz"]


def test_the_exit_status_says_it(server: str) -> None:
    def status(path: str) -> int:
        command = (sys.executable, "-m", "gateway.processes.health", f"{server}{path}")
        return subprocess.run(command, check=False).returncode

    assert status("/readyz") == 0
    assert status("/not-ready") == 1


def test_the_check_imports_little() -> None:
    command = (sys.executable, "-c", "import sys, gateway.processes.health; print(*sys.modules)")
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"httpx", "typer", "pydantic", "fastapi", "asyncpg", "urllib", "ssl", "asyncio"} & set(loaded)
