"""Values: equal by what they hold, fit for sets and dictionaries, without room for anything else."""

from __future__ import annotations

import pytest

from gateway.kernel.clock import Deadline
from gateway.kernel.money import Money


def test_two_values_with_the_same_fields_are_the_same_key() -> None:
    assert {Money(5): "five"}[Money(5)] == "five"
    assert Money(5) != Money(6)
    assert Money(1) != Deadline(1)


def test_a_value_takes_no_field_that_its_class_does_not_name() -> None:
    with pytest.raises(AttributeError):
        Money(5).note = "x"  # type: ignore[attr-defined]
