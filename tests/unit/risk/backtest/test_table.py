"""Files of payments: which column is what, times of both kinds, labels, and what is refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from risk.backtest.columns import Columns
from risk.backtest.history import DAY_MS, NEVER_MS, History
from risk.backtest.table import TableError, TableForm, read_tables
from tests.support.risk_history import payments, write

_PLAIN = TableForm({})


def _read(folder: Path, text: str, form: TableForm = _PLAIN) -> History:
    file = folder / "payments.csv"
    file.write_text(text, encoding="utf-8")
    return read_tables([file], form)


def test_the_handbooks_columns_are_known_by_their_headings_gzipped_or_not(tmp_path: Path) -> None:
    sold = payments(days=3)
    plain = read_tables([write(tmp_path / "a.csv", sold)], _PLAIN)
    packed = read_tables([write(tmp_path / "a.csv.gz", sold)], _PLAIN)
    for history in (plain, packed):
        assert history.ids == [str(each.number) for each in sold]
        assert history.timeline.at_ms.tolist() == [1000 * each.at_s for each in sold]
        assert history.amount_fen.tolist() == [each.amount_fen for each in sold]
        assert history.fraud.tolist() == [each.fraud for each in sold]
        assert history.keys["terminal"] == [str(each.terminal) for each in sold]
        assert (history.known_ms - history.timeline.at_ms == 7 * DAY_MS).all()


def test_several_files_are_one_history_by_time(tmp_path: Path) -> None:
    sold = payments(days=4)
    late, early = write(tmp_path / "late.csv", sold[300:]), write(tmp_path / "early.csv", sold[:300])
    both = read_tables([late, early], _PLAIN)
    assert both.ids == [str(each.number) for each in sold]
    assert both.amount_fen.tolist() == [each.amount_fen for each in sold]
    assert both.keys["customer"] == [str(each.customer) for each in sold]
    assert both.days[-1] == 3


def test_times_in_rfc_3339_and_columns_of_other_names(tmp_path: Path) -> None:
    text = (
        "when,fen,shop,label,told,payment.wallet,payment.has_coupon\n"
        "2026-11-22T10:00:00+08:00,1250,s-1,1,2026-11-25T00:00:00Z,wechat,true\n"
        "2026-11-22T09:00:00+08:00,900,,,,,\n"
    )
    names = {"at": "when", "amount": "fen", "store": "shop", "fraud": "label", "known_at": "told"}
    history = _read(tmp_path, text, TableForm(names, timezone="Asia/Shanghai"))
    assert history.amount_fen.tolist() == [900, 1250]
    assert history.keys["store"] == [None, "s-1"]
    assert history.fraud.tolist() == [False, True]
    assert history.known_ms.tolist() == [
        NEVER_MS,
        int(datetime(2026, 11, 25, tzinfo=UTC).timestamp() * 1000),
    ]
    rows = list(Columns(history).rows(["payment.hour", "payment.wallet", "payment.has_coupon"], 0, 2))
    assert rows == [
        {"payment.hour": 9, "payment.wallet": None, "payment.has_coupon": None},
        {"payment.hour": 10, "payment.wallet": "wechat", "payment.has_coupon": True},
    ]


def test_numbers_are_seconds_from_the_start_and_days_are_counted_from_there(tmp_path: Path) -> None:
    form = TableForm({}, start=datetime(2018, 4, 1, tzinfo=UTC))
    history = _read(tmp_path, f"at,amount\n{90 * 86_400 + 5},100\n", form)
    assert history.days.tolist() == [90]
    assert history.timeline.at_ms[0] == datetime(2018, 6, 30, 0, 0, 5, tzinfo=UTC).timestamp() * 1000
    assert not history.labelled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("at,amount\n", "has no payments"),
        ("at,amount\n1,2,3\n", "line 2"),
        ("at,sum\n1,2\n", "--map amount=HEADING"),
        ("at,amount\n1,2\n2,2.5\n", "whole numbers: row 2 says “2.5”"),
        ("at,amount\nyesterday,2\n", "is no time"),
        ("at,amount\n2026-11-22T10:00:00,2\n", "time zone"),
        ("at,amount,fraud\n1,2,maybe\n", "A label is"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(TableError, match=told):
        _read(tmp_path, text)


@pytest.mark.parametrize("headings", [{"fraud": "nothing"}, {"frauds": "fraud"}])
def test_a_column_that_is_not_there_or_means_nothing_is_named(tmp_path: Path, headings: dict[str, str]) -> None:
    with pytest.raises(TableError, match=r"nothing|frauds"):
        _read(tmp_path, "at,amount,fraud\n1,2,0\n", TableForm(headings))
