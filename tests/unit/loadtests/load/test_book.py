"""The clients' books: one of each process, merged by time, and readable by the audit."""

from pathlib import Path

import orjson

from gateway.audit.clientlog import ClientLogSummary, read_client_log
from gateway.audit.findings import Findings
from gateway.audit.scratch import Scratch
from loadtests.load.book import PATTERN, Book, merge


def _line(at: str, order_no: str) -> bytes:
    return b'{"time":"2026-11-11T00:00:%b","merchant_order_no":"%b"}\n' % (at.encode(), order_no.encode())


def test_books_are_merged_by_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(_line("01.000001+00:00", "one") + _line("03.000000+00:00", "three"))
    second.write_bytes(_line("02.000000+00:00", "two") + _line("59.000000+00:00", "four"))
    merged = merge([first, second], tmp_path / "all")
    orders = [orjson.loads(line)["merchant_order_no"] for line in (tmp_path / "all").read_bytes().splitlines()]
    assert orders == ["one", "two", "three", "four"]
    assert (merged.books, merged.lines, merged.torn) == (2, 4, 0)


def test_a_line_that_a_process_died_over_is_left_out_and_counted(tmp_path: Path) -> None:
    whole, torn = tmp_path / "a", tmp_path / "b"
    whole.write_bytes(_line("09.000000+00:00", "last"))
    torn.write_bytes(_line("01.000000+00:00", "first") + b'{"time":"2026-11-11T00:00:02.000')
    merged = merge([whole, torn], tmp_path / "all")
    assert (merged.lines, merged.torn) == (2, 1)
    assert (tmp_path / "all").read_bytes() == _line("01.000000+00:00", "first") + _line("09.000000+00:00", "last")


def test_the_audit_reads_what_a_book_holds_of_each_merchant(tmp_path: Path) -> None:
    book = Book(tmp_path)
    payment = {
        "object": "payment", "id": "pay_1", "merchant_order_no": "L-1", "status": "succeeded",
        "amount": 100, "payable": 90, "amount_refunded": 0,
    }  # fmt: skip
    body = {"merchant_order_no": "L-1", "amount": 100, "currency": "CNY", "method": "qrcode"}
    for merchant in ("mer_1", "mer_2"):
        book.write(merchant, "L-1", body, 201, orjson.dumps({**payment, "id": f"pay_{merchant}"}))
    book.write("mer_1", None, None, 200, orjson.dumps({**payment, "id": "pay_mer_1"}))
    book.write("mer_1", "L-2", body, 0, b"")
    book.write("mer_1", "L-3", body, 502, b"<html>Bad Gateway</html>")
    book.close()
    [path] = tmp_path.glob(PATTERN)
    merge([path], tmp_path / "merged")
    findings, summary = Findings(20), ClientLogSummary()
    scratch = Scratch(tmp_path / "scratch.sqlite")
    read_client_log(tmp_path / "merged", scratch, findings, summary)
    # The same number at two merchants is two orders
    assert scratch.orders() == 2
    assert list(scratch.orders_with_two_payments()) == []
    scratch.close()
    assert (summary.lines, summary.answers) == (5, 3)
    assert summary.http_statuses == {"201": 2, "200": 1, "none": 1, "502": 1}
