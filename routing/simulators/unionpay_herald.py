"""What UnionPay tells the merchant by itself: signed forms to backUrl, until HTTP 200.  CHANNEL-PROTOCOLS 3.1."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from routing.simulators.acts import RefundOutcome
from routing.simulators.books import Refund, Trade
from routing.simulators.notifications import Forging, News, Notification, Post, Schedule, Tamper, moved
from routing.simulators.unionpay_account import UnionpayAccount
from routing.simulators.unionpay_answers import Fields, proven_by_us
from routing.simulators.unionpay_news import news_of_refund, news_of_trade
from routing.simulators.unionpay_signing import encoding_of


class UnionpayHerald:
    """Tells of payments, refunds and voids that succeeded; of failures it is silent."""

    def __init__(self, account: UnionpayAccount) -> None:
        self._account = account
        settings = account.settings
        self.schedule: Final = Schedule(settings.notify_retry_s, settings.notify_first_s, settings.notify_timeout_s)

    def of_trade(self, trade: Trade) -> News | None:
        """消费 succeeded."""
        return News("consume", dict(news_of_trade(trade)))

    def of_refund(self, trade: Trade, refund: Refund) -> News | None:
        """退货 or 消费撤销 succeeded."""
        if refund.outcome != RefundOutcome.SUCCEEDED:
            return None
        return News(refund.kind, dict(news_of_refund(trade, refund)))

    def post(self, notification: Notification, sent_ms: int, forging: Forging) -> Post:  # noqa: ARG002  # it bears no stamp
        """The form, signed by the merchant's own method."""
        fields: Fields = notification.told()
        merchant = self._account.merchant(fields["merId"], after_rotation=forging.next_keys)
        assert merchant is not None
        fields["signMethod"] = merchant.sign_method
        _tamper(fields, forging.tamper)
        broken = forging.signtest or forging.tamper is Tamper.SIGNATURE
        encoding = encoding_of(fields)
        form = urlencode(
            proven_by_us(self._account, merchant, fields, broken=broken), encoding=encoding, errors="replace"
        )
        headers = {"Content-Type": f"application/x-www-form-urlencoded;charset={encoding.upper()}"}
        return Post(headers, form.encode("ascii"))

    def acknowledges(self, status: int, body: bytes) -> bool:  # noqa: ARG002  # whatever the answer says
        """HTTP 200."""
        return status == 200


def _tamper(fields: Fields, tamper: Tamper | None) -> None:
    match tamper:
        case Tamper.AMOUNT:
            fields |= {name: str(int(fields[name]) + 1) for name in ("txnAmt", "settleAmt")}
        case Tamper.MERCHANT:
            fields["merId"] = moved(fields["merId"])
        case Tamper.ORDER:
            fields["orderId"] = moved(fields["orderId"])
