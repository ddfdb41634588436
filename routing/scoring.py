"""What each account is worth for a sale: expected value from health, fee and subsidy; and the draws of exploration.

The value of a sale is what its success is worth (the policy's share of the amount) less the channel's fee and the
subsidy, times the probability of success.  Exploration is Thompson sampling (Thompson 1933): some sales go by a draw
from each account's posterior instead of its mean, so that accounts of which little is known are tried now and then;
what that is expected to cost is bounded.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from hashlib import blake2b
from math import inf
from operator import itemgetter
from statistics import NormalDist
from typing import Final, NamedTuple
from zlib import crc32

from routing.choice import Reason, RuledOut, Scored
from routing.eligibility import Pool, Row, or_no_bound, rule_for
from routing.health.standing import BreakerState
from routing.sale import NO_ACCOUNTS, Prices, Sale

_CLOSED: Final = BreakerState.CLOSED
_HALF_OPEN: Final = BreakerState.HALF_OPEN
VALUE: Final = itemgetter(0)
"""Of a `Scored`."""
_NORMAL: Final = NormalDist()
_HASH_RANGE: Final = 1 << 64
_LEAST: Final = 1e-12
_CREDIT_MAX: Final = 1.0
"""In sales: what was saved up is not spent on a whole series of losses."""
_DRAWS_OF_CRC: Final = (1 << 32) // 20
"""A checksum, spread by the golden ratio (Knuth, 6.4), picks one sale in twenty at a fraction of what a hash costs."""
_SPREADING: Final = 2_654_435_761
_LOW_32_BITS: Final = (1 << 32) - 1


class Bounds(NamedTuple):
    """What a sale may not be given: accounts that the policy excludes or that were tried, and other prices."""

    excluded: AbstractSet[str] = NO_ACCOUNTS
    tried: AbstractSet[str] = NO_ACCOUNTS
    payable_fen: int | None = None


class Weighed(NamedTuple):
    """The accounts of a pool for one sale.  `half_open` ones could take it but for their circuit breaker.

    `best` has the highest value of those that are able, the first by priority and id among equals; None: nobody is.
    """

    best: Scored | None
    able: list[Scored]
    half_open: list[Scored]
    ruled_out: list[RuledOut]


def weigh(pool: Pool, sale: Sale, prices: Prices, worth_fen: float, bounds: Bounds) -> Weighed:
    """Sort the accounts of a sale's pool, and score those that can take it.  `worth_fen` is what success is worth.

    The heart of the router, run for every payment over every account: hence one loop over plain numbers, in which
    FeeRule.fee_fen and `value_fen` are written out.
    """
    able: list[Scored] = []
    half_open: list[Scored] = []
    ruled_out: list[RuledOut] = list(pool.ruled_out)
    best, best_fen = None, -inf
    on_account, everywhere = prices.on_account, prices.everywhere
    everywhere_fen, everywhere_subsidy_fen = everywhere.payable_fen, everywhere.subsidy_fen
    only_fen = bounds.payable_fen
    barred = bounds.excluded | bounds.tried if bounds.tried else bounds.excluded
    for row in pool.rows(everywhere_fen, is_static_code=sale.is_static_code):
        account, account_id, standing, floor_fen, ceiling_fen, rate_millionths, min_fen, cap_fen, rules, _ = row
        payable_fen, subsidy_fen = everywhere_fen, everywhere_subsidy_fen
        if on_account and account_id in on_account:
            price = on_account[account_id]
            payable_fen, subsidy_fen = price.payable_fen, price.subsidy_fen
            rule = rule_for(rules, payable_fen)
            rate_millionths, min_fen, cap_fen = rule.rate_millionths, rule.min_fen, or_no_bound(rule.cap_fen)
        if not floor_fen <= payable_fen <= ceiling_fen or account_id in barred:
            ruled_out.append((account, _reason(row, payable_fen, bounds)))
            continue
        if only_fen is not None and only_fen != payable_fen:
            ruled_out.append((account, Reason.OTHER_PRICE))
            continue
        state = standing.state
        if state is not _CLOSED and not (state is _HALF_OPEN and standing.probes_free > 0):
            ruled_out.append((account, Reason.OUTAGE))
            continue
        if standing.in_flight >= standing.in_flight_max:
            ruled_out.append((account, Reason.AT_CAPACITY))
            continue
        fee_fen = (payable_fen * rate_millionths + 500_000) // 1_000_000
        if fee_fen < min_fen:
            fee_fen = min(payable_fen, min_fen)
        elif fee_fen > cap_fen:
            fee_fen = cap_fen
        success = standing.success
        margin_fen = worth_fen - fee_fen - subsidy_fen
        scored_fen = success * margin_fen if margin_fen > 0 else (2.0 - success) * margin_fen
        scored = (scored_fen, success, fee_fen, subsidy_fen, account)
        if state is not _CLOSED:
            half_open.append(scored)
            continue
        able.append(scored)
        if scored_fen > best_fen:
            best, best_fen = scored, scored_fen
    return Weighed(best, able, half_open, ruled_out)


def value_fen(success: float, margin_fen: float) -> float:
    """The expected value of a sale that leaves `margin_fen` where it succeeds.

    Where the sale costs more than its success is worth, it is to be made all the same, and failing costs on top: no
    account is better for failing more.
    """
    return success * margin_fen if margin_fen > 0 else (2.0 - success) * margin_fen


class Exploration:
    """Bounds what knowing more may cost: each sale adds the policy's share of a sale's worth to what may be given up.

    An account that looks hardly worse than the best one costs next to nothing to try, and is tried often; one that
    looks bad, seldom.  One sale in twenty draws, chosen by its seed, unless
    the share is 0.
    """

    __slots__ = ("_credit",)

    def __init__(self) -> None:
        self._credit = 0.0

    def is_due(self, seed: str, share: float) -> bool:
        """Whether this sale draws."""
        return share > 0.0 and (crc32(seed.encode()) * _SPREADING) & _LOW_32_BITS < _DRAWS_OF_CRC

    def affords(self, cost: float, share: float) -> bool:
        """Whether so much of this sale's worth may be given up."""
        return cost <= min(self._credit + share, _CREDIT_MAX)

    def count(self, share: float, cost: float = 0.0) -> None:
        """One more sale could have explored; it has given up so much of its worth."""
        self._credit = min(self._credit + share, _CREDIT_MAX) - cost


