"""What channels do wrong in the whole machine: which calls can fail and how, and what is told astray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FAULTS: Final[tuple[Mapping[str, Any], ...]] = (
    {"kind": "timeout_after_charging", "hold_s": 2},
    {"kind": "timeout_before_charging", "hold_s": 2},
    {"kind": "reset_after_charging"},
    {"kind": "reset_before_charging"},
    {"kind": "reset_mid_answer"},
    {"kind": "server_error_after_charging"},
    {"kind": "malformed_answer"},
    {"kind": "unsigned_answer"},
    {"kind": "badly_signed_answer"},
    {"kind": "wrong_order"},
    {"kind": "rate_limit"},
    {"kind": "outage"},
    {"kind": "slow_down", "latency_ms": 400},
    {"kind": "error_code", "code": None},
    {"kind": "late_order", "after_s": 1, "hold_s": 1},
    {"kind": "refund_ends", "as": "closed"},
    {"kind": "wrong_amount"},
)
POSSIBLE_CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "error_code": ("refund",),
    "late_order": ("pay",),
    "refund_ends": ("refund",),
    "wrong_amount": ("pay", "scan"),
}
REFUSED_REFUND: Final = {"wechat": "NOT_ENOUGH", "alipay": "ACQ.SELLER_BALANCE_NOT_ENOUGH", "unionpay": "36"}
CALLS: Final = ("pay", "query", "reverse", "close", "refund", "refund_query", "create_code", "create_page")
ASTRAY: Final[tuple[Mapping[str, Any], ...]] = (
    {"kind": "notify", "effect": "drop"},
    {"kind": "notify", "effect": "delay", "after_s": 1},
    {"kind": "notify", "effect": "reorder", "after_s": 1},
    {"kind": "notify", "effect": "duplicate", "copies": 20},
    {"kind": "notify", "effect": "forged"},
    {"kind": "notify", "effect": "before_answer"},
)
