"""Every page behind a code: small, in both languages, inert but for its own script, safe whatever the names hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import string
from collections.abc import Iterator
from html import escape, unescape

import pytest
from fastapi import Response

from gateway.codes.card import card_page
from gateway.codes.cashier_page import PayPage, end_page, pay_page
from gateway.codes.cashier_texts import SCRIPT_TEXTS, TEXTS
from gateway.codes.landing_page import landing_page
from gateway.codes.pages import message_page, refusal_page
from gateway.codes.targets import PAGE_WALLETS, Target
from gateway.http.pages import Language
from gateway.kernel.errors import InvalidRequest, NotPermitted, RateLimited, Unavailable, not_found
from gateway.kernel.money import Money
from gateway.payments.states import Status
from routing.channels.base import Wallet
from tests.unit.codes.targets import TOKEN, URL, of_code, of_payment, opened, paid, payment

PAGE_BYTES_MAX = 30_000
EVIL = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u202e{merchant}{0}%s"
MESSAGES = ("gone", "slow_down", "away", "wallet_not_taken", "not_asked", "not_identified")
LANGUAGES = pytest.mark.parametrize("language", Language)


def every_page(language: Language, name: str = "街角咖啡 Corner Café") -> Iterator[tuple[str, Response]]:
    """Each state of each page, by what it is."""
    discounted = of_payment(payment(payable=Money(2_099)), name=name, description=name[:127])
    for wallet in PAGE_WALLETS:
        for target in (of_code(name=name), of_code(opened(), name=name), of_payment(payment(), name=name), discounted):
            page = PayPage(target, wallet, "A" * 42, "back", development=True)
            yield f"pay {wallet}", pay_page(language, page)
    closed, checked = payment(status=Status.CLOSED), payment(review="amount_mismatch")
    for found in (paid(), closed, checked):
        yield f"end {found.status}", end_page(language, of_payment(found, name=name))
        yield f"end {found.status} of a sale", end_page(language, of_code(found, name=name))
    for on_phone in (False, True):
        page = landing_page(language, discounted, PAGE_WALLETS, on_phone=on_phone, development=True)
        yield f"landing {on_phone}", page
    for what in MESSAGES:
        yield what, message_page(language, what, status=200, retry=f"/q/{TOKEN}?sale=x")


def text_of(page: Response) -> str:
    return bytes(page.body).decode()


def config_of(page: Response) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="config">(.*?)</script>', text_of(page), re.DOTALL)
    assert found is not None
    config: dict[str, object] = json.loads(found[1])
    return config


def test_both_languages_say_the_same_things_with_the_same_placeholders() -> None:
    chinese, english = TEXTS[Language.CHINESE], TEXTS[Language.ENGLISH]
    assert chinese.keys() == english.keys()
    for name in chinese:
        placeholders = [
            sorted(field for _, field, _, _ in string.Formatter().parse(texts[name]) if field is not None)
            for texts in (chinese, english)
        ]
        assert placeholders[0] == placeholders[1], name
        assert chinese[name].strip() == chinese[name] != ""


@LANGUAGES
def test_every_text_is_said_somewhere(language: Language) -> None:
    pages = "".join(text_of(page) for _, page in every_page(language))
    unsaid = [
        name
        for name, text in TEXTS[language].items()
        if escape(text) not in pages and json.dumps(text, ensure_ascii=False) not in pages
    ]
    assert unsaid == []
    assert set(SCRIPT_TEXTS) <= TEXTS[language].keys()


@LANGUAGES
@pytest.mark.parametrize("name", ["街", "&" * 127, "😀" * 127])
def test_no_page_weighs_more_than_it_may(language: Language, name: str) -> None:
    for what, page in every_page(language, name):
        assert len(page.body) <= PAGE_BYTES_MAX, what


@LANGUAGES
def test_the_policy_allows_the_very_style_and_script_of_the_page_and_nothing_else(language: Language) -> None:
    for what, page in every_page(language):
        policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert "unsafe" not in " ".join(policy.values())
        [style] = re.findall(r"<style>(.*?)</style>", text_of(page), re.DOTALL)
        assert policy["style-src"] == digest(style)
        scripts = re.findall(r"<script>(.*?)</script>", text_of(page), re.DOTALL)
        assert ("script-src" in policy) is what.startswith("pay"), what
        if what.startswith("pay"):
            [script] = scripts
            assert policy["script-src"].split(" ")[0] == digest(script)
        else:
            assert scripts == []


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_only_in_development_may_the_stand_ins_of_the_simulators_be_asked() -> None:
    for development in (True, False):
        page = pay_page(Language.ENGLISH, PayPage(of_code(), Wallet.WECHAT, None, "", development))
        assert ("127.0.0.1" in page.headers["content-security-policy"]) is development
    landing = landing_page(Language.ENGLISH, of_code(), (Wallet.ALIPAY,), on_phone=False, development=False)
    assert "?as=" not in text_of(landing)


@pytest.mark.parametrize(
    ("wallet", "frames"),
    [
        (Wallet.WECHAT, "weixin: weixinping: weixinpreinject:"),
        (Wallet.ALIPAY, "alipaybridge: alipayjsbridge:"),
        (Wallet.UNIONPAY, "'none'"),
    ],
)
def test_the_bridge_of_the_wallet_may_call_its_app(wallet: Wallet, frames: str) -> None:
    page = pay_page(Language.CHINESE, PayPage(of_code(), wallet, None, "", development=False))
    assert f"; frame-src {frames};" in page.headers["content-security-policy"]


@LANGUAGES
def test_no_page_loads_anything_runs_attributes_or_stays_in_a_store(language: Language) -> None:
    for what, page in every_page(language):
        markup = re.sub(r"<(style|script)[^>]*>.*?</\1>", "", text_of(page), flags=re.DOTALL)
        style = re.findall(r"<style>(.*?)</style>", text_of(page), re.DOTALL)[0]
        assert not re.search(r"url\(|@import", style), what
        assert not re.search(r"\ssrc=|\son[a-z]+=|\sstyle=|<form[^>]* action=", markup), what
        addresses = set(re.findall(r'href="([^"]*)"', markup))
        assert all(address == "data:," or address.startswith(f"/q/{TOKEN}") for address in addresses), addresses
        assert page.headers["cache-control"] == "private, no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["x-robots-tag"] == "noindex, nofollow"
        assert "User-Agent" in page.headers["vary"]
        assert page.headers["content-language"] == language
        assert f'<html lang="{language}">' in text_of(page)


@LANGUAGES
def test_names_and_descriptions_are_text_whatever_they_hold(language: Language) -> None:
    for what, page in every_page(language, EVIL):
        text = text_of(page)
        assert "alert(1)</script>" not in text, what
        assert "<img" not in text, what
        if what.startswith(("pay", "end", "landing")):
            assert escape(EVIL) in text, what
    card = text_of(card_page(language, of_code(name=EVIL), PAGE_WALLETS))
    assert "<img" not in card
    assert escape(EVIL) in card


def test_the_config_of_the_script_cannot_end_its_element() -> None:
    page = pay_page(Language.ENGLISH, PayPage(of_code(), Wallet.WECHAT, "</script><b>", "", development=False))
    assert config_of(page)["sale"] == "</script><b>"
    assert "</script><b>" not in text_of(page)


def test_a_typed_amount_has_a_label_a_keypad_and_a_bound() -> None:
    page = pay_page(Language.ENGLISH, PayPage(of_code(), Wallet.ALIPAY, "S", "", development=False))
    text = text_of(page)
    assert '<label for="amount">Amount (yuan)</label>' in text
    assert 'inputmode="decimal"' in text
    assert config_of(page)["max"] == 5_000_000
    assert 'data-settled="no"' in text
    assert 'id="change"' in text


@pytest.mark.parametrize(
    ("target", "amount", "settled"),
    [
        (of_payment(payment()), "25.99", "yes"),
        (of_code(amount_fen=700), "7.00", "no"),
        (of_code(opened(), amount_fen=2_599), "25.99", "yes"),
    ],
)
def test_a_fixed_amount_cannot_be_typed_or_changed(target: Target, amount: str, settled: str) -> None:
    text = text_of(pay_page(Language.ENGLISH, PayPage(target, Wallet.WECHAT, None, "", development=False)))
    assert f"<small>¥</small>{amount}" in text
    assert 'id="amount"' not in text
    assert 'id="change"' not in text
    assert f'data-settled="{settled}"' in text


def test_the_amount_of_a_sale_that_was_begun_can_still_be_changed() -> None:
    text = text_of(pay_page(Language.ENGLISH, PayPage(of_code(opened()), Wallet.WECHAT, "S", "begun", False)))
    assert 'id="change"' in text
    assert 'id="amount"' not in text


def test_a_discount_is_shown_beside_what_was_ordered_and_what_is_paid() -> None:
    plain, discounted = (
        text_of(pay_page(Language.ENGLISH, PayPage(of_payment(found), Wallet.WECHAT, None, "", development=False)))
        for found in (payment(), payment(payable=Money(2_099)))
    )
    assert "Discount" not in plain
    for shown in ("<dd>¥25.99</dd>", "<dd>−¥5.00</dd>", '<dd class="total">¥20.99</dd>', "<small>¥</small>20.99"):
        assert shown in discounted


def test_the_end_of_a_payment_says_when_and_under_which_number_it_was_paid() -> None:
    text = text_of(end_page(Language.ENGLISH, of_payment(paid())))
    for shown in ("This order is paid", "<small>¥</small>25.99", "2026-11-22 12:05:06", "POS7-000125"):
        assert shown in text
    assert "<h2>Paid</h2>" in text_of(end_page(Language.ENGLISH, of_payment(paid()), is_back=True))
    assert "closed</h2>" in text_of(end_page(Language.ENGLISH, of_payment(payment(status=Status.CLOSED)), is_back=True))
    assert "Make another payment" not in text
    assert f'href="/q/{TOKEN}">Make another payment' in text_of(end_page(Language.ENGLISH, of_code(paid())))


@pytest.mark.parametrize(
    ("error", "status", "heading", "retry_after"),
    [
        (not_found("code"), 404, "This code is not valid", None),
        (InvalidRequest("invalid_field", "x"), 404, "This code is not valid", None),
        (RateLimited("too_many_requests", "x", retry_after_s=7), 429, "Too many visits", "7"),
        (Unavailable("busy", "x", retry_after_s=1), 503, "You cannot pay just now", "1"),
        (NotPermitted("not_identified", "x"), 403, "You cannot pay just now", None),
    ],
)
def test_a_refusal_is_a_page_that_says_what_to_do(
    error: InvalidRequest, status: int, heading: str, retry_after: str | None
) -> None:
    page = refusal_page(Language.ENGLISH, error)
    assert page.status_code == status
    assert f"<h1>{heading}</h1>" in text_of(page)
    assert page.headers.get("retry-after") == retry_after


def test_the_landing_page_names_the_wallets_that_the_shop_takes_and_how_to_scan() -> None:
    desk, phone = (
        text_of(landing_page(Language.ENGLISH, of_code(), (Wallet.ALIPAY,), on_phone=on_phone, development=False))
        for on_phone in (False, True)
    )
    for text in (desk, phone):
        assert '<li class="alipay">Alipay</li>' in text
        assert "WeChat</li>" not in text
    assert "screenshot" in phone
    assert "screenshot" not in desk


def test_the_card_is_in_both_languages_and_of_the_size_of_a_postcard() -> None:
    page = card_page(Language.ENGLISH, of_code(amount_fen=700), (Wallet.WECHAT, Wallet.UNIONPAY))
    text = unescape(text_of(page))
    for shown in ("扫一扫付款", "Scan to pay", "¥7.00", "微信", "UnionPay", URL, "105mm 148mm"):
        assert shown in text
    assert "Alipay" not in text
    assert len(page.body) <= PAGE_BYTES_MAX
