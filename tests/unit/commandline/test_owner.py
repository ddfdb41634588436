"""Whose customers a command is about: named by a merchant or a realm, never by both."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.commandline.admin import AdminTarget
from gateway.commandline.owner import Owner
from gateway.commandline.risk.lists.calls import owner_of
from gateway.processes.errors import StackError

TARGET = AdminTarget("http://127.0.0.1:9", Path("nowhere"))


def test_a_merchant_or_a_realm_is_told_as_it_was_named() -> None:
    assert Owner("mer_1", None).of(TARGET) == {"merchant_id": "mer_1"}
    assert Owner(None, "chain").of(TARGET) == {"realm": "chain"}


def test_both_are_refused_on_lists_too() -> None:
    with pytest.raises(StackError, match="--realm does not go with --merchant"):
        owner_of(Owner("mer_1", "chain"), TARGET, "customer")


def test_a_value_that_is_nobodys_needs_no_owner() -> None:
    assert owner_of(Owner("mer_1", "chain"), TARGET, "ip") == {}
