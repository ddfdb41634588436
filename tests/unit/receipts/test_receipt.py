"""A receipt shows what was paid and what came back, as the merchant wants it, in both languages; its link is safe."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.pages import Language
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money
from gateway.kernel.secrets import Vault
from gateway.ledger.postings import Funder
from gateway.payments.states import Status
from gateway.receipts.page import missing_page, receipt_page
from gateway.receipts.receipt import GivenBack, Receipt, Shop, ShownDiscounts, Standing
from gateway.receipts.schemas import ReceiptObject
from gateway.receipts.tokens import payment_of_token, receipt_token
from gateway.refunds.refund import RefundStatus
from routing.channels.base import Wallet
from tests.unit.payments.payments import payment

PAID_AT = datetime(2026, 11, 21, 17, 2, 3, tzinfo=UTC)
FUNDING = (Funder("bank", Money(350)), Funder("merchant", Money(150)))
PART = GivenBack("R-1", RefundStatus.SUCCEEDED, 1_000, 807, PAID_AT)
REST = GivenBack("R-2", RefundStatus.SUCCEEDED, 1_599, 1_292, PAID_AT)
WAITING = GivenBack("R-3", RefundStatus.PENDING, 100, 80, PAID_AT)


def receipt(
    *refunds: GivenBack, shows: ShownDiscounts = ShownDiscounts.BY_FUNDER, name: str = "街角 <Café>", **changes: object
) -> Receipt:
    standing = payment(
        **{"status": Status.SUCCEEDED, "payable": Money(2_099), "channel_trade_no": "4200001", "store_id": "s-1"}
        | changes
    )
    return Receipt(Shop(name, "Asia/Shanghai", shows), standing, PAID_AT, FUNDING, refunds, "https://p.example/r/x")


class Page(HTMLParser):
    """What a reader sees, and which tags there are."""

    def __init__(self, shown: Receipt, language: Language = Language.ENGLISH) -> None:
        super().__init__()
        self.size = len(receipt_page(shown, language).body)
        self.seen: list[str] = []
        self.tags: list[str] = []
        self.feed(bytes(receipt_page(shown, language).body).decode())
        self.text = " ".join(self.seen)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


@pytest.mark.parametrize(
    ("shown", "standing", "returned"),
    [
        (receipt(), Standing.PAID, 0),
        (receipt(WAITING), Standing.PAID, 0),
        (receipt(PART), Standing.PARTLY_REFUNDED, 807),
        (receipt(PART, REST), Standing.REFUNDED, 2_099),
        (receipt(status=Status.REVERSED), Standing.REVERSED, 2_099),
    ],
)
def test_what_it_says_follows_from_what_came_back(shown: Receipt, standing: Standing, returned: int) -> None:
    assert (shown.standing, shown.returned) == (standing, returned)


@pytest.mark.parametrize("shows", ShownDiscounts)
def test_the_json_is_what_is_documented(shows: ShownDiscounts) -> None:
    shown = orjson.loads(orjson.dumps(receipt(PART, WAITING, shows=shows).to_json()))
    documented = ReceiptObject.model_validate(shown).model_dump(mode="json")
    assert shown.keys() == documented.keys()
    assert shown["refunds"][0].keys() == documented["refunds"][0].keys()


def test_discounts_are_shown_by_funder_as_a_total_or_not_at_all() -> None:
    by_funder, total, none = (receipt(PART, shows=shows).to_json() for shows in ShownDiscounts)
    parts = [{"funder": "bank", "amount": 350}, {"funder": "merchant", "amount": 150}]
    assert (by_funder["amount"], by_funder["discount"], by_funder["discounts"]) == (2_599, 500, parts)
    assert (total["amount"], total["discount"], total["discounts"]) == (2_599, 500, None)
    assert (none["amount"], none["discount"], none["discounts"]) == (None, None, None)
    assert [shown["refunds"][0]["amount"] for shown in (by_funder, total, none)] == [1_000, 1_000, None]
    assert {shown["payable"] for shown in (by_funder, total, none)} == {2_099}


def test_the_page_shows_discounts_the_same_way() -> None:
    by_funder, total, none = (Page(receipt(shows=shows)).text for shows in ShownDiscounts)
    assert all(
        part in by_funder for part in ("¥25.99", "Discount (bank)", "−¥3.50", "Discount (from the shop)", "−¥1.50")
    )
    assert all(part in total for part in ("¥25.99", "−¥5.00", "¥20.99"))
    assert "bank" not in total
    assert "¥20.99" in none
    assert not any(part in none for part in ("¥25.99", "Discount", "5.00", "bank"))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.CHINESE, ["电子凭证", "已部分退款", "微信支付", "商家订单号", "R-1", "处理中"]),
        (Language.ENGLISH, ["Receipt", "Partly refunded", "WeChat Pay", "Order", "R-1", "under way"]),
    ],
)
def test_the_page_speaks_the_readers_language_and_the_shops_time(language: Language, words: list[str]) -> None:
    page = Page(receipt(PART, WAITING), language)
    for word in [*words, "街角 <Café>", "2026-11-22 01:02:03", "4200001", "POS7-1", "−¥8.07", "Asia/Shanghai", "s-1"]:
        assert word in page.text, word


def test_the_page_is_small_even_with_every_refund_that_a_payment_can_have() -> None:
    many = [GivenBack("R" * 32, RefundStatus.SUCCEEDED, 10, 8, PAID_AT)] * 50
    assert Page(receipt(*many)).size <= 30 * 1024
    assert Page(receipt()).size <= 6 * 1024


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=64))
def test_no_text_of_a_shop_or_a_till_becomes_html(text: str) -> None:
    hostile = f"<script>{text}</script>&amp;"
    made = receipt(GivenBack(hostile, RefundStatus.SUCCEEDED, 1, 1, PAID_AT), name=hostile, store_id=hostile)
    assert Page(made).tags == Page(receipt(PART)).tags


def test_a_link_that_leads_nowhere_says_so_and_tells_nothing_else() -> None:
    for language in Language:
        made = missing_page(language)
        assert made.status_code == 404
        assert made.headers["x-robots-tag"].startswith("noindex")


def test_a_token_finds_its_payment_and_no_other() -> None:
    vault, payment_id = Vault(bytes(32)), new_id("pay")
    token = receipt_token(vault, payment_id)
    assert payment_of_token(vault, token) == payment_id
    assert payment_of_token(Vault(bytes(31) + b"1"), token) is None
    other = receipt_token(vault, new_id("pay"))
    assert payment_of_token(vault, other[:26] + token[26:]) is None
    for place in range(len(token)):
        changed = token[:place] + ("2" if token[place] != "2" else "3") + token[place + 1 :]
        assert payment_of_token(vault, changed) is None


@given(st.text(max_size=60))
def test_no_other_text_is_a_token(text: str) -> None:
    assert payment_of_token(Vault(bytes(32)), text) is None


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("wallet", Wallet)
def test_every_wallet_has_a_name_that_customers_know(wallet: Wallet, language: Language) -> None:
    assert wallet not in Page(receipt(wallet=wallet), language).seen
    assert Page(receipt(wallet="visa"), language).seen.count("visa") == 1


def test_a_funder_of_two_campaigns_stands_on_the_receipt_once() -> None:
    standing = payment(status=Status.SUCCEEDED, payable=Money(2_099))
    shown = Receipt.of(
        Shop("demo", "Asia/Shanghai", ShownDiscounts.BY_FUNDER),
        standing,
        paid_at=PAID_AT,
        funding=[Funder("bank", Money(200)), Funder("merchant", Money(150)), Funder("bank", Money(150))],
        refunds=[],
        url="https://p.example/r/x",
    )
    assert shown.funding == FUNDING
