"""How a payment was to end, and whether it did: declines and PINs are ends like others, not errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loadtests.load.mix import Ending
from loadtests.load.tally import End

UNDER_WAY: Final = frozenset({"processing", "requires_action"})
_DECLINED: Final[Mapping[Ending, frozenset[str]]] = {
    Ending.PIN_REFUSED: frozenset({"customer_cancelled", "channel_refused"}),
    Ending.NO_BALANCE: frozenset({"insufficient_funds"}),
    Ending.RISK: frozenset({"channel_risk_declined", "channel_refused"}),
}
"""WeChat has one code for its risk control and for customers who give up (TRADE_ERROR, docs/simulators.md)."""
_BY_US: Final = frozenset({"risk_declined", "price_changed", "discount_exhausted"})
"""The gateway's own refusals before anything is charged: rules and campaigns of the stack decide over them."""
_LEFT: Final = frozenset({Ending.PIN_LEFT, Ending.CODE_LEFT})


def end_of(ending: Ending, payment: Mapping[str, Any]) -> tuple[End, str | None]:
    """How a payment that the till knows the last of ended, and what is wrong with that (None: nothing)."""
    status, code = payment["status"], (payment["failure"] or {}).get("code")
    match status:
        case "succeeded" if ending not in _DECLINED and ending not in _LEFT:
            return End.PAID, None
        case "failed" if code in _BY_US | _DECLINED.get(ending, frozenset()):
            return End.DECLINED, None
        case "closed" | "reversed" if ending in _LEFT or ending is Ending.PIN_REFUSED:
            return End.CANCELLED, None
        case "processing" | "requires_action" if ending in _LEFT and payment["reversal"] == "pending":
            return End.CANCELLED, None
    return End.FAILED, f"{ending}: ended {status}" + (f" ({code})" if code else "")
