"""`make docs`: writes docs/api, docs/errors.md and docs/settings.md anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.reference.document import openapi_document
from gateway.reference.error_page import error_page
from gateway.reference.pages import api_pages
from gateway.reference.settings_page import settings_page

DOCS: Final = Path(__file__).parents[2] / "docs"


def reference() -> Mapping[str, str]:
    """Every generated file under docs/ with its text."""
    pages = api_pages(openapi_document())
    texts = {f"api/{name}": text for name, text in pages.items()}
    texts |= {"errors.md": error_page(), "settings.md": settings_page()}
    return {name: _formatted(name, text) for name, text in texts.items()}


def _formatted(name: str, text: str) -> str:
    """The page with its snippets as the linter wants them, which looks into Markdown too."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", str(DOCS / name), "-"]
    return subprocess.run(command, input=text, capture_output=True, check=True, encoding="utf-8").stdout  # noqa: S603


def main() -> None:
    """Write the files, and remove pages that are none any more."""
    texts = reference()
    (DOCS / "api").mkdir(exist_ok=True)
    for stale in (DOCS / "api").glob("*.md"):
        if f"api/{stale.name}" not in texts:
            stale.unlink()
    for name, text in texts.items():
        (DOCS / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
