"""Which of a test's cases `make test` has, where all would take too long: the others are in `make test-long`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest


def cases(every: Iterable[Any], short: Collection[Any], name: Callable[[Any], str] = str) -> list[Any]:
    """The parameters of a test, by their names; those that are not among `short` are long.

    Raises AssertionError where a short one is none of them.
    """
    every = list(every)
    assert all(case in every for case in short), "a case that does not exist would be run nowhere"
    return [pytest.param(case, id=name(case), marks=() if case in short else pytest.mark.long) for case in every]


def fault_name(fault: Callable[..., Any]) -> str:
    """A fault is named like its function."""
    return fault.__name__.strip("_")
