"""Pages that people read, on a phone: nothing runs off it sideways, and dark is dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.admin.risk.page_parts import STYLE, table
from gateway.http.errors_page import page as errors_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
SEEN = table(
    ("what was seen", "value"),
    [
        (
            "<span class=\"id\">velocity('sum_amount', 'customer+code_type', '1d')</span>",
            "mer_01M82HZ6D5SE0QGH1QCRBQXCEA",
        )
    ],
    numbers=frozenset({1}),
)


def test_the_errors_fit_a_phone_and_are_dark_where_it_is(browser: Browser) -> None:
    page = browser.new_page(viewport=PHONE, color_scheme="dark")
    try:
        page.set_content(errors_page())
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    finally:
        page.close()


def test_what_a_rule_saw_is_read_without_scrolling_sideways(browser: Browser) -> None:
    page = browser.new_page(viewport=PHONE)
    try:
        page.set_content(f"<!doctype html><style>{STYLE}</style>{SEEN}")
        assert page.evaluate("(w => w.scrollWidth - w.clientWidth)(document.querySelector('.wide'))") == 0
    finally:
        page.close()
