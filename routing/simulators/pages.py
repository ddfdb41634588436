"""Answers for a customer's browser: pages, redirects, scripts and documents that other origins may read."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlsplit

import orjson

from routing.simulators.channel import Headers, HttpAnswer, HttpRequest
from routing.simulators.wallet import payer_named

COOKIE: Final = "simulated_payer"
_PAYER: Final = re.compile("[0-9a-f]{24}")
_ANY_ORIGIN: Final[Headers] = [
    (b"Access-Control-Allow-Origin", b"*"),
    (b"Access-Control-Allow-Methods", b"GET, POST, OPTIONS"),
    (b"Access-Control-Allow-Headers", b"Content-Type"),
    (b"Cache-Control", b"no-store"),
]


def html(title: str, body: str, status: int = 200, headers: Headers | None = None) -> HttpAnswer:
    """A page at phone size; `body` is markup, its texts already escaped."""
    page = (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>"
        "<style>body{font:16px/1.6 system-ui,sans-serif;margin:2rem auto;max-width:26rem;padding:0 1rem}"
        "button{font:inherit;padding:.7rem 1.4rem;margin:.3rem .6rem .3rem 0}</style>"
        f"<body>{body}</body></html>"
    )
    kind: Headers = [(b"Content-Type", b"text/html; charset=utf-8"), (b"Cache-Control", b"no-store")]
    return HttpAnswer(status, [*kind, *(headers or [])], page.encode())


def redirect(to: str, headers: Headers | None = None) -> HttpAnswer:
    """302 to an address."""
    return HttpAnswer(302, [(b"Location", to.encode("ascii", "strict")), *(headers or [])])


def script(source: str) -> HttpAnswer:
    """JavaScript for a page of any origin."""
    return HttpAnswer(200, [(b"Content-Type", b"text/javascript; charset=utf-8"), *_ANY_ORIGIN], source.encode())


def json_answer(document: object, status: int = 200) -> HttpAnswer:
    """A document that scripts of any origin may read."""
    return HttpAnswer(status, [(b"Content-Type", b"application/json"), *_ANY_ORIGIN], orjson.dumps(document))


def preflight() -> HttpAnswer:
    """The answer to a browser that asks whether a script of another origin may post."""
    return HttpAnswer(204, list(_ANY_ORIGIN))


def query_of(request: HttpRequest) -> dict[str, str]:
    """The query's parameters, the last of each name."""
    return {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}


def web_address(text: str) -> bool:
    """Whether it is an absolute http(s) address that may stand in a header."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def payer_of_visit(request: HttpRequest, query: Mapping[str, str]) -> tuple[str, Headers]:
    """Who holds the browser: `?payer=NAME`, or whom its cookie names, or a stranger from now on known by a cookie."""
    named = query.get("payer")
    payer = payer_named(named) if named else _payer_of_cookie(request) or secrets.token_hex(12)
    cookie = f"{COOKIE}={payer}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
    return payer, [(b"Set-Cookie", cookie.encode())]


def _payer_of_cookie(request: HttpRequest) -> str | None:
    try:
        morsel = SimpleCookie(request.header(b"cookie")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None and _PAYER.fullmatch(morsel.value) else None
