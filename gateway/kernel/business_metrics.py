"""The metrics of business: payments that ended, money that moved, discounts given, and whether the books agree.

The other half of the catalogue is metrics.py.  Amounts are in fen, the smallest unit of the currency (CNY).
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from gateway.kernel.hot_metrics import hot_counter, hot_ranked

PAYMENTS_ENDED: Final = hot_counter(
    Counter(
        "mashang_payments_ended_total",
        "Payments that came to an end, once each, by whoever brought it about; a capture reversed later counts again.",
        ["status", "wallet", "account", "failure"],
    )
)
TURNOVER: Final = hot_counter(
    Counter(
        "mashang_turnover_fen_total",
        "Order totals of captured payments, discounts included, before refunds and reversals.",
        ["wallet", "account"],
    )
)
TURNOVER_REVERSED: Final = hot_counter(
    Counter("mashang_turnover_reversed_fen_total", "Order totals of captures reversed later.", ["wallet", "account"])
)
DISCOUNTS: Final = hot_ranked(
    Counter(
        "mashang_discount_fen_total",
        "Given by campaigns to captured payments, fees included, by who pays for it; the 100 busiest by name.",
        ["campaign", "sponsor"],
    ),
    named=["campaign", "sponsor"],
)
REFUNDS: Final = Counter(
    "mashang_refunds_total", "Refunds taken (pending) and ended, by status.", ["status", "wallet", "account"]
)
REFUNDED: Final = Counter("mashang_refunded_fen_total", "Order amounts that refunds gave back.", ["wallet", "account"])
LEDGER_CHECKED: Final = Counter(
    "mashang_ledger_checked_payments_total", "Payments whose postings the worker compared with their state."
)
LEDGER_MISMATCHES: Final = Counter(
    "mashang_ledger_mismatches_total", "Payments found whose postings are not what their state makes them."
)
LEDGER_IMBALANCE: Final = Gauge(
    "mashang_ledger_imbalance_fen",
    "What the postings of mismatched payments are off by, added up without regard to sign; 0 is right.",
    multiprocess_mode="livemax",
)
LEDGER_CHECKED_AT: Final = Gauge(
    "mashang_ledger_check_timestamp_seconds", "When the worker last compared.", multiprocess_mode="livemax"
)
AUDIT_FINDINGS: Final = Gauge(
    "mashang_audit_findings",
    "Mismatches that the newest audit of the books found (`mashang audit`, of whichever kind and days); 0 before any.",
    multiprocess_mode="livemostrecent",
)
AUDITED_AT: Final = Gauge(
    "mashang_audit_last_timestamp_seconds",
    "When the books were last audited to the end; 0 where they never were.",
    multiprocess_mode="livemax",
)
AUDIT_AGREED_AT: Final = Gauge(
    "mashang_audit_last_agreed_timestamp_seconds",
    "When an audit last found that the books agree; 0 where none did.",
    multiprocess_mode="livemax",
)
CERTIFICATE_EXPIRY: Final = Gauge(
    "mashang_account_certificate_expiry_timestamp_seconds",
    "When the first of a channel account's certificates expires; nothing of accounts without one.",
    ["account"],
    multiprocess_mode="livemin",
)
