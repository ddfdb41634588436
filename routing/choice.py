"""The choice of a channel account for one sale, with everything that explains it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple, TypeAlias, overload

import orjson

from routing.accounts.book import Account


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


Scored: TypeAlias = tuple[float, float, int, int, Account]
"""An account that can take the sale, as scoring notes it: value, success, fee and subsidy in fen."""
RuledOut: TypeAlias = tuple[Account, Reason]


class Candidates(Sequence[Candidate]):
    """The candidates of a choice, put together only when somebody looks: most choices are stored and never read.

    Those that were `half_open` and not chosen are in an outage.
    """

    __slots__ = ("_able", "_chosen", "_half_open", "_ruled_out", "_shown")

    def __init__(
        self,
        chosen: Scored | None,
        able: Sequence[Scored],
        ruled_out: Sequence[RuledOut],
        half_open: Sequence[Scored] = (),
    ) -> None:
        self._chosen = chosen
        self._able = able
        self._ruled_out = ruled_out
        self._half_open = half_open
        self._shown: tuple[Candidate, ...] | None = None

    def and_ruled_out(self, others: Sequence[RuledOut]) -> Candidates:
        """With more accounts that cannot take the sale."""
        return Candidates(self._chosen, self._able, [*self._ruled_out, *others], self._half_open)

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Candidate, ...]: ...

    def __getitem__(self, index: int | slice) -> Candidate | tuple[Candidate, ...]:
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Candidates) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    def to_json(self) -> list[dict[str, object]]:
        """What `Choice.to_json` has of them."""
        shown: list[dict[str, object]] = [
            {
                "account": account.id,
                "reason": None,
                "success": round(success, 4),
                "fee": fee_fen,
                "subsidy": subsidy_fen,
                "value": round(value_fen, 2),
            }
            for value_fen, success, fee_fen, subsidy_fen, account in self._ranked()
        ]
        shown.extend(
            {"account": account.id, "reason": reason, "success": None, "fee": None, "subsidy": None, "value": None}
            for account, reason in self._all_ruled_out()
        )
        return shown

    def has_momentary(self) -> bool:
        """Whether one of them was ruled out by its health alone."""
        return any(reason in MOMENTARY for _, reason in self._all_ruled_out())

    def _ranked(self) -> list[Scored]:
        """The one chosen, then by value; scoring has them by priority and id, which decide between equals."""
        chosen = self._chosen
        others = sorted([scored for scored in self._able if scored is not chosen], key=itemgetter(0), reverse=True)
        return others if chosen is None else [chosen, *others]

    def _all_ruled_out(self) -> list[RuledOut]:
        down = [(scored[4], Reason.OUTAGE) for scored in self._half_open if scored is not self._chosen]
        return [*down, *self._ruled_out]

    def _all(self) -> tuple[Candidate, ...]:
        if self._shown is None:
            able = [
                Candidate(account, None, success, fee_fen, subsidy_fen, value_fen)
                for value_fen, success, fee_fen, subsidy_fen, account in self._ranked()
            ]
            self._shown = (*able, *[Candidate(account, reason) for account, reason in self._all_ruled_out()])
        return self._shown


class Choice(NamedTuple):
    """The account to charge, or None; all candidates, the one chosen first, then by value, then those ruled out.

    Accounts that do not have the sale's wallet and method, and those of other merchants, are no candidates.
    """

    account: Account | None
    why: Why
    candidates: Candidates
    policy_version: int
    rules: tuple[str, ...] = ()
    """The names of the policy's rules that matched."""

    @property
    def is_momentary(self) -> bool:
        """Whether nothing could be chosen only because of outages or full accounts."""
        return self.account is None and self.candidates.has_momentary()

    def to_json(self) -> dict[str, object]:
        """As it is stored with the attempt and shown to operations."""
        return {
            "account": None if self.account is None else self.account.id,
            "why": self.why,
            "policy_version": self.policy_version,
            "rules": self.rules,
            "candidates": self.candidates.to_json(),
        }

    def record(self) -> str:
        """`to_json` as the attempt's row keeps it."""
        return orjson.dumps(self.to_json()).decode()
