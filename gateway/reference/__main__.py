"""`make docs`: writes docs/api and docs/errors.md anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.reference.document import openapi_document
from gateway.reference.error_page import error_page
from gateway.reference.pages import api_pages

DOCS: Final = Path(__file__).parents[2] / "docs"


def reference() -> Mapping[str, str]:
    """Every generated file under docs/ with its text."""
    pages = api_pages(openapi_document())
    return {f"api/{name}": text for name, text in pages.items()} | {"errors.md": error_page()}


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
