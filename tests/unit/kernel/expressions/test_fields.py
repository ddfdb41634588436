"""A schema is declared once, and documents itself."""

from __future__ import annotations

import pytest

from gateway.kernel.expressions import Field, Fields, FieldType, Function, Parameter
from gateway.kernel.expressions.fields import Call

AMOUNT = Field("payment.amount", FieldType.INT, "What is asked for, in fen.")
BIN = Field("payment.card_bin", FieldType.STRING, "Six digits.", nullable=True)
SEEN = Function("seen", (Parameter.one_of("key", "Of whom.", ["ip", "card"]),), FieldType.INT, "How often.")


def test_the_table_has_every_field_and_function() -> None:
    assert Fields(AMOUNT, BIN, functions=[SEEN]).table() == (
        "| field | type | may be null | meaning |\n"
        "|---|---|---|---|\n"
        "| `payment.amount` | int | no | What is asked for, in fen. |\n"
        "| `payment.card_bin` | string | yes | Six digits. |\n"
        "\n"
        "`seen(key)` → int, may be null: How often.\n"
        "\n"
        "| argument | meaning |\n"
        "|---|---|\n"
        "| `key` | Of whom. |\n"
    )


@pytest.mark.parametrize("name", ["amount", "payment.", "Payment.amount", "payment.amount!", "payment amount", ""])
def test_a_field_has_a_prefix_and_plain_letters(name: str) -> None:
    with pytest.raises(ValueError, match="named like"):
        Field(name, FieldType.INT, "No.")


def test_nothing_is_declared_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        Fields(AMOUNT, AMOUNT)
    with pytest.raises(ValueError, match="twice"):
        Fields(functions=[SEEN, SEEN])


@pytest.mark.parametrize("name", ["size", "matches", "known", "in", "true"])
def test_a_function_takes_no_name_of_the_language(name: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        Function(name, SEEN.parameters, FieldType.INT, "No.")


def test_a_call_is_named_as_it_is_written() -> None:
    assert Call("velocity", ("count", "it's")).name == "velocity('count', \"it's\")"
    assert Call("velocity", ("count", "ip")).name == "velocity('count', 'ip')"
