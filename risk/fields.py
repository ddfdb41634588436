"""What a rule can look at: the payment, its time in the merchant's zone, its customer so far, velocities and lists."""

from __future__ import annotations

import re
from typing import Final

from gateway.kernel.expressions import Field, Fields, FieldType, Function, Parameter
from risk.velocity import spec

_INT: Final = FieldType.INT
_DOUBLE: Final = FieldType.DOUBLE
_TEXT: Final = FieldType.STRING
_BOOL: Final = FieldType.BOOL

LIST_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
LISTED_FIELDS: Final = ("customer", "device", "ip", "card", "merchant", "store", "terminal", "region", "payer")
"""What a list can hold.  `payer` is the wallet's own id of who paid: known of a customer who has paid before."""

LISTED: Final = Function(
    "listed",
    (
        Parameter(
            "list",
            "The list's name: `block`, `allow`, `watch`, or one that was made.",
            lambda text: None if LIST_NAME.fullmatch(text) else "it is a list's name: a-z, 0-9, _ and -",
        ),
        Parameter.one_of("field", f"What is looked up: {', '.join(LISTED_FIELDS)}.", LISTED_FIELDS),
    ),
    _BOOL,
    "Whether the payment's value stands on the list now; null where the payment does not name one.",
)

FIELDS: Final = Fields(
    Field("payment.amount", _INT, "The value of the goods, in fen."),
    Field("payment.method", _TEXT, "'barcode', 'qrcode' (a channel's code on display) or 'page' (in the wallet)."),
    Field(
        "payment.code_type",
        _TEXT,
        "'barcode' (the till scanned), 'dynamic' (a code made for this payment) or 'static' (a code on the wall).",
    ),
    Field("payment.wallet", _TEXT, "Such as 'wechat'; null for a code that any wallet can pay.", nullable=True),
    Field("payment.merchant_id", _TEXT, "The merchant, 'mer_…'."),
    Field("payment.store_id", _TEXT, "The store, as the merchant names it.", nullable=True),
    Field("payment.terminal_id", _TEXT, "The till, as the merchant names it.", nullable=True),
    Field("payment.operator_id", _TEXT, "The cashier, as the merchant names it.", nullable=True),
    Field("payment.region", _TEXT, "The region of the store, or else of the merchant.", nullable=True),
    Field("payment.category", _TEXT, "The category of the store, or else of the merchant.", nullable=True),
    Field("payment.code", _TEXT, "The code on the wall that was scanned, its id.", nullable=True),
    Field("payment.card_bin", _TEXT, "The first 6 to 8 digits of the card: a hint, no proof.", nullable=True),
    Field("payment.ip", _TEXT, "The customer's address on the internet.", nullable=True),
    Field("payment.has_coupon", _BOOL, "Whether the till sent coupons with it."),
    Field("payment.distance_km", _DOUBLE, "From the customer to the store.", nullable=True),
    Field("payment.date", _TEXT, "The day, such as '2026-11-22'."),
    Field("payment.month", _INT, "The month, 1 to 12."),
    Field("payment.day", _INT, "The day of the month, 1 to 31."),
    Field("payment.weekday", _INT, "The day of the week, 1 (Monday) to 7."),
    Field("payment.hour", _INT, "The hour, 0 to 23."),
    Field("payment.minute", _INT, "The minute of the hour, 0 to 59."),
    Field("merchant.age_days", _INT, "Whole days since the merchant was made known.", nullable=True),
    Field("merchant.tier", _TEXT, "The tier that an administrator put the merchant in.", nullable=True),
    Field("device.known", _BOOL, "Whether the till said which device the customer pays with."),
    Field("device.rooted", _BOOL, "Whether the till found the device tampered with.", nullable=True),
    Field("customer.known", _BOOL, "Whether the till said who the customer is; if not, the other fields are null."),
    Field("customer.orders", _INT, "How many payments of this customer were captured before.", nullable=True),
    Field("customer.spent", _INT, "What the customer paid in all of them, in fen.", nullable=True),
    Field("customer.first_payment", _BOOL, "Whether none was captured before.", nullable=True),
    Field("customer.days_since_first", _INT, "Whole days since the first one; null without one.", nullable=True),
    Field("customer.days_since_last", _INT, "Whole days since the last one; null without one.", nullable=True),
    Field(
        "customer.segments", FieldType.STRING_LIST, "The segments that a manager put the customer in.", nullable=True
    ),
    Field(
        "customer.usual_amount", _INT, "The mean value of captured goods, in fen; null below 3 times.", nullable=True
    ),
    Field("customer.highest_amount", _INT, "The highest value of captured goods; null without any.", nullable=True),
    Field(
        "customer.usual_hour",
        _BOOL,
        "Whether the customer has paid within an hour of this time of day before; null below 10 payments.",
        nullable=True,
    ),
    Field(
        "customer.usual_region",
        _BOOL,
        "Whether the customer has paid in this region before; null without a region, or below 3 payments.",
        nullable=True,
    ),
    Field(
        "customer.shared_payer",
        _BOOL,
        "Whether somebody who has paid for this customer has also paid under another customer's id.",
        nullable=True,
    ),
    Field("travel.distance_km", _DOUBLE, "From where the customer paid last, within 90 days.", nullable=True),
    Field(
        "travel.speed_kmh",
        _DOUBLE,
        "How fast the customer came from there; null below 5 km, which is how exact such places are.",
        nullable=True,
    ),
    Field(
        "model.score",
        _DOUBLE,
        "How likely a fraud, 0 to 1, by the model that the rule set names; null without one.",
        nullable=True,
    ),
    functions=(spec.FUNCTION, LISTED),
)
"""Times are those of the merchant's time zone."""

PROFILE_FIELDS: Final = frozenset(name for name in FIELDS.fields if name.startswith("customer.")) - {"customer.known"}
"""What the worker keeps in PostgreSQL (risk/profiles)."""
TRAVEL_FIELDS: Final = frozenset({"travel.distance_km", "travel.speed_kmh"})
"""What comes with the velocities of the customer (risk/velocity)."""
MODEL_SCORE: Final = "model.score"
