"""UnionPay's reconciliation files: base64, DEFLATE, ZIP, and GBK lines of fixed byte widths.  CHANNEL-PROTOCOLS 3.5."""

from __future__ import annotations

import base64
import binascii
import io
import re
import zipfile
import zlib
from datetime import date, datetime, time
from itertools import accumulate
from typing import Final

from gateway.kernel.clock import BEIJING
from routing.channels.statements import Statement, StatementKind, StatementLine
from routing.channels.unionpay_answers import moment_near

FILE_BYTES_MAX: Final = 128 * 1024 * 1024
"""Unpacked: more than 200,000 transactions; a file that grows beyond it is not a statement."""
_ENTRIES_MAX: Final = 16
_PACKINGS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_WIDTHS: Final = (
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13,
    13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
)  # fmt: skip
_STARTS: Final = tuple(accumulate((width + 1 for width in _WIDTHS), initial=0))
# The numbers of the fields that are read, counted from 1 as in the document.
_TRACE_TIME, _AMOUNT, _QUERY_ID, _ORDER, _FEE, _KIND, _ORIGINAL_QUERY_ID, _MERCHANT = 5, 7, 10, 12, 16, 20, 27, 28
_ORIGINAL_ORDER: Final = 41
_KINDS: Final = {
    b"01": StatementKind.PAYMENT,
    b"04": StatementKind.REFUND,
    b"31": StatementKind.REFUND,
    b"99": StatementKind.REFUND,
}
_REVERSAL: Final = b"99"
_FEE_FORM: Final = re.compile(rb"[CD]?([0-9]{1,12})")
_AMOUNT_FORM: Final = re.compile(rb"[0-9]{1,12}")
_NUMBER_FORM: Final = re.compile(rb"[0-9A-Za-z]{1,40}")


def inflated(content: str) -> bytes:
    """The bytes behind a `fileContent`.  Raises ValueError, also where there is no end to them."""
    inflating = zlib.decompressobj()
    try:
        whole = inflating.decompress(base64.b64decode(content, validate=True), FILE_BYTES_MAX)
    except (binascii.Error, zlib.error):
        raise ValueError("neither base64 nor DEFLATE") from None
    if not inflating.eof:
        raise ValueError("cut short or too large")
    return whole


def entries(packed: bytes) -> dict[str, bytes]:
    """The files of a ZIP by name.  Raises ValueError, also where they are too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            found = archive.infolist()
            if len(found) > _ENTRIES_MAX or sum(entry.file_size for entry in found) > FILE_BYTES_MAX:
                raise ValueError("too many or too large files")
            if any(entry.compress_type not in _PACKINGS for entry in found):
                raise ValueError("not packed as UnionPay packs")
            return {entry.filename: archive.read(entry) for entry in found}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        raise ValueError("not a readable ZIP") from None


def read_statement(content: str, mer_id: str, day: date, order_characters: int) -> Statement:
    """The statement of a settlement date from the `fileContent` of 76/01.

    A line of a refund does not always name its order: it is found by the line of the payment, or else in the first
    `order_characters` of the refund's own number.  Kinds of business that are not ours (pre-authorisations, fees) stay
    in the content and make no line.  Raises ValueError.
    """
    name = f"INN{day:%y%m%d}"
    for found, details in entries(inflated(content)).items():
        if found.startswith(name) and found[11:14] == "ZM_" and found[14:] == mer_id:
            return Statement(found, details, _lines(details, mer_id, day, order_characters))
    raise ValueError("no details of that merchant and day")


def _lines(details: bytes, mer_id: str, day: date, order_characters: int) -> tuple[StatementLine, ...]:
    middle = datetime.combine(day, time(), BEIJING)
    rows = [row for row in details.split(b"\r\n") if row.strip()]
    orders = {_field(row, _QUERY_ID): _number(row, _ORDER) for row in rows if _field(row, _KIND) == b"01"}
    return tuple(
        [
            _line(row, kind, middle, orders, order_characters)
            for row in rows
            if _field(row, _MERCHANT) == mer_id.encode() and (kind := _KINDS.get(_field(row, _KIND))) is not None
        ]
    )


def _line(
    row: bytes, kind: StatementKind, middle: datetime, orders: dict[bytes, str], order_characters: int
) -> StatementLine:
    number = _number(row, _ORDER)
    amount, fee = _AMOUNT_FORM.fullmatch(_field(row, _AMOUNT)), _FEE_FORM.fullmatch(_field(row, _FEE) or b"0")
    at = moment_near(_field(row, _TRACE_TIME).decode("ascii", "replace"), middle)
    if amount is None or fee is None or at is None:
        raise ValueError("a line without amount, fee or time")
    is_refund = kind is StatementKind.REFUND and _field(row, _KIND) != _REVERSAL
    order_no = number
    if is_refund:
        named = _field(row, _ORIGINAL_ORDER)
        known = orders.get(_field(row, _ORIGINAL_QUERY_ID), number[:order_characters])
        order_no = _number(row, _ORIGINAL_ORDER) if named else known
    return StatementLine(
        kind=kind,
        order_no=order_no,
        refund_no=number if is_refund else None,
        channel_trade_no=_number(row, _QUERY_ID),
        amount_fen=int(amount[0]),
        fee_fen=int(fee[1]),
        at=at,
    )


def _field(row: bytes, number: int) -> bytes:
    """A field's bytes without its filling; slicing bytes, for a character of GBK has one or two."""
    start = _STARTS[number - 1]
    return row[start : start + _WIDTHS[number - 1]].strip()


def _number(row: bytes, number: int) -> str:
    value = _field(row, number)
    if not _NUMBER_FORM.fullmatch(value):
        raise ValueError("a line without its numbers")
    return value.decode("ascii")
