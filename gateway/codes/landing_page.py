"""The page for a browser that is no wallet's: the code once more, and how to scan it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fastapi import Response

from gateway.codes.cashier_page import amount_line, heading
from gateway.codes.cashier_texts import TEXTS
from gateway.codes.images import svg_inline
from gateway.codes.pages import framed
from gateway.codes.targets import Target
from gateway.http.pages import Language
from routing.channels.base import Wallet


def landing_page(
    language: Language, target: Target, wallets: Sequence[Wallet], *, on_phone: bool, development: bool
) -> Response:
    """The code with the shop's name, the amount and the wallets; in development, links to play a wallet here."""
    texts = TEXTS[language]
    what = "" if target.description is None else f'<p class="what" dir="auto">{escape(target.description)}</p>'
    marks = "".join(f'<li class="{wallet}">{escape(texts[wallet])}</li>' for wallet in wallets)
    steps = ("step_save", "step_album", "step_pay") if on_phone else ("step_open", "step_scan", "step_pay")
    body = (
        '<main class="landing">'
        f'<section class="head">{heading(target.title)}{amount_line(target.price)}{what}</section>'
        f'<section class="card"><div class="code" role="img" aria-label="{escape(texts["scan"])}">'
        f'{svg_inline(target.url)}</div><ul class="marks">{marks}</ul></section>'
        f"<ol>{''.join(f'<li>{escape(texts[step])}</li>' for step in steps)}</ol>"
        f"{_links(texts, target, wallets) if development else ''}</main>"
    )
    return framed(language, texts["scan"], body)


def _links(texts: dict[str, str], target: Target, wallets: Sequence[Wallet]) -> str:
    links = "".join(
        f'<a class="button {wallet}" href="/q/{target.token}?as={wallet}">{escape(texts[f"pay_{wallet}"])}</a>'
        for wallet in wallets
    )
    return f'<nav class="play"><p class="soft">{escape(texts["play"])}</p>{links}</nav>'
