"""The cashier's colours can be told apart by weak eyes: contrast as WCAG 2 computes it, in light and in dark."""

from __future__ import annotations

import re

import pytest

from gateway.codes.pages import asset

TEXT_MIN, SIGN_MIN = 4.5, 3.0
WALLETS = ("wechat", "alipay", "unionpay")


def colours(*, dark: bool, wallet: str) -> dict[str, str]:
    """The colours in force, by name."""
    light_rules, _, dark_rules = asset("cashier.css").partition("@media (prefers-color-scheme: dark) {")
    found: dict[str, str] = {}
    for rules in (light_rules, dark_rules.split("} }")[0]) if dark else (light_rules,):
        for selector in (":root", f".{wallet}"):
            for block in re.findall(rf"{re.escape(selector)} {{(.*?)(?:}}|$)", rules, re.DOTALL):
                found |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block))
    return found


def contrast(first: str, second: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("wallet", WALLETS)
def test_texts_stand_out_from_what_they_stand_on(wallet: str, *, dark: bool) -> None:
    found = colours(dark=dark, wallet=wallet)
    for text, ground in (
        ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("bad", "paper"), ("on-brand", "brand"),
    ):  # fmt: skip
        assert contrast(found[text], found[ground]) >= TEXT_MIN, (text, ground)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("wallet", WALLETS)
def test_signs_buttons_and_the_mark_of_what_is_chosen_stand_out(wallet: str, *, dark: bool) -> None:
    found = colours(dark=dark, wallet=wallet)
    for sign, ground in (
        ("brand", "paper"), ("brand", "card"), ("good", "card"), ("wait", "card"), ("soft", "card"), ("ink", "paper"),
    ):  # fmt: skip
        assert contrast(found[sign], found[ground]) >= SIGN_MIN, (sign, ground)


def test_each_wallet_has_a_colour_of_its_own_in_both() -> None:
    for dark in (False, True):
        assert len({colours(dark=dark, wallet=wallet)["brand"] for wallet in WALLETS}) == len(WALLETS)
    assert contrast("#000", "#ffffff") == pytest.approx(21)
