"""What the desks of the WeChat simulator share: a verified request, its owner, and how a complaint is answered."""

from __future__ import annotations

from typing import Any, Protocol

from routing.simulators.books import Books, Trade
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import WechatDraft, failure
from routing.simulators.wechat_fields import BadField


class Asked(Protocol):
    """What a verified request holds."""

    @property
    def serial(self) -> str:
        """The key that the answer is to be signed with."""

    @property
    def number(self) -> str:
        """The number in the path; empty where the path has none."""

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""

    @property
    def document(self) -> dict[str, Any]:
        """The body."""

    @property
    def base_url(self) -> str:
        """The address under which the merchant reached us, without a slash at its end."""


class Desk:
    """Carries out verified calls for one account."""

    def __init__(self, account: WechatAccount, books: Books) -> None:
        self.account = account
        self.books = books

    def bad(self, asked: Asked, error: BadField) -> WechatDraft:
        """The complaint about a field."""
        detail = {"field": error.field, "value": "", "issue": error.issue, "location": error.location}
        return failure(self.account, asked.serial, error.code, error.issue, detail)

    def fail(self, asked: Asked, code: str, message: str | None = None) -> WechatDraft:
        """An error."""
        return failure(self.account, asked.serial, code, message)

    def check_owner(self, document: dict[str, Any]) -> None:
        """Whether the body names the merchant that signed it, and its application.  Raises BadField."""
        if document.get("mchid") != self.account.mchid:
            raise BadField("PARAM_ERROR", "/mchid", "与签名的商户号不一致")
        if document.get("appid", self.account.appid) != self.account.appid:
            raise BadField("APPID_MCHID_NOT_MATCH", "/appid", "appid和mch_id不匹配")

    def order(self, asked: Asked) -> Trade | None:
        """The order that the path names by our number."""
        return self.books.find(self.account.mchid, asked.number)
