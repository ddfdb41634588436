"""Money: whole fen only, exact yuan strings, fees rounded half up."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.kernel.money import AMOUNT_FEN_MAX, Currency, Money, fen_of_yuan, share_half_up

fen = st.integers(-(2**63), 2**63)


@given(fen)
def test_yuan_strings_read_back_as_the_same_amount(amount_fen: int) -> None:
    assert fen_of_yuan(Money(amount_fen).yuan) == amount_fen


@given(fen)
def test_a_yuan_string_is_the_exact_decimal(amount_fen: int) -> None:
    assert Decimal(Money(amount_fen).yuan) == Decimal(amount_fen) / 100


@given(st.integers(0, AMOUNT_FEN_MAX), st.integers(0, 1_000_000))
def test_a_share_is_rounded_half_up_to_the_fen(amount_fen: int, rate_millionths: int) -> None:
    exact = Decimal(amount_fen) * Decimal(rate_millionths) / Decimal(1_000_000)
    assert share_half_up(amount_fen, rate_millionths) == exact.quantize(Decimal(1), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("amount_fen", "rate_millionths", "fee_fen"),
    [(2_599, 3_800, 10), (100, 5_000, 1), (99, 5_000, 0), (131, 3_800, 0), (132, 3_800, 1), (10_000, 3_800, 38)],
)
def test_shares_at_the_edge_of_half_a_fen(amount_fen: int, rate_millionths: int, fee_fen: int) -> None:
    assert share_half_up(amount_fen, rate_millionths) == fee_fen


@pytest.mark.parametrize(("amount_fen", "rate_millionths"), [(-1, 0), (0, -1), (-5, -5)])
def test_a_share_of_less_than_nothing_is_refused(amount_fen: int, rate_millionths: int) -> None:
    with pytest.raises(ValueError, match="at least zero"):
        share_half_up(amount_fen, rate_millionths)


@pytest.mark.parametrize("amount", [1.0, True, False, "1", Decimal(1), None, float("nan"), 1 + 0j])
def test_money_takes_nothing_but_whole_numbers(amount: Any) -> None:
    with pytest.raises(TypeError, match="whole number of fen"):
        Money(amount)


@pytest.mark.parametrize(
    "text",
    ["", ".", ".5", "1.234", "1,00", "1e2", " 1", "1 ", "+1", "--1", "1.-1", "1.2.3", "NaN", "Infinity", "0x10",
     "１.00", "1.２", "٣", "1_000", "-", "1.+1", "1.\n"],
)  # fmt: skip
def test_text_that_is_no_plain_amount_in_yuan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount in yuan"):
        fen_of_yuan(text)


@pytest.mark.parametrize(
    ("text", "amount_fen"), [("25", 2500), ("25.9", 2590), ("25.99", 2599), ("-0.01", -1), ("1.", 100)]
)
def test_shorter_forms_are_read_exactly(text: str, amount_fen: int) -> None:
    assert fen_of_yuan(text) == amount_fen


@example("10000000000000000000000000001")  # longer than the precision of Decimal's arithmetic
@given(st.text())
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    try:
        amount_fen = fen_of_yuan(text)
    except ValueError:
        return
    assert Fraction(Decimal(text)) * 100 == amount_fen


@given(fen, fen)
def test_adding_and_subtracting_are_those_of_the_fen(one: int, other: int) -> None:
    assert Money(one) + Money(other) == Money(one + other)
    assert Money(one) - Money(other) == Money(one - other)
    assert (Money(one) < Money(other), Money(one) <= Money(other)) == (one < other, one <= other)


def test_currencies_do_not_mix() -> None:
    other = Money(1)
    object.__setattr__(other, "currency", "USD")
    with pytest.raises(ValueError, match="do not mix"):
        Money(1) + other
    with pytest.raises(ValueError, match="do not mix"):
        Money(1) < other  # noqa: B015  comparing raises


def test_the_currency_is_chinese_unless_said_otherwise() -> None:
    assert Money(1).currency is Currency.CNY
