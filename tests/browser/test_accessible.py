"""The check for accessibility finds what it is there to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.accessible import assert_accessible

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

GOOD = """<!doctype html><html lang="en"><head><title>Pay</title><meta name="viewport" content="width=device-width">
<style>button {{ min-width: 60px; min-height: 60px }} button:focus-visible {{ outline: 3px solid black }}</style></head>
<body><main><h1>Shop</h1><form><button id="go">Pay</button><p role="status" aria-live="polite"></p></form>{}</main>"""


def _looked_at(browser: Browser, html: str) -> None:
    page = browser.new_page()
    try:
        page.set_content(html)
        assert_accessible(page)
    finally:
        page.close()


def test_a_good_page_lacks_nothing(browser: Browser) -> None:
    _looked_at(browser, GOOD.format(""))


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        (("lang=", "data-lang="), "no language"),
        (("<title>Pay</title>", ""), "no title"),
        (("<h1>Shop</h1>", ""), "not one heading"),
        (("device-width", "device-width,user-scalable=no"), "cannot be enlarged"),
        ((">Pay</button>", "></button>"), "has no name"),
        (('id="go"', 'id="go" tabindex="3"'), "out of order"),
        (("min-height: 60px", "height: 20px"), "too small for a thumb"),
        (("3px solid black", "0"), "does not show that it is chosen"),
        (('role="status"', ""), "nobody hears"),
        (("<h1>", '<h1 style="color: #999">'), "contrast of 2.85"),
        (("<h1>", "<svg></svg><h1>"), "a picture says nothing"),
        (('id="go"', 'id="go" aria-describedby="nowhere"'), "nowhere is not there"),
        (("<h1>", '<h1 id="go">'), "two elements are go"),
    ],
)
def test_each_lack_is_found(browser: Browser, change: tuple[str, str], lack: str) -> None:
    html = GOOD.format("")
    assert change[0] in html
    with pytest.raises(AssertionError, match=lack):
        _looked_at(browser, html.replace(*change))
