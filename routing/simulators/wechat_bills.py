"""The WeChat simulator's bills: by day, from an address that is good for five minutes (CHANNEL-PROTOCOLS 1.9)."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from gateway.kernel.clock import BEIJING
from routing.simulators.acts import Act, Sealing
from routing.simulators.books import Books
from routing.simulators.channel import HttpAnswer
from routing.simulators.files import Files
from routing.simulators.statement_lines import Line, lines_between
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import WechatDraft, ok
from routing.simulators.wechat_bill_text import BillType, flows_of, fund_flow_bill, trade_bill
from routing.simulators.wechat_desk import Asked, Desk
from routing.simulators.wechat_fields import BadField

FILE: Final = "/v3/billdownload/file"
_GOOD_FOR_S: Final = 300
_DAYS_BACK_MAX: Final = 92
_BUILT_FROM: Final = time(9)
_ACCOUNTS: Final = ("BASIC", "OPERATION", "FEES")
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class FileDraft:
    """A file: never signed."""

    body: bytes

    def seal(self, sealing: Sealing) -> HttpAnswer:  # noqa: ARG002  # there is no signature to spoil
        """As it is."""
        return self._answer(self.body)

    def malformed(self) -> HttpAnswer:
        """Half of it."""
        return self._answer(self.body[: len(self.body) // 2])

    def _answer(self, body: bytes) -> HttpAnswer:
        kind = b"application/x-gzip" if body.startswith(_GZIP) else b"text/plain;charset=UTF-8"
        return HttpAnswer(200, [(b"Content-Type", kind)], body)


class NoBill(Exception):
    """There is no bill of that day, or not yet; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class BillDesk(Desk):
    """Bills."""

    def __init__(self, account: WechatAccount, books: Books) -> None:
        super().__init__(account, books)
        self._files = Files(books)

    def trade_bill(self, asked: Asked, _act: Act) -> WechatDraft:
        """Every payment and refund of a day, or the one kind of them."""
        try:
            kind = BillType(_choice(asked, "bill_type", tuple(BillType)))
            compressed = _compressed(asked)
            lines = self._lines(self._day(asked))
        except BadField as error:
            return self.bad(asked, error)
        except NoBill as error:
            return self.fail(asked, error.code)
        return self._offer(asked, trade_bill(self.account, lines, kind), compressed=compressed)

    def fund_flow_bill(self, asked: Asked, _act: Act) -> WechatDraft:
        """Every movement of a day on one of the merchant's accounts; only the basic one has any."""
        try:
            account = _choice(asked, "account_type", _ACCOUNTS)
            compressed = _compressed(asked)
            day = self._day(asked)
            if account != "BASIC":
                raise NoBill("NO_STATEMENT_EXIST")  # noqa: TRY301
            flows = flows_of(self._lines(day))
        except BadField as error:
            return self.bad(asked, error)
        except NoBill as error:
            return self.fail(asked, error.code)
        before = flows_of(self._between(0, _starts_ms(day)))
        balance_fen = sum(flow.amount_fen for flow in before)
        return self._offer(asked, fund_flow_bill(flows, balance_fen), compressed=compressed)

    def file(self, asked: Asked, _act: Act) -> WechatDraft | FileDraft:
        """The file behind a download address."""
        content = self._files.fetch(asked.query.get("token", ""))
        if content is None:
            return self.fail(asked, "INVALID_REQUEST", "下载链接已失效，请重新获取")
        return FileDraft(content)

    def _offer(self, asked: Asked, text: bytes, *, compressed: bool) -> WechatDraft:
        token = self._files.keep(gzip.compress(text, mtime=0) if compressed else text, _GOOD_FOR_S)
        document = {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(text, usedforsecurity=False).hexdigest(),
            "download_url": f"{asked.base_url}{FILE}?token={token}",
        }
        return ok(self.account, asked.serial, document)

    def _day(self, asked: Asked) -> date:
        """The day that is asked for.  Raises BadField, or NoBill while its bill is not built."""
        try:
            day = datetime.strptime(asked.query.get("bill_date", ""), "%Y-%m-%d").replace(tzinfo=BEIJING).date()
        except ValueError:
            raise BadField("PARAM_ERROR", "bill_date", "格式应为yyyy-MM-DD", "query") from None
        now = datetime.fromtimestamp(self.books.now_ms() / 1_000, BEIJING)
        age = (now.date() - day).days
        today_too = self.account.settings.statement_today
        if age < 0 or (age == 0 and not today_too) or age > _DAYS_BACK_MAX:
            raise BadField("INVALID_REQUEST", "bill_date", "仅支持三个月内、不含当日的账单", "query")
        if age == 1 and now.time() < _BUILT_FROM and not today_too:
            raise NoBill("STATEMENT_CREATING")
        return day

    def _lines(self, day: date) -> list[Line]:
        """The day's payments and refunds.  Raises NoBill where there are none."""
        lines = self._between(_starts_ms(day), _starts_ms(day + timedelta(days=1)))
        if not lines:
            raise NoBill("NO_STATEMENT_EXIST")
        return lines

    def _between(self, from_ms: int, until_ms: int) -> list[Line]:
        rate = self.account.settings.fee_rate_millionths
        return lines_between(self.books, self.account.mchid, from_ms, until_ms, rate)


def _starts_ms(day: date) -> int:
    return round(datetime.combine(day, time(), BEIJING).timestamp() * 1_000)


def _choice(asked: Asked, name: str, among: tuple[str, ...]) -> str:
    value = asked.query.get(name, among[0])
    if value not in among:
        raise BadField("PARAM_ERROR", name, f"应为{'、'.join(among)}之一", "query")
    return value


def _compressed(asked: Asked) -> bool:
    value = asked.query.get("tar_type")
    if value not in (None, "GZIP"):
        raise BadField("PARAM_ERROR", "tar_type", "应为GZIP", "query")
    return value is not None
