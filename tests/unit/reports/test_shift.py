"""Periods are local days; sums are held against the books in every part."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reports.shift import Books, Group, Period, Sums, Till, period_of, summed
from tests.unit.reports.days import BOOKS, SUMS, TILL, report

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, 16, tzinfo=UTC)


def test_without_bounds_it_is_the_local_day() -> None:
    assert period_of(None, None, SHANGHAI, NOON) == Period(MIDNIGHT, MIDNIGHT + timedelta(days=1))


def test_from_a_moment_on_it_is_the_rest_of_that_local_day() -> None:
    assert period_of(NOON, None, SHANGHAI, NOON) == Period(NOON, MIDNIGHT + timedelta(days=1))


def test_until_a_moment_it_is_that_local_day_so_far_and_midnight_ends_the_day_before() -> None:
    assert period_of(None, NOON, SHANGHAI, NOON) == Period(MIDNIGHT, NOON)
    assert period_of(None, MIDNIGHT, SHANGHAI, NOON) == Period(MIDNIGHT - timedelta(days=1), MIDNIGHT)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_a_local_day_is_as_long_as_it_is(day: tuple[int, int, int], hours: int) -> None:
    period = period_of(None, None, BERLIN, datetime(*day, 12, tzinfo=BERLIN))
    assert period.end - period.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("length", "is_sound"),
    [
        (timedelta(microseconds=1), True),
        (timedelta(days=31), True),
        (timedelta(days=31, hours=1), True),
        (timedelta(days=31, hours=1, microseconds=1), False),
        (timedelta(0), False),
        (timedelta(seconds=-1), False),
    ],
)
def test_a_period_has_a_length_of_at_most_a_month(length: timedelta, *, is_sound: bool) -> None:
    assert Period(NOON, NOON + length).is_sound is is_sound


def test_books_that_say_the_same_agree() -> None:
    assert BOOKS.agree_with(SUMS)
    assert report().agrees


@pytest.mark.parametrize("name", [field.name for field in fields(Books)])
@pytest.mark.parametrize("by", [-1, 1])
def test_a_fen_more_or_less_in_any_part_of_the_books_is_no_agreement(name: str, by: int) -> None:
    assert not replace(BOOKS, **{name: getattr(BOOKS, name) + by}).agree_with(SUMS)


@pytest.mark.parametrize("name", ["amount", "payable", "refunded", "returned", "fee_returned"])
def test_a_fen_more_in_any_sum_is_no_agreement(name: str) -> None:
    assert not BOOKS.agree_with(replace(SUMS, **{name: getattr(SUMS, name) + 1}))


def test_a_till_that_only_one_side_knows_is_no_agreement() -> None:
    group = Group(TILL, "wechat")
    assert not report(sums={}).agrees
    assert not report(books={}).agrees
    assert report(sums={}, books={}).agrees
    assert report(books={group: BOOKS, Group(Till(), None): Books()}).agrees


def test_a_posting_that_belongs_to_no_sale_makes_a_difference_where_it_concerns_the_merchant() -> None:
    assert Books.of("correction", "merchant_payable", "channel_receivable", 5) == Books(merchant=-5)
    assert Books.of("correction", "elsewhere", "channel_receivable", 5) == Books()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100)), max_size=20))
def test_what_stands_under_one_key_is_added_up(rows: list[tuple[str, int]]) -> None:
    found = summed((key, Sums(amount=amount)) for key, amount in rows)
    assert {key: sums.amount for key, sums in found.items()} == {
        key: sum(amount for other, amount in rows if other == key) for key, _ in rows
    }


def test_divided_by_anything_the_parts_make_the_whole() -> None:
    groups = {
        Group(Till(store, terminal, operator), wallet): Sums(payments=1, amount=7, payable=7)
        for store in ("s-1", None)
        for terminal in ("t-1", "t-2")
        for operator in ("o-1", None)
        for wallet in ("wechat", "alipay")
    }
    made = report(sums=groups, books={})
    for key in (lambda g: g.wallet, lambda g: g.till.store_id, lambda g: g.till[:2], lambda g: g.till.operator_id):
        parts = [sums for sums, _ in made.by(key).values()]
        assert sum(parts, Sums()) == made.total()[0] == Sums(payments=16, amount=112, payable=112)
    assert len(made.by(lambda g: g.till[:2])) == 4
