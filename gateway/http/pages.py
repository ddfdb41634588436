"""Pages for people: in their language, without scripts, and safe wherever they are opened."""

from __future__ import annotations

import base64
import hashlib
from enum import StrEnum
from html import escape
from typing import Final

from fastapi import Response

_HEADER_LENGTH_MAX: Final = 200


class Language(StrEnum):
    """The languages that pages are written in, as HTML's `lang` names them."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


def language_of(accept_language: str | None) -> Language:
    """The language that a browser prefers; Chinese where it has none of ours, for here it is paid in yuan."""
    best, found = 0.0, Language.CHINESE
    for choice in (accept_language or "")[:_HEADER_LENGTH_MAX].split(","):
        name, _, weight = choice.partition(";")
        language = _LANGUAGES.get(name.strip().lower().partition("-")[0])
        quality = _quality(weight)
        if language is not None and quality > best:
            best, found = quality, language
    return found


def page(language: Language, title: str, style: str, body: str, *, status: int = 200) -> Response:
    """A whole page.  `body` is HTML; it loads nothing, runs nothing, and no search engine keeps it."""
    text = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>{body}</body></html>\n"
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Content-Language": language,
        "Vary": "Accept, Accept-Language",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return Response(text, status, headers, media_type="text/html; charset=utf-8")


def wants_page(accept: str | None) -> bool:
    """Whether a client asks for a page rather than for JSON: a browser does, a till does not."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in (accept or "")[:_HEADER_LENGTH_MAX].split(",")]
    return "text/html" in kinds and "application/json" not in kinds


_LANGUAGES: Final = {"zh": Language.CHINESE, "en": Language.ENGLISH}


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
