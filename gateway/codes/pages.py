"""The frame of every page that a customer meets behind `/q/…`, and what he sees when something is in the way.

A page is one file with its style and script; nothing is loaded from elsewhere.  In development the wallets' in-page
bridges are stand-ins of the simulators, the only other origin that may be asked.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from gateway.codes.cashier_texts import TEXTS
from gateway.database.batches import BROKEN, database_away
from gateway.http.pages import Language, language_of
from gateway.kernel.errors import ApiError
from routing.channels.base import Wallet

_log = logging.getLogger("mashang.cashier")
_DEVELOPMENT_ORIGINS: Final = "http://127.0.0.1:* http://localhost:*"
_BRIDGE_FRAMES: Final = {
    Wallet.WECHAT: "weixin: weixinping: weixinpreinject:",
    Wallet.ALIPAY: "alipaybridge: alipayjsbridge:",
    Wallet.UNIONPAY: "'none'",
}
"""The apps' bridges, where they are scripts in the page, call their app by an invisible frame with such an address."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """A page that runs the cashier's script, in this wallet."""

    wallet: Wallet
    development: bool


_PAGE: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}
PAGES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A page.", **_PAGE},
    404: {"description": "The code leads nowhere, or not any more: a page says so.", **_PAGE},
    429: {"description": "Too many requests: a page says so.", **_PAGE},
    503: {"description": "Busy: a page says so.", **_PAGE},
}
"""What a CustomerRoute answers, for the OpenAPI document."""
WAY_BACK: Final = {"description": "Back to the page."}
NOT_ASKED: Final = {"description": "This browser was not sent to a wallet: a page says so.", **_PAGE}


class CustomerRoute(APIRoute):
    """A route whose refusals are pages: whoever scanned a code is told what to do, in words."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        responses = {**PAGES, **(options.get("responses") or {})}
        super().__init__(path, endpoint, **{**options, "responses": responses})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, with its refusals as pages."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError:
                return message_page(_language(request), "gone", status=404)
            except ApiError as error:
                return refusal_page(_language(request), error)
            except BROKEN as error:
                _log.warning("a store is away", extra={"error": type(error).__name__})
                return refusal_page(_language(request), database_away())

        return answer


def refusal_page(language: Language, error: ApiError) -> Response:
    """An error of the API as a page."""
    what = {404: "gone", 400: "gone", 429: "slow_down"}.get(error.http_status, "away")
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return message_page(language, what, status=404 if what == "gone" else error.http_status, headers=headers)


def message_page(
    language: Language, what: str, *, status: int, retry: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A sentence and what to do next; `retry` is where trying again leads."""
    texts = TEXTS[language]
    link = "" if retry is None else f'<a class="button" href="{escape(retry)}">{escape(texts["retry"])}</a>'
    body = (
        f'<main><section class="card end">{icon("stop")}<h1>{escape(texts[what])}</h1>'
        f'<p class="how">{escape(texts[f"{what}_how"])}</p>{link}</section></main>'
    )
    return framed(language, texts[what], body, status=status, headers=headers)


def framed(
    language: Language,
    title: str,
    body: str,
    *,
    script: Scripted | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A whole page.  `body` is HTML."""
    style, code = asset("cashier.css"), asset("cashier.js") if script is not None else ""
    text = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1,viewport-fit=cover">'
        '<meta name="format-detection" content="telephone=no"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>{body}"
        f"{f'<script>{code}</script>' if code else ''}</body></html>\n"
    )
    fixed = {
        "Content-Security-Policy": _policy(style, code, script),
        "Content-Language": language,
        "Vary": "Accept-Language, User-Agent, Cookie",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "same-origin",  # “no-referrer” would make some browsers hide who posts from the page
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return Response(text, status, fixed | dict(headers or {}), media_type="text/html; charset=utf-8")


def icon(kind: str) -> str:
    """A sign above an end: `done`, `stop` or `wait`."""
    return (
        f'<svg class="sign {kind}" viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="22"/>'
        f'<path d="{_SIGNS[kind]}"/></svg>'
    )


_SIGNS: Final = {"done": "M14 25l7 7 14-15", "stop": "M24 13v14M24 33v1", "wait": "M24 13v12l8 5"}


@cache
def asset(name: str) -> str:
    """A file of this room."""
    return (files("gateway.codes") / name).read_text(encoding="utf-8")


def _policy(style: str, code: str, script: Scripted | None) -> str:
    rules = ["default-src 'none'", f"style-src {_digest(style)}", "img-src data:"]
    if script is not None:
        other = f" {_DEVELOPMENT_ORIGINS}" if script.development else ""
        rules += [f"script-src {_digest(code)}{other}", f"connect-src 'self'{other}"]
        rules += [f"frame-src {_BRIDGE_FRAMES[script.wallet]}"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"])


@cache
def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _language(request: Request) -> Language:
    return language_of(request.headers.get("accept-language"))
