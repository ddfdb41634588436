"""The card with a code, to print and put on a counter or a wall: A6, black on white, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from fastapi import Response

from gateway.codes.cashier_texts import TEXTS
from gateway.codes.images import svg_inline
from gateway.codes.targets import Target
from gateway.http.pages import Language, page
from gateway.kernel.money import Money
from routing.channels.base import Wallet

_STYLE: Final = """
@page { size: 105mm 148mm; margin: 0 }
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0; background: #e9ebee; color: #111;
  font: 4mm/1.35 system-ui, "PingFang SC", "Noto Sans CJK SC", sans-serif }
main { width: 105mm; height: 148mm; margin: 8mm auto; padding: 9mm 8mm 7mm; background: #fff; text-align: center;
  display: flex; flex-direction: column; align-items: center; overflow: hidden; box-shadow: 0 1mm 5mm #0003 }
h1 { font-size: 7.5mm; line-height: 1.2; margin: 0; overflow: hidden; overflow-wrap: anywhere; unicode-bidi: isolate;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2 }
h1.long { font-size: 5mm }
.amount { font-size: 8.5mm; line-height: 1.2; font-weight: 700; margin: 1.5mm 0 0 }
.code { width: 74mm; margin: auto 0; padding: 1mm; border: .6mm solid #111; border-radius: 4mm }
.amount + .code { width: 68mm }
.code svg { display: block; width: 100%; height: auto }
.how { font-size: 5.5mm; line-height: 1.25; font-weight: 700; margin: 0 }
.how span { display: block; font-size: 3.6mm; font-weight: 400 }
.wallets { list-style: none; display: flex; justify-content: center; gap: 5mm; margin: 3mm 0 0; padding: 0;
  font-size: 3.6mm; line-height: 1.3 }
.wallets li { border-top: 1mm solid; padding-top: 1mm; min-width: 20mm; font-weight: 600 }
.wallets span { display: block; color: #333; font-size: 2.9mm; font-weight: 400 }
.wallets .wechat { border-color: #07c160 } .wallets .alipay { border-color: #1677ff }
.wallets .unionpay { border-color: #d7000f }
.url { font: 2.2mm/1.3 ui-monospace, monospace; color: #555; overflow-wrap: anywhere; margin: 3mm 0 0 }
@media print { body { background: none } main { margin: 0; box-shadow: none; print-color-adjust: exact;
  -webkit-print-color-adjust: exact } }
@media (max-width: 108mm) { main { width: 100%; height: auto; min-height: 100vh; margin: 0; gap: 4mm } }
"""
_LONG_NAME: Final = 16


def card_page(language: Language, target: Target, wallets: Sequence[Wallet]) -> Response:
    """The card as a page; the amount stands on it where it is fixed.  `language` is that of the page's frame."""
    chinese, english = TEXTS[Language.CHINESE], TEXTS[Language.ENGLISH]
    price = target.price
    amount = "" if price is None else f'<p class="amount">¥{Money(price.payable_fen).yuan}</p>'
    marks = "".join(
        f'<li class="{wallet}" lang="zh-CN">{chinese[wallet]}<span lang="en">{english[wallet]}</span></li>'
        for wallet in wallets
    )
    size = ' class="long"' if len(target.title) > _LONG_NAME else ""
    body = (
        f'<main><h1 dir="auto"{size}>{escape(target.title)}</h1>{amount}'
        f'<div class="code" role="img" aria-label="{escape(TEXTS[language]["scan"])}">{svg_inline(target.url)}</div>'
        f'<p class="how" lang="zh-CN">扫一扫付款<span lang="en">Scan to pay</span></p>'
        f'<ul class="wallets">{marks}</ul><p class="url">{escape(target.url)}</p></main>'
    )
    return page(language, target.title, _STYLE, body)
