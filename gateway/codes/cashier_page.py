"""The page on which a customer pays in his wallet, or learns how the payment ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Final

from fastapi import Response

from gateway.codes.cashier_texts import SCRIPT_TEXTS, TEXTS
from gateway.codes.pages import Scripted, framed, icon
from gateway.codes.price import Price
from gateway.codes.sales import TYPED_FEN_MAX
from gateway.codes.standing import Standing, paid_at
from gateway.codes.targets import Target
from gateway.http.pages import Language
from gateway.kernel.money import Money
from routing.channels.base import Wallet

_ENDS: Final = (Standing.PAID, Standing.OVER, Standing.CHECKING)
_LONG_FEN: Final = 100_000_00
_LONG_NAME: Final = 30
_SIGNS: Final = {Standing.PAID: "done", Standing.OVER: "stop", Standing.CHECKING: "wait"}


@dataclass(frozen=True, slots=True)
class PayPage:
    """A code that can be paid, in the browser of a wallet.

    `sale` is the sale at a static code; `watch` says whether the customer has paid perhaps already: `back` (his wallet
    sent him back to the page), `begun` (an order of this wallet is open) or nothing.
    """

    target: Target
    wallet: Wallet
    sale: str | None
    watch: str
    development: bool


def pay_page(language: Language, page: PayPage) -> Response:
    """The form, and every end that the script can come to."""
    texts, target = TEXTS[language], page.target
    config = {
        "token": target.token,
        "wallet": page.wallet,
        "sale": page.sale,
        "watch": page.watch,
        "max": TYPED_FEN_MAX,
        "texts": {name: texts[name] for name in SCRIPT_TEXTS},
    }
    ends = "".join(_end(texts, target, standing, title=texts[standing], hidden=True) for standing in _ENDS)
    body = (
        f'<main class="{page.wallet}">{_header(texts, target.title)}{_form(texts, target, page.wallet)}{ends}'
        f'<p class="soft" id="note">{escape(texts["note"])}</p></main>'
        f'<script type="application/json" id="config">{_json(config)}</script>'
    )
    return framed(language, texts["title"], body, script=Scripted(page.wallet, page.development))


def end_page(language: Language, target: Target, *, is_back: bool = False) -> Response:
    """How it ended; nothing can be done here any more.  `is_back`: the customer's wallet has just sent him here."""
    texts, standing = TEXTS[language], target.standing
    title = texts["paid_now" if is_back and standing is Standing.PAID else standing]
    section = _end(texts, target, standing, title=title, hidden=False)
    wallet = "" if target.payment is None else target.payment.wallet or ""
    return framed(language, texts[standing], f'<main class="{wallet}">{_header(texts, target.title)}{section}</main>')


def amount_line(price: Price | None) -> str:
    """What is paid, large; without a price a place for the script to write it."""
    if price is None:
        return '<p class="amount"></p>'
    size = " long" if price.payable_fen >= _LONG_FEN else ""
    return f'<p class="amount{size}"><small>¥</small>{Money(price.payable_fen).yuan}</p>'


def heading(title: str) -> str:
    """Whom the customer pays.  The name is isolated: letters written from right to left turn nothing around it."""
    size = ' class="long"' if len(title) > _LONG_NAME else ""
    return f'<h1 dir="auto"{size}>{escape(title)}</h1>'


def _header(texts: dict[str, str], title: str) -> str:
    return (
        f'<header><span class="face" aria-hidden="true">{escape(title[:1].upper())}</span>'
        f'<p class="to">{escape(texts["pay_to"])}</p>{heading(title)}</header>'
    )


def _form(texts: dict[str, str], target: Target, wallet: Wallet) -> str:
    price = target.price
    amount = _typed(texts) if price is None else amount_line(price)
    what = "" if target.description is None else f'<p class="what" dir="auto">{escape(target.description)}</p>'
    is_typed = target.code is not None and target.code.amount_fen is None
    change = f'<button id="change" type="button" hidden>{escape(texts["change"])}</button>' if is_typed else ""
    settled = "no" if target.payment is None else "yes"
    return (
        f'<form id="pay" novalidate data-settled="{settled}">'
        f'<div class="card">{amount}{what}{_breakdown(texts, price)}</div>'
        f'<button id="go" type="submit" disabled>{escape(texts[f"pay_{wallet}"])}</button>'
        f'<p id="message" role="status" aria-live="polite"></p><p id="count" aria-hidden="true"></p>{change}'
        f'<noscript><p class="bad">{escape(texts["no_script"])}</p></noscript></form>'
    )


def _typed(texts: dict[str, str]) -> str:
    return (
        f'<label for="amount">{escape(texts["amount"])}</label>'
        '<div class="field"><span aria-hidden="true">¥</span><input id="amount" name="amount" inputmode="decimal"'
        ' enterkeyhint="go" autocomplete="off" maxlength="12" aria-required="true" aria-describedby="message"'
        ' placeholder="0.00" autofocus></div>'
    )


def _breakdown(texts: dict[str, str], price: Price | None) -> str:
    """Order, discount and what is paid; only where there is a discount."""
    if price is None or not price.discount_fen:
        return ""
    return (
        f"<dl><dt>{escape(texts['order_amount'])}</dt><dd>¥{Money(price.amount_fen).yuan}</dd>"
        f"<dt>{escape(texts['discount'])}</dt><dd>−¥{Money(price.discount_fen).yuan}</dd>"
        f'<dt class="total">{escape(texts["payable"])}</dt>'
        f'<dd class="total">¥{Money(price.payable_fen).yuan}</dd></dl>'
    )


def _end(texts: dict[str, str], target: Target, standing: Standing, *, title: str, hidden: bool) -> str:
    payment = target.payment
    how = f'<p class="how">{escape(texts[f"{standing}_how"])}</p>' if standing is not Standing.PAID else ""
    facts = ""
    if standing is Standing.PAID:
        at = "" if payment is None else paid_at(payment, target.shop.timezone) or ""
        number = "" if payment is None else payment.merchant_order_no
        facts = (
            f'<dl><dt>{escape(texts["at"])}</dt><dd class="at">{at}</dd>'
            f'<dt>{escape(texts["number"])}</dt><dd class="number">{escape(number)}</dd></dl>'
        )
    again = (
        "" if target.code is None else f'<a class="button quiet" href="/q/{target.token}">{escape(texts["again"])}</a>'
    )
    return (
        f'<section id="end-{standing}" class="card end" tabindex="-1"{" hidden" if hidden else ""}>'
        f"{icon(_SIGNS[standing])}<h2>{escape(title)}</h2>{amount_line(target.price)}{how}{facts}{again}</section>"
    )


def _json(value: object) -> str:
    """JSON that cannot end its script element, whatever is in it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
