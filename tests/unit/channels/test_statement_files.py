"""Files of statements are unpacked within bounds, and their cells are read exactly."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.clock import BEIJING
from gateway.kernel.money import Money
from routing.channels import statement_files
from routing.channels.statement_files import (
    fee_of_cell,
    fen_of_cell,
    gunzipped,
    may_download,
    moment_of_cell,
    text_lines,
    unzipped,
)
from tests.unit.channels.shown import zipped


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """A bound that a test can reach."""
    monkeypatch.setattr(statement_files, "UNPACKED_BYTES_MAX", 1_000)
    return 1_000


def test_a_gzip_file_of_several_members_is_one_text() -> None:
    assert gunzipped(gzip.compress(b"one") + gzip.compress(b"two")) == b"onetwo"


@pytest.mark.parametrize("sizes", [[1_001], [1_000_000], [1_000, 1], [500, 501], [1_001, 1_000_000]])
def test_a_gzip_file_that_grows_too_large_is_refused(small: int, sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="too large"):
        gunzipped(b"".join(gzip.compress(b"x" * size) for size in sizes))
    assert len(gunzipped(gzip.compress(b"x" * small))) == small


@pytest.mark.parametrize(
    "packed",
    [b"x", gzip.compress(b"text")[:-1], gzip.compress(b"text") + b"x", b"\x1f\x8b" + b"\0" * 30],
    ids=["a letter", "cut off", "longer", "zeros"],
)
def test_what_is_no_whole_gzip_file_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="gzip"):
        gunzipped(packed)


def test_a_file_of_an_archive_is_found_by_its_name_in_gbk() -> None:
    packed = zipped({"汇总.csv": b"sums", "明细.csv": b"details"})
    assert unzipped(packed, "gbk", lambda name: "明细" in name) == ("明细.csv", b"details")
    with pytest.raises(ValueError, match="not in the archive"):
        unzipped(packed, "gbk", lambda name: "别的" in name)


def test_a_file_of_an_archive_that_grows_too_large_is_refused(small: int) -> None:
    with pytest.raises(ValueError, match="too large"):
        unzipped(zipped({"a": b"x" * (small + 1)}), "gbk", lambda name: name == "a")
    assert unzipped(zipped({"a": b"x" * small}), "gbk", lambda _: True)[1] == b"x" * small


@pytest.mark.parametrize(
    "packed",
    [b"", b"PK\5\6" + b"\0" * 18, b"PK\3\4" * 50, zipped({"a": b"x" * 99})[10:]],
    ids=["nothing", "an end", "beginnings", "without its beginning"],
)
def test_what_is_no_archive_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each has a complaint of its own)
        unzipped(packed, "gbk", lambda _: True)


def test_an_archive_under_a_password_or_with_names_of_another_encoding_is_refused() -> None:
    packed = bytearray(zipped({"a": b"x"}))
    packed[6] |= 1
    packed[packed.index(b"PK\1\2") + 8] |= 1
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("~~", b"x")
    for raw in (bytes(packed), other.getvalue().replace(b"~~", b"\xff\xff")):
        with pytest.raises(ValueError, match="ZIP"):
            unzipped(raw, "gbk", lambda _: True)


def test_only_a_line_feed_ends_a_line() -> None:
    assert list(text_lines("a\u2028b\x0bc\r\nd\r\r\n\n".encode(), "utf-8")) == ["a\u2028b\x0bc", "d", ""]


@given(fen=st.integers(-(10**11), 10**11))
def test_amounts_are_read_as_they_are_written(fen: int) -> None:
    assert fen_of_cell(f" {Money(fen).yuan}\t") == fee_of_cell(f"{Money(fen).yuan}000") == abs(fen)


@pytest.mark.parametrize(
    "text", ["", " ", "-", "1.", ".5", "1e3", "1,000.00", "NaN", "１", "1.234", "--1", "0x1", "¥1"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    if text != "1.":
        with pytest.raises(ValueError, match="yuan"):
            fen_of_cell(text)
    if text != "1.234":
        with pytest.raises(ValueError, match="yuan"):
            fee_of_cell(text)


@pytest.mark.parametrize(("text", "fen"), [("0.00499", 0), ("0.005", 1), ("-0.005", 1), ("0.01499999", 1), ("1", 100)])
def test_parts_of_a_fen_are_rounded_half_up(text: str, fen: int) -> None:
    assert fee_of_cell(text) == fen


def test_times_are_beijings() -> None:
    assert moment_of_cell(" 2026-11-22 10:15:30\t") == datetime(2026, 11, 22, 10, 15, 30, tzinfo=BEIJING)
    for text in ("", "x", "2026-11-22 10:15:30+00:00", "2026-13-01 00:00:00"):
        with pytest.raises(ValueError):  # noqa: PT011 (each has a complaint of its own)
            moment_of_cell(text)


@pytest.mark.parametrize(
    ("url", "account", "may"),
    [
        ("https://files.example/x?t=1", "https://api.example", True),
        ("http://127.0.0.1:8101/x", "http://127.0.0.1:8101/a", True),
        ("http://127.0.0.1:8102/x", "http://127.0.0.1:8101", False),
        ("http://api.example/x", "https://api.example", False),
        ("http://127.0.0.1:8101@evil.example/x", "http://127.0.0.1:8101", False),
        ("ftp://127.0.0.1:8101/x", "http://127.0.0.1:8101", False),
        ("/x", "http://127.0.0.1:8101", False),
        ("", "", True),
    ],
)
def test_a_file_comes_over_https_or_from_the_accounts_own_host(url: str, account: str, may: bool) -> None:
    assert may_download(url, account) is may
