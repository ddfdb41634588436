"""The choice of a channel account for one sale, with everything that explains it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson

from routing.accounts import Account


class Reason(StrEnum):
    """Why an account cannot take a sale; a closed set, documented in docs/routing.md."""

    DISABLED = "disabled"
    DRAINING = "draining"
    WALLET_NOT_TAKEN = "wallet_not_taken"
    METHOD_NOT_TAKEN = "method_not_taken"
    OTHER_MERCHANT = "other_merchant"
    """It is another merchant's own, or serves only some merchants."""
    MERCHANT_HAS_OWN = "merchant_has_own"
    """The merchant has enabled accounts of its own for this wallet and method: the platform's are left alone."""
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    STATIC_CODE_LIMIT = "static_code_limit"
    DAY_LIMIT = "day_limit"
    MONTH_LIMIT = "month_limit"
    CLOSED_NOW = "closed_now"
    """Outside its opening hours."""
    MAINTENANCE = "maintenance"
    EXCLUDED_BY_POLICY = "excluded_by_policy"
    OTHER_PRICE = "other_price"
    """On failing over: the customer would pay another amount there."""
    TRIED_BEFORE = "tried_before"
    """On failing over: it has refused this payment already."""
    OUTAGE = "outage"
    """Its circuit breaker is open."""
    AT_CAPACITY = "at_capacity"
    """As many calls are under way as it can take now."""


MOMENTARY = frozenset({Reason.OUTAGE, Reason.AT_CAPACITY})
"""Of an account that could take the sale but for its health: the wallet is unavailable, not unsupported."""


class Why(StrEnum):
    """What decided between those that could take the sale."""

    BEST_VALUE = "best_value"
    EXPLORING = "exploring"
    PROBE = "probe"
    """A half-open circuit breaker lets a small number of real payments through."""
    ORDER = "order"
    PREFERENCE = "preference"
    SPLIT = "split"
    NONE = "none"
    """No account can take the sale."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account as it looked when it was weighed.  Amounts in fen.

    `success` is the probability that it answers as a healthy channel does (a customer's failure is not its own);
    `value_fen` the expected value: success × (worth of the sale − fee − subsidy).  Both are None where `reason` says
    why it could not take the sale.
    """

    account: Account
    reason: Reason | None
    success: float | None = None
    fee_fen: int | None = None
    subsidy_fen: int | None = None
    value_fen: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The account to charge, or None; all candidates, the one chosen first, then by rank, then those ruled out."""

    account: Account | None
    why: Why
    candidates: tuple[Candidate, ...]
    policy_version: int
    rules: tuple[str, ...] = ()
    """The names of the policy's rules that matched."""

    @property
    def is_momentary(self) -> bool:
        """Whether nothing could be chosen only because of outages or full accounts."""
        return self.account is None and any(candidate.reason in MOMENTARY for candidate in self.candidates)

    def to_json(self) -> dict[str, object]:
        """As it is stored with the attempt and shown to operations."""
        return {
            "account": None if self.account is None else self.account.id,
            "why": self.why,
            "policy_version": self.policy_version,
            "rules": list(self.rules),
            "candidates": [
                {
                    "account": candidate.account.id,
                    "reason": candidate.reason,
                    "success": None if candidate.success is None else round(candidate.success, 4),
                    "fee": candidate.fee_fen,
                    "subsidy": candidate.subsidy_fen,
                    "value": None if candidate.value_fen is None else round(candidate.value_fen, 2),
                }
                for candidate in self.candidates
            ],
        }

    def record(self) -> str:
        """`to_json` as the attempt's row keeps it."""
        return orjson.dumps(self.to_json()).decode()
