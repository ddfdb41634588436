"""The report as JSON, as a file for spreadsheets and as a page: the same figures, and nothing that a text can break."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.pages import Language
from gateway.reports.page import shift_page
from gateway.reports.schemas import ShiftReportObject, report_json
from gateway.reports.shift import Lines
from gateway.reports.spreadsheet import COLUMNS, as_csv
from gateway.reports.words import WORDS
from routing.channels.base import Wallet
from tests.unit.reports.days import MERCHANT, PAYMENT, REFUND, START, report

SHANGHAI = ZoneInfo("Asia/Shanghai")


def rows(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def test_the_json_is_what_is_documented() -> None:
    shown = orjson.dumps(report_json(report(open=Lines((PAYMENT,), (REFUND,))), MERCHANT))
    documented = ShiftReportObject.model_validate_json(shown).model_dump(mode="json", by_alias=True)
    assert _names(orjson.loads(shown)) == _names(documented)


def _names(value: object) -> object:
    if isinstance(value, dict):
        return {name: _names(inner) for name, inner in value.items()}
    return [_names(inner) for inner in value] if isinstance(value, list) else None


def test_the_json_has_totals_and_their_parts_and_the_books_beside_them() -> None:
    shown = report_json(report(), MERCHANT)
    assert shown["totals"] == {
        "payments": {"count": 1, "amount": 2_599, "discount": 500, "payable": 2_099},
        "refunds": {"count": 1, "amount": 1_000, "returned_to_customer": 807, "discount_returned": 193},
        "net": 1_292,
        "fees": 5,
    }
    assert shown["by_terminal"] == [{"store_id": "s-1", "terminal_id": "t-1", **shown["totals"]}]
    assert shown["by_wallet"] == [{"wallet": "wechat", **shown["totals"]}]
    assert shown["ledger"]["agrees"] is True
    assert (shown["ledger"]["captured"], shown["ledger"]["merchant_payable"]) == (2_099, 1_594)
    assert (shown["from"], shown["timezone"]) == ("2026-11-21T16:00:00.000Z", "Asia/Shanghai")


def test_a_spreadsheet_has_a_line_for_each_payment_and_refund_in_local_time() -> None:
    file = as_csv(report(), SHANGHAI)
    assert file.startswith(b"\xef\xbb\xbfkind,time,")
    head, payment, refund = (dict(zip(COLUMNS, row, strict=True)) for row in rows(file))
    assert list(head) == list(head.values())
    assert (payment["kind"], payment["time"], payment["amount_fen"], payment["customer_fen"]) == (
        "payment",
        "2026-11-22 00:00:00",
        "2599",
        "2099",
    )
    assert (refund["kind"], refund["merchant_refund_no"], refund["customer_fen"], refund["discount_fen"]) == (
        "refund",
        "R-1",
        "807",
        "193",
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "007", "4200002611202611"])
def test_no_text_is_computed_or_loses_digits_in_a_spreadsheet(text: str) -> None:
    file = as_csv(report(lines=Lines((PAYMENT._replace(store_id=text),), ())), SHANGHAI)
    assert rows(file)[1][COLUMNS.index("store_id")] == f"'{text}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=32))
def test_any_text_stays_in_its_cell(text: str) -> None:
    file = as_csv(report(lines=Lines((PAYMENT._replace(operator_id=text),), ())), SHANGHAI)
    assert rows(file)[1][COLUMNS.index("operator_id")].removeprefix("'") == text.removeprefix("'")


class Texts(HTMLParser):
    """What a reader sees, and which tags there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.tags: list[str] = []
        self.feed(page)
        self.text = " ".join(self.seen)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


@pytest.mark.parametrize(
    ("language", "words"),
    [(Language.CHINESE, ["交班表", "与账本一致", "微信支付"]), (Language.ENGLISH, ["Shift report"])],
)
def test_the_page_speaks_the_readers_language_and_local_time(language: Language, words: list[str]) -> None:
    seen = Texts(bytes(shift_page(report(), MERCHANT, language).body).decode())
    for word in [*words, "街角 <Café>", "2026-11-22 00:00:00", "¥20.99", "−¥8.07", "¥12.92", "POS7-1", "Asia/Shanghai"]:
        assert word in seen.text, word
    assert "café" not in seen.tags


def test_the_page_says_when_the_books_do_not_agree_and_what_is_open() -> None:
    english = shift_page(report(books={}, open=Lines((PAYMENT,), ())), MERCHANT, Language.ENGLISH)
    text = bytes(english.body).decode()
    assert "not equal to the ledger" in text
    assert "<h2>Open</h2>" in text
    assert "<h2>Open</h2>" not in bytes(shift_page(report(), MERCHANT, Language.ENGLISH).body).decode()


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=32))
def test_no_text_of_a_till_becomes_html(text: str) -> None:
    plain = Texts(bytes(shift_page(report(), MERCHANT, Language.ENGLISH).body).decode()).tags
    line = PAYMENT._replace(merchant_order_no=f"<b>{text}</b>", created_at=START + timedelta(seconds=1))
    made = shift_page(report(lines=Lines((line,), (REFUND,))), MERCHANT, Language.ENGLISH)
    assert Texts(bytes(made.body).decode()).tags == plain


def test_every_row_of_the_page_has_the_cells_of_its_head() -> None:
    page = bytes(shift_page(report(open=Lines((PAYMENT,), (REFUND,))), MERCHANT, Language.ENGLISH).body).decode()
    for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        assert len({len(re.findall(r"<t[hd]", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)}) == 1


@pytest.mark.parametrize("language", Language)
def test_every_wallet_has_a_name_of_its_own(language: Language) -> None:
    names = [WORDS[language].name(wallet) for wallet in Wallet]
    assert not set(names) & set(Wallet)
    assert len(set(names)) == len(Wallet)
