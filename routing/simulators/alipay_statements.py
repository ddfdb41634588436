"""Alipay's bills: the link to one, good for seconds, and the file behind it.  CHANNEL-PROTOCOLS 2.7."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode

from gateway.kernel.clock import BEIJING
from routing.simulators.acts import Act
from routing.simulators.alipay_account import AlipayAccount
from routing.simulators.alipay_answers import SUCCESS
from routing.simulators.alipay_bill import Bill
from routing.simulators.alipay_fields import Ask, Bad, Document
from routing.simulators.books import Books
from routing.simulators.channel import HttpAnswer
from routing.simulators.files import Files
from routing.simulators.statement_lines import lines_between

FILE_PATH: Final = "/downloadBillFile.resource"
_READY: Final = time(9)
"""On the day after, in Beijing."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")
_MAKERS: Final[dict[str, Callable[[Bill], bytes]]] = {"trade": Bill.business, "signcustomer": Bill.account}


@dataclass(frozen=True, slots=True)
class Span:
    """A day or a month: its first day and the day after its last."""

    first: date
    until: date
    label: str


def read_span(text: object) -> Span:
    """`yyyy-MM-dd` or `yyyy-MM`.  Raises Bad."""
    found = _DATE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Bad("INVAILID_ARGUMENTS")
    try:
        first = date.fromisoformat(found[0] if found[1] else f"{found[0]}-01")
    except ValueError:
        raise Bad("INVAILID_ARGUMENTS") from None
    until = first + timedelta(days=1) if found[1] else (first + timedelta(days=31)).replace(day=1)
    return Span(first, until, found[0].replace("-", ""))


def _midnight_ms(day: date) -> int:
    """When the day begins in Beijing."""
    return round(datetime.combine(day, time(), BEIJING).timestamp() * 1_000)


class AlipayStatements:
    """The bills of one application's seller."""

    def __init__(self, account: AlipayAccount, books: Books) -> None:
        self._account = account
        self._books = books
        self._files = Files(books)

    def download_url(self, ask: Ask, act: Act) -> Document:  # noqa: ARG002  # a bill is no order
        """The link to a ZIP that is made now; BILL_NOT_EXIST before nine o'clock after the span, or of nothing."""
        kind, wanted = ask.content.get("bill_type"), ask.content.get("bill_date")
        if not isinstance(kind, str) or kind not in _MAKERS:
            raise Bad("TYPE_NOT_SUPPORTED")
        span = read_span(wanted)
        content = _MAKERS[kind](self._bill(span))
        query = {
            "bizType": kind,
            "userId": f"{self._account.seller_id}0156",
            "fileType": "csv.zip",
            "bizDates": span.label,
            "downloadFileName": f"{self._account.seller_id}0156_{span.label}.csv.zip",
            "fileId": f"/{kind}/{span.label}",
            "timestamp": str(self._books.now_ms()),
            "token": self._files.keep(content, self._account.settings.bill_good_for_s),
        }
        return SUCCESS | {"bill_download_url": f"http://{ask.host}{FILE_PATH}?{urlencode(query)}"}

    def _bill(self, span: Span) -> Bill:
        settings, now = self._account.settings, datetime.fromtimestamp(self._books.now_ms() / 1_000, BEIJING)
        if now < datetime.combine(span.until, _READY, BEIJING) and not settings.statement_today:
            raise Bad("BILL_NOT_EXIST")
        from_ms, until_ms = _midnight_ms(span.first), _midnight_ms(span.until)
        lines = lines_between(self._books, self._account.app_id, from_ms, until_ms, settings.fee_rate_millionths)
        if not lines:
            raise Bad("BILL_NOT_EXIST")
        return Bill(self._account.seller_id, span.label, span.first, span.until, lines, now)

    def file(self, token: str) -> HttpAnswer:
        """The ZIP; without any signature, as the link itself is the proof."""
        content = self._files.fetch(token)
        if content is None:
            return HttpAnswer(
                404, [(b"Content-Type", b"text/html;charset=GBK")], "文件不存在或链接已失效".encode("gbk")
            )
        disposition = (b"Content-Disposition", b"attachment; filename=bill.csv.zip")
        return HttpAnswer(200, [(b"Content-Type", b"application/octet-stream"), disposition], content)
