"""What a channel charges for a payment, exact in fen: rate, minimum, cap, bands by amount, promotional rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.kernel.money import share_half_up
from routing.channels.base import Wallet


class FeeRule(NamedTuple):
    """A rate with its bounds, for payments of up to `up_to_fen` (None: of any amount).

    The minimum is never above the cap, nor the rate above the whole.
    """

    up_to_fen: int | None
    rate_millionths: int
    min_fen: int
    cap_fen: int | None

    def fee_fen(self, payable_fen: int) -> int:
        """The rate of the amount, half up, then at least the minimum, then at most the cap; never above the amount."""
        fee_fen = max(share_half_up(payable_fen, self.rate_millionths), self.min_fen)
        if self.cap_fen is not None:
            fee_fen = min(fee_fen, self.cap_fen)
        return min(fee_fen, payable_fen)


@dataclass(frozen=True, slots=True)
class FeeBand:
    """Another rate, and where it is set another cap, for payments of up to an amount."""

    up_to_fen: int
    rate_millionths: int
    cap_fen: int | None = None


@dataclass(frozen=True, slots=True)
class FeePromotion:
    """A rate for a time, of some wallets or (None) of all; `since` is in it, `until` is not."""

    since: datetime
    until: datetime
    rate_millionths: int
    wallets: frozenset[Wallet] | None = None

    def holds(self, wallet: Wallet, at: datetime) -> bool:
        """Whether it is in force for a payment of that wallet made then."""
        return self.since <= at < self.until and (self.wallets is None or wallet in self.wallets)


@dataclass(frozen=True, slots=True)
class Fee:
    """The whole price list of an account.  Bands ascend; of the promotions in force the first listed counts."""

    rate_millionths: int
    min_fen: int = 0
    cap_fen: int | None = None
    bands: tuple[FeeBand, ...] = ()
    promotions: tuple[FeePromotion, ...] = ()

    def fee_fen(self, payable_fen: int, wallet: Wallet, at: datetime) -> int:
        """The fee of a payment made at that moment (its `created_at`, so that every process books the same)."""
        for rule in self.rules(wallet, at):
            if rule.up_to_fen is None or payable_fen <= rule.up_to_fen:
                return rule.fee_fen(payable_fen)
        raise AssertionError("the last rule has no bound")

    def rules(self, wallet: Wallet, at: datetime) -> tuple[FeeRule, ...]:
        """What is in force for a wallet at a moment, by ascending amounts; the last rule has no bound.

        A promotion replaces every rate; the bounds stay.  A band without a cap of its own has the account's.
        """
        promoted = next((each.rate_millionths for each in self.promotions if each.holds(wallet, at)), None)

        def rule(up_to_fen: int | None, rate_millionths: int, own_cap_fen: int | None) -> FeeRule:
            cap_fen = self.cap_fen if own_cap_fen is None else own_cap_fen
            min_fen = self.min_fen if cap_fen is None else min(self.min_fen, cap_fen)
            return FeeRule(up_to_fen, rate_millionths if promoted is None else promoted, min_fen, cap_fen)

        bands = [rule(band.up_to_fen, band.rate_millionths, band.cap_fen) for band in self.bands]
        return (*bands, rule(None, self.rate_millionths, None))

    def boundaries(self) -> Iterator[datetime]:
        """The moments at which what is in force may change."""
        for promotion in self.promotions:
            yield promotion.since
            yield promotion.until
