"""How campaigns look in a terminal: nothing that is needed is cut off, and bars say what the amounts say."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from gateway.commandline.campaigns.tables import bar_of, benefit_of, campaigns_table, money
from promotions.examples import example, names

ID = "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"


def budget(spent: int, held: int, total: int | None) -> dict[str, Any]:
    left = None if total is None else total - spent - held
    return {"spent": spent, "held": held, "left": left, "total": total}


@pytest.mark.parametrize("width", [80, 100, 139, 140, 220])
@pytest.mark.parametrize("name", ["满20减5", "双" * 40])
def test_the_id_the_status_and_what_is_left_fit_every_terminal(width: int, name: str) -> None:
    campaign = {**example("spend-and-save"), "name": name, "id": ID, "status": "active"}
    console = Console(width=width, file=io.StringIO())
    console.print(campaigns_table([campaign | {"budget": budget(10**9, 1_000, 10**12)}], width), markup=False)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for text in (ID, "active", "¥9,989,999,990.00"):
        assert text in printed
    assert max(map(len, printed.splitlines())) <= width


@pytest.mark.parametrize(
    ("given", "bar"),
    [
        (budget(0, 0, 100), "░" * 10 + " 0%"),
        (budget(50, 20, 100), "█████▓▓░░░ 70%"),
        (budget(100, 0, 100), "█" * 10 + " 100%"),
        (budget(5, 0, None), "no budget"),
    ],
)
def test_a_bar_shows_what_is_spent_held_and_left(given: dict[str, Any], bar: str) -> None:
    assert bar_of(given, 10).plain == bar


def test_every_benefit_is_told_in_words() -> None:
    told = {name: benefit_of(example(name)) for name in names()}
    assert told["spend-and-save"] == "¥1.00 off ¥5.00, ¥5.00 off ¥20.00, ¥15.00 off ¥300.00"
    assert told["co-funded"] == "12.5 % off, at most ¥20.00 from ¥30.00 on"
    assert told["one-yuan-coffee"] == "costs ¥1.00 from ¥9.00 on"
    assert told["spend-and-get-coupons"] == "2 × coupon from ¥100.00 on"
    assert all(told.values())


@pytest.mark.parametrize(("fen", "text"), [(0, "¥0.00"), (5, "¥0.05"), (1_000_000, "¥10,000.00"), (-123, "-¥1.23")])
def test_money_is_written_in_yuan(fen: int, text: str) -> None:
    assert money(fen) == text
