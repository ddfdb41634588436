"""The whole service and phones with Debian's chromium; without chromium these tests fail, they are never skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.phones import Desk, Look, Phone
from tests.support.gateway import GatewayStack
from tests.support.stack_fixtures import simulators, stack, stack_options

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["simulators", "stack", "stack_options"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PhoneMaker = Callable[..., Phone]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for the run."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.fail("The browser tests need chromium, and it is not installed: apt install chromium", pytrace=False)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  in no other group than “browser”
    except ModuleNotFoundError:
        pytest.fail("The browser tests need playwright: run them by `make test-browser`.", pytrace=False)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-quic"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:  # noqa: F811  the module's own
    """Codes lead to the gateway itself, and nobody waits long for another customer."""
    return {"callbacks": True, "settings": {"MASHANG_PAGE_PROTECTED_S": "4"}}


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go: into the folder BROWSER_SHOTS, for whoever wants to look at them."""
    return Path(os.environ.get("BROWSER_SHOTS") or tmp_path)


@pytest.fixture
def phone(browser: Browser, stack: GatewayStack, shots: Path) -> Iterator[PhoneMaker]:
    """Makes phones; at the end none may have seen an error in its console, or asked anybody else for anything."""
    with ExitStack() as opened:

        def make(wallet: str, look: Look | None = None, **options: Any) -> Phone:
            return opened.enter_context(Phone(browser, stack, wallet, look or Look(), shots, **options))

        yield make


@pytest.fixture
def desk(stack: GatewayStack) -> Iterator[Desk]:
    """The shop's own desk: it makes codes and reads payments."""
    with Desk(stack) as opened:
        yield opened