def drawn_value_fen(scored: Scored, worth_fen: float, spread: float, seed: str) -> float:
    """The value with a success drawn from the posterior (normal approximation of the Beta); repeatable by the seed."""
    _, success, fee_fen, subsidy_fen, account = scored
    uniform = (keyed_hash(account.id.encode(), seed) + 0.5) / _HASH_RANGE
    drawn = success + spread * _NORMAL.inv_cdf(min(max(uniform, _LEAST), 1.0 - _LEAST))
    return value_fen(min(max(drawn, 0.0), 1.0), worth_fen - fee_fen - subsidy_fen)


def keyed_hash(key: bytes, seed: str) -> int:
    """64 bits of a sale's seed, others for each key (of up to 64 bytes)."""
    return int.from_bytes(blake2b(seed.encode(), digest_size=8, key=key).digest(), "big")


def _reason(row: Row, payable_fen: int, bounds: Bounds) -> Reason:
    """Why an account that is open cannot have this sale."""
    if row.account_id in bounds.tried:
        return Reason.TRIED_BEFORE
    if row.account_id in bounds.excluded:
        return Reason.EXCLUDED_BY_POLICY
    if payable_fen < row.floor_fen:
        return Reason.BELOW_MINIMUM
    for fen, reason in row.ceilings:
        if payable_fen > fen:
            return reason
    raise AssertionError("the account can have it")
