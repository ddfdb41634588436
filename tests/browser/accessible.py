"""Looks at a page as somebody does who sees little, hears it read, or has no pointer (accessible.js)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

_CHECKS: Final = Path(__file__).with_name("accessible.js").read_text(encoding="utf-8")


def assert_accessible(page: Page) -> None:
    """Nothing is missing: names, order, sizes, contrast, headings, what is chosen, what is announced."""
    lacks: list[str] = page.evaluate(_CHECKS)
    assert lacks == [], "; ".join(lacks)
