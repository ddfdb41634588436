"""The front's notifications: XML, signed like answers.  CHANNEL-PROTOCOLS 3.6.

The front tells of payments that succeeded.  What it tells of anything else decides nothing: a code on display can be
tried again by the next customer, so only a query tells its end.
"""

from __future__ import annotations

import re
from typing import Final

from routing.channels import qra_xml
from routing.channels.notifications import Acknowledgement, Acknowledgements, Notification, NotificationRefused
from routing.channels.qra_answers import SUCCEEDED, paid_report
from routing.channels.qra_signing import QraSigning
from routing.channels.reports import TradeReport, TradeState
from routing.channels.wire import Authenticity, text_of

ACKNOWLEDGEMENTS: Final = Acknowledgements(
    accepted=Acknowledgement(200, "text/plain", b"success"), refused=Acknowledgement(400, "text/plain", b"fail")
)
_NUMBER: Final = re.compile(r"[0-9A-Za-z]{8,32}")


def read_notification(body: bytes, signing: QraSigning, mch_id: str) -> Notification:
    """Verify and read one.  Raises NotificationRefused: `malformed`, `signature`, `wrong_account`, `unknown_kind`."""
    try:
        fields = qra_xml.read(body)
    except ValueError:
        raise NotificationRefused("malformed") from None
    if signing.check(fields) is not Authenticity.VERIFIED:
        raise NotificationRefused("signature")
    if fields.get("mch_id") != mch_id:
        raise NotificationRefused("wrong_account")
    if fields.get("status") != SUCCEEDED or "pay_result" not in fields:
        # An answer to a call is signed in the same way; only what tells of a payment has a result of it.
        raise NotificationRefused("unknown_kind")
    order_no, transaction = fields.get("out_trade_no", ""), text_of(fields, "transaction_id")
    if not _NUMBER.fullmatch(order_no) or transaction is None:
        raise NotificationRefused("malformed")
    trade = paid_report(fields)
    if fields.get("result_code") != SUCCEEDED:
        trade = TradeReport(TradeState.PENDING, trade.channel_trade_no, channel_code=trade.channel_code)
    return Notification(f"{transaction}:{trade.state}", order_no, trade=trade)
