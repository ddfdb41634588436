"""The card with a code, to print and put on a counter or a wall (A6, black on white)."""

from __future__ import annotations

from html import escape
from typing import Final

from fastapi import Response

from gateway.codes.images import svg_inline
from gateway.http.pages import Language, page
from gateway.kernel.money import Money

_STYLE: Final = """
@page { size: A6 portrait; margin: 8mm }
* { box-sizing: border-box }
body { margin: 0; font: 18px/1.4 system-ui, "PingFang SC", "Noto Sans CJK SC", sans-serif; color: #111 }
main { max-width: 24rem; margin: 0 auto; padding: 1.5rem 1rem; text-align: center }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere }
.amount { font-size: 2rem; font-weight: 700; margin: .25rem 0 }
.code { width: 100%; max-width: 20rem; margin: .75rem auto }
.code svg { display: block; width: 100%; height: auto }
.wallets { font-weight: 600; margin: .5rem 0 }
.how { margin: 0; color: #444 }
.url { font: .7rem/1.3 ui-monospace, monospace; color: #666; overflow-wrap: anywhere; margin: 1rem 0 0 }
"""
_TEXTS: Final = {
    Language.CHINESE: ("微信 · 支付宝 · 云闪付", "打开任一钱包，扫一扫付款", "收款码"),
    Language.ENGLISH: ("WeChat Pay · Alipay · UnionPay", "Scan with any of these wallets to pay", "Payment code"),
}


def card_page(language: Language, title: str, url: str, amount_fen: int | None) -> Response:
    """The card as a page; the amount stands on it where it is fixed."""
    wallets, how, kind = _TEXTS[language]
    amount = "" if amount_fen is None else f'<p class="amount">¥{Money(amount_fen).yuan}</p>'
    body = (
        f"<main><h1>{escape(title)}</h1>{amount}"
        f'<div class="code" role="img" aria-label="{escape(kind)}">{svg_inline(url)}</div>'
        f'<p class="wallets">{wallets}</p><p class="how">{how}</p><p class="url">{escape(url)}</p></main>'
    )
    return page(language, f"{kind} · {title}", _STYLE, body)
