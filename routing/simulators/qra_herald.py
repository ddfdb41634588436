"""What the front tells the merchant by itself: signed XML, until the answer is `success`.  CHANNEL-PROTOCOLS 3.6."""

from __future__ import annotations

import secrets
from typing import Final

from routing.simulators.books import Refund, Trade
from routing.simulators.notifications import Forging, News, Notification, Post, Schedule, Tamper, moved
from routing.simulators.qra_account import QraAccount
from routing.simulators.qra_answers import COMMON, DONE, paid_fields
from routing.simulators.qra_fields import Fields
from routing.simulators.qra_signing import md5_sign, write_xml

_ACKNOWLEDGED: Final = b"success"


class QraHerald:
    """Tells that orders were paid; of refunds and failures it is silent."""

    def __init__(self, account: QraAccount) -> None:
        self._account = account
        settings = account.settings
        self.schedule: Final = Schedule(settings.notify_retry_s, settings.notify_first_s, settings.notify_timeout_s)

    def of_trade(self, trade: Trade) -> News | None:
        """Paid: the fields of the payment's answer."""
        common = COMMON | {"mch_id": self._account.mch_id, "nonce_str": secrets.token_hex(16)}
        return News("paid", common | DONE | {"pay_result": "0"} | paid_fields(trade, trade.amount_fen))

    def of_refund(self, trade: Trade, refund: Refund) -> News | None:  # noqa: ARG002  # whatever became of it
        """None: no notification of refunds is documented."""
        return None

    def post(self, notification: Notification, sent_ms: int, forging: Forging) -> Post:  # noqa: ARG002  # it bears no stamp
        """The XML, the same at every try."""
        fields: Fields = notification.told()
        _tamper(fields, forging.tamper)
        broken = forging.signtest or forging.tamper is Tamper.SIGNATURE
        signed = fields | {"nonce_str": "another"} if broken else fields
        sign = md5_sign(self._account.key(after_rotation=forging.next_keys), signed)
        return Post({"Content-Type": "text/xml;charset=UTF-8"}, write_xml(fields | {"sign": sign}))

    def acknowledges(self, status: int, body: bytes) -> bool:
        """The seven characters, blanks around them aside."""
        return status == 200 and body.strip() == _ACKNOWLEDGED


def _tamper(fields: Fields, tamper: Tamper | None) -> None:
    match tamper:
        case Tamper.AMOUNT:
            fields["total_fee"] = str(int(fields["total_fee"]) + 1)
        case Tamper.MERCHANT:
            fields["mch_id"] = moved(fields["mch_id"])
        case Tamper.ORDER:
            fields["out_trade_no"] = moved(fields["out_trade_no"])
