"""Fees are exact in fen: half up, within their bounds, never above the amount, the same for whoever computes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.accounts.fees import Fee, FeeBand, FeePromotion
from routing.channels.base import Wallet

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FEN = st.integers(0, 10_000_000_000)
RATE = st.integers(0, 1_000_000)
HOURS = st.integers(-48, 48).map(lambda hours: NOON + timedelta(hours=hours))
PROMOTIONS = st.builds(
    lambda since, hours, rate, wallets: FeePromotion(since, since + timedelta(hours=hours), rate, wallets),
    HOURS,
    st.integers(1, 48),
    RATE,
    st.none() | st.frozensets(st.sampled_from(Wallet)),
)
BANDS = st.lists(st.builds(FeeBand, FEN, RATE, st.none() | FEN), max_size=4, unique_by=lambda band: band.up_to_fen).map(
    lambda bands: tuple(sorted(bands, key=lambda band: band.up_to_fen))
)
FEES = st.builds(Fee, RATE, FEN, st.none() | FEN, BANDS, st.lists(PROMOTIONS, max_size=3).map(tuple))


def slow_fee_fen(fee: Fee, payable_fen: int, wallet: Wallet, at: datetime) -> int:
    """The rule in the words of the design, in decimals."""
    rate, cap_fen = fee.rate_millionths, fee.cap_fen
    band = next((band for band in fee.bands if payable_fen <= band.up_to_fen), None)
    if band is not None:
        rate, cap_fen = band.rate_millionths, fee.cap_fen if band.cap_fen is None else band.cap_fen
    in_force = [each for each in fee.promotions if each.since <= at < each.until]
    in_force = [each for each in in_force if each.wallets is None or wallet in each.wallets]
    if in_force:
        rate = in_force[0].rate_millionths
    exact = Decimal(payable_fen) * rate / 1_000_000
    charged = max(int(exact.quantize(Decimal(1), ROUND_HALF_UP)), fee.min_fen)
    return min(charged, payable_fen) if cap_fen is None else min(charged, cap_fen, payable_fen)


@given(FEES, FEN, st.sampled_from(Wallet), HOURS)
def test_the_fee_is_the_rule_in_exact_decimals(fee: Fee, payable_fen: int, wallet: Wallet, at: datetime) -> None:
    assert fee.fee_fen(payable_fen, wallet, at) == slow_fee_fen(fee, payable_fen, wallet, at)


@given(FEES, FEN, st.sampled_from(Wallet), HOURS)
def test_no_fee_is_above_the_amount_nor_below_nothing(fee: Fee, payable_fen: int, wallet: Wallet, at: datetime) -> None:
    assert 0 <= fee.fee_fen(payable_fen, wallet, at) <= payable_fen


@given(RATE, FEN, FEN, FEN)
def test_without_bands_a_higher_amount_never_costs_less(rate: int, min_fen: int, first: int, second: int) -> None:
    fee = Fee(rate, min_fen)
    fees = [fee.fee_fen(amount, Wallet.WECHAT, NOON) for amount in sorted((first, second))]
    assert fees == sorted(fees)


@pytest.mark.parametrize(
    ("payable_fen", "fee_fen"),
    [(131, 0), (132, 1), (2_599, 10), (100_000, 380), (0, 0)],
)
def test_half_a_fen_is_rounded_up(payable_fen: int, fee_fen: int) -> None:
    assert Fee(3_800).fee_fen(payable_fen, Wallet.WECHAT, NOON) == fee_fen


@pytest.mark.parametrize(
    ("payable_fen", "fee_fen"),
    [(1_000, 4), (100_000, 380), (100_001, 600), (500_000, 2_000), (3, 2), (1, 1)],
)
def test_bands_minimum_and_cap(payable_fen: int, fee_fen: int) -> None:
    fee = Fee(6_000, min_fen=2, cap_fen=2_000, bands=(FeeBand(100_000, 3_800, cap_fen=500),))
    assert fee.fee_fen(payable_fen, Wallet.WECHAT, NOON) == fee_fen


def test_a_promotion_begins_and_ends_to_the_moment_and_leaves_the_other_wallets() -> None:
    until = NOON + timedelta(hours=1)
    fee = Fee(6_000, promotions=(FeePromotion(NOON, until, 2_000, frozenset({Wallet.WECHAT})),))
    moment = timedelta(microseconds=1)
    at = [NOON - moment, NOON, until - moment, until]
    assert [fee.fee_fen(100_000, Wallet.WECHAT, each) for each in at] == [600, 200, 200, 600]
    assert fee.fee_fen(100_000, Wallet.ALIPAY, NOON) == 600
