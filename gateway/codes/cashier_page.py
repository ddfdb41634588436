"""The HTML of the cashier page: one file of at most 30 KB with its style and script; nothing is loaded from elsewhere.

In development the wallets' in-page bridges are stand-ins of the simulators, the only other origin that may be asked.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from fastapi import Response

from gateway.codes.cashier_texts import SCRIPT_TEXTS, TEXTS
from gateway.codes.images import svg_inline
from gateway.codes.targets import Target
from gateway.http.pages import Language
from gateway.kernel.money import Money
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from routing.channels.base import Wallet

_DEVELOPMENT_ORIGINS: Final = "http://127.0.0.1:* http://localhost:*"


@dataclass(frozen=True, slots=True)
class PageState:
    """What the page shows: `amount_fen` is None where the customer types it; `end` once nothing can be paid here."""

    token: str
    title: str
    wallet: Wallet | None
    amount_fen: int | None
    discount_fen: int
    payable_fen: int | None
    sale: str | None
    begun: bool
    end: str | None

    @classmethod
    def of(cls, target: Target, wallet: Wallet | None, sale: str | None) -> PageState:
        """The page of a target."""
        payment = target.payment
        amount = target.amount_fen if payment is None else payment.amount.amount_fen
        payable = target.amount_fen if payment is None else payment.payable.amount_fen
        return cls(
            token=target.token,
            title=target.title,
            wallet=wallet,
            amount_fen=amount,
            discount_fen=0 if amount is None or payable is None else amount - payable,
            payable_fen=payable,
            sale=sale,
            begun=target.code is not None and payment is not None,
            end=None if payment is None else _end_of(payment),
        )


def cashier_page(language: Language, state: PageState, *, development: bool) -> Response:
    """The page on which the customer pays, or learns that it is paid or over."""
    texts = TEXTS[language]
    ends = "".join(_end(texts, kind, state, shown=state.end == kind) for kind in ("paid", "over"))
    form = "" if state.end is not None else _form(texts, state)
    config = {
        "token": state.token,
        "wallet": state.wallet,
        "sale": state.sale,
        "begun": state.begun,
        "texts": {name: texts[name] for name in SCRIPT_TEXTS},
    }
    body = (
        f"<main><h1>{escape(texts['pay_to'].format(merchant=state.title))}</h1>{form}{ends}"
        f'<p id="message" class="message" role="status" aria-live="polite"></p></main>'
        f'<script type="application/json" id="config">{_json(config)}</script>'
    )
    return _page(language, texts["title"], body, with_script=state.end is None, development=development)


def landing_page(language: Language, target: Target, *, development: bool) -> Response:
    """For a browser that is no wallet's: the code to scan."""
    texts = TEXTS[language]
    links = ""
    if development:
        played = "".join(
            f'<a class="button" href="/q/{target.token}?as={wallet}">{escape(texts[f"pay_{wallet}"])}</a>'
            for wallet in Wallet
        )
        links = f'<p class="soft">{escape(texts["play"])}</p>{played}'
    amount = "" if target.amount_fen is None else f'<p class="amount">{_yuan(target.amount_fen)}</p>'
    body = (
        f'<main><h1>{escape(target.title)}</h1><div class="card">{amount}'
        f'<div class="code" role="img" aria-label="{escape(texts["scan"])}">{svg_inline(target.url)}</div>'
        f'<p class="soft">{escape(texts["scan_how"])}</p></div>{links}</main>'
    )
    return _page(language, texts["scan"], body, with_script=False, development=False)


def message_page(language: Language, what: str, *, status: int, retry: str | None = None) -> Response:
    """A sentence and what to do next."""
    texts = TEXTS[language]
    link = "" if retry is None else f'<a class="button" href="{escape(retry)}">{escape(texts["retry"])}</a>'
    body = (
        f'<main><div class="card end"><h1>{escape(texts[what])}</h1><p>{escape(texts[f"{what}_how"])}</p>{link}'
        "</div></main>"
    )
    return _page(language, texts[what], body, with_script=False, development=False, status=status)


def _form(texts: dict[str, str], state: PageState) -> str:
    if state.amount_fen is None:
        amount = (
            f'<label for="amount">{escape(texts["amount"])}</label>'
            '<div class="field"><span aria-hidden="true">¥</span><input id="amount" name="amount" inputmode="decimal"'
            ' autocomplete="off" maxlength="12" required aria-describedby="message" autofocus></div>'
        )
    else:
        amount = f'<p class="amount">{_yuan(state.payable_fen or 0)}</p>{_breakdown(texts, state)}'
    pay = texts["pay"] if state.wallet is None else texts[f"pay_{state.wallet}"]
    return (
        f'<form id="pay" novalidate><div class="card">{amount}</div>'
        f'<button id="go" type="submit" disabled>{escape(pay)}</button>'
        f'<noscript><p class="message bad">{escape(texts["no_script"])}</p></noscript></form>'
    )


def _breakdown(texts: dict[str, str], state: PageState) -> str:
    """Order, discount and what is paid; only where there is a discount."""
    if not state.discount_fen:
        return ""
    return (
        f"<dl><dt>{escape(texts['order_amount'])}</dt><dd>{_yuan(state.amount_fen or 0)}</dd>"
        f"<dt>{escape(texts['discount'])}</dt><dd>−{_yuan(state.discount_fen)}</dd>"
        f'<dt class="total">{escape(texts["payable"])}</dt><dd class="total">{_yuan(state.payable_fen or 0)}</dd></dl>'
    )


def _end(texts: dict[str, str], kind: str, state: PageState, *, shown: bool) -> str:
    mark, extra = ("✓", "") if kind == "paid" else ("×", f"<p>{escape(texts['over_how'])}</p>")
    amount = "" if state.payable_fen is None else _yuan(state.payable_fen)
    return (
        f'<section id="end-{kind}" class="card end" tabindex="-1"{"" if shown else " hidden"}>'
        f'<span class="mark" aria-hidden="true">{mark}</span><h2>{escape(texts[kind])}</h2>'
        f'<p class="amount">{amount}</p>{extra}</section>'
    )


def _end_of(payment: Payment) -> str | None:
    if payment.status is Status.SUCCEEDED and payment.reversal != "pending":
        return "paid"
    return "over" if payment.status.is_final or payment.reversal is not None else None


def _yuan(amount_fen: int) -> str:
    return f"¥{Money(amount_fen).yuan}"


def _json(value: object) -> str:
    """JSON that cannot end its script element, whatever is in it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


@cache
def _asset(name: str) -> str:
    return (files("gateway.codes") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _page(
    language: Language, title: str, body: str, *, with_script: bool, development: bool, status: int = 200
) -> Response:
    style, script = _asset("cashier.css"), _asset("cashier.js") if with_script else ""
    text = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>{body}"
        f"{f'<script>{script}</script>' if with_script else ''}</body></html>\n"
    )
    other = f" {_DEVELOPMENT_ORIGINS}" if development else ""
    scripts = f"script-src {_digest(script)}{other}; connect-src 'self'{other}; " if with_script else ""
    headers = {
        "Content-Security-Policy": f"default-src 'none'; {scripts}style-src {_digest(style)}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Content-Language": language,
        "Vary": "Accept-Language, User-Agent, Cookie",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, status, headers, media_type="text/html; charset=utf-8")
