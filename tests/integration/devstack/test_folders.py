"""Private folders, short socket paths, and the lock on a state."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import asyncpg
import pytest

from gateway.devstack.folders import StateLock, private_folder, socket_folder
from gateway.processes.errors import StackError
from tests.support.servers import start_servers


async def test_servers_start_in_a_state_too_deep_for_a_socket_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = tmp_path / ("deep" * 25) / "and 码 ? deeper"
    with start_servers(deep) as servers:
        [sockets] = runtime.iterdir()
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        connection = await asyncpg.connect(servers.admin_url)
        assert await connection.fetchval("SHOW unix_socket_directories") == str(sockets / "postgres")
        await connection.close()
        servers.empty_redis()
    shutil.rmtree(runtime)


def test_a_socket_folder_is_private_and_the_same_each_time(request: pytest.FixtureRequest) -> None:
    state = Path(tempfile.mkdtemp())  # pytest's own folders can be too long for a socket
    request.addfinalizer(lambda: shutil.rmtree(state))
    first = socket_folder(state)
    assert first == state / "run"
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    first.chmod(0o777)
    assert stat.S_IMODE(socket_folder(state).stat().st_mode) == 0o700


def test_a_link_in_place_of_a_private_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StackError, match="not a folder of ours"):
        private_folder(tmp_path / "planted")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_runtime_folder_that_another_user_planted_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    state = tmp_path / "with a comma, which cannot be"
    planted = socket_folder(state)
    assert planted.parent == runtime
    os.chown(planted, 54321, 54321)
    with pytest.raises(StackError, match="belongs to another user"):
        socket_folder(state)
    shutil.rmtree(runtime)


def test_a_state_has_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path), StateLock(tmp_path)
    first.acquire()
    with pytest.raises(StackError, match=f"already running on .* \\(process {os.getpid()}\\)"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
