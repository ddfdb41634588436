"""Which gateway an operator's command talks to, and with which token."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.commandline.admin import AdminTarget, call_admin, is_for_operators
from gateway.devstack.options import DEFAULT_STATE, ready_file_of
from gateway.processes.errors import StackError

_NOBODY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without a stack, as on a host or in a pod."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MASHANG_ADMIN_TOKEN", raising=False)
    monkeypatch.setattr("gateway.commandline.admin._HERE", _NOBODY)


def _state() -> Path:
    return DEFAULT_STATE.absolute()


def _told(target: AdminTarget) -> str:
    with pytest.raises(StackError) as refused:
        call_admin(target, "GET", "/admin/v1/merchants")
    return str(refused.value)


def test_with_a_token_and_no_stack_the_gateway_of_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASHANG_ADMIN_TOKEN", "t" * 24)
    assert f"The gateway at {_NOBODY} gives no answer" in _told(AdminTarget(None, _state()))
    assert is_for_operators(None, _state())


def test_without_a_token_there_has_to_be_a_stack() -> None:
    assert "No stack runs here" in _told(AdminTarget(None, _state()))
    assert not is_for_operators(_NOBODY, _state())


def test_a_folder_that_is_named_has_to_have_its_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MASHANG_ADMIN_TOKEN", "t" * 24)
    assert "No stack runs here" in _told(AdminTarget(None, tmp_path / "other"))


def test_a_stack_that_runs_here_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASHANG_ADMIN_TOKEN", "t" * 24)
    ready_file_of(_state()).parent.mkdir()
    ready_file_of(_state()).write_text("{}")
    assert "is not a ready file" in _told(AdminTarget(None, _state()))
    assert not is_for_operators(None, _state())
