"""What a rule's condition can look at: the fields of a sale."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gateway.kernel.expressions import Expression, Field, Fields, FieldType, Value, check
from routing.sale import Sale

_INT: Final = FieldType.INT
_TEXT: Final = FieldType.STRING

FIELDS: Final = Fields(
    Field("payment.amount", _INT, "The value of the goods, in fen."),
    Field("payment.wallet", _TEXT, "The customer's wallet, such as 'wechat' or 'alipay'."),
    Field("payment.method", _TEXT, "'barcode', 'qrcode' (a channel's code on display) or 'page' (in the wallet)."),
    Field("payment.static_code", FieldType.BOOL, "Whether the customer scanned a code on the wall."),
    Field("payment.merchant_id", _TEXT, "The merchant, 'mer_…'."),
    Field("payment.store_id", _TEXT, "The store, as the merchant names it.", nullable=True),
    Field("payment.terminal_id", _TEXT, "The till, as the merchant names it.", nullable=True),
    Field("payment.operator_id", _TEXT, "The cashier, as the merchant names them.", nullable=True),
    Field("payment.card_bin", _TEXT, "The first 6 to 8 digits of the card, where the till sent them.", nullable=True),
    Field("payment.date", _TEXT, "The day, such as '2026-11-22'."),
    Field("payment.month", _INT, "The month, 1 to 12."),
    Field("payment.day", _INT, "The day of the month, 1 to 31."),
    Field("payment.weekday", _INT, "The day of the week, 1 (Monday) to 7."),
    Field("payment.hour", _INT, "The hour, 0 to 23."),
    Field("payment.minute", _INT, "The minute of the hour, 0 to 59."),
)
"""Times are those of the merchant's time zone."""


@lru_cache(1_024)
def condition(text: str) -> Expression:
    """A condition over these fields, remembered: most rules of a new version are those of the one before.

    Raises ExpressionError.
    """
    return check(text, FIELDS)


def values_of(sale: Sale) -> dict[str, Value | None]:
    """The fields of one sale."""
    at = sale.at
    return {
        "payment.amount": sale.amount_fen,
        "payment.wallet": sale.wallet,
        "payment.method": sale.method,
        "payment.static_code": sale.is_static_code,
        "payment.merchant_id": sale.merchant_id,
        "payment.store_id": sale.store_id,
        "payment.terminal_id": sale.terminal_id,
        "payment.operator_id": sale.operator_id,
        "payment.card_bin": sale.card_bin,
        "payment.date": at.date().isoformat(),
        "payment.month": at.month,
        "payment.day": at.day,
        "payment.weekday": at.isoweekday(),
        "payment.hour": at.hour,
        "payment.minute": at.minute,
    }
