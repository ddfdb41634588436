"""Campaigns and payments of a market, drawn from a seed: what the benchmarks of promotions price."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from promotions.campaigns.campaign import (
    Allowance,
    AmountOff,
    Benefit,
    Campaign,
    CouponReward,
    CouponTerms,
    FeeOff,
    FixedPrice,
    Limits,
    Mode,
    PercentOff,
    RandomOff,
    Scope,
    Share,
    Stacking,
    Status,
    Tier,
)
from promotions.campaigns.fields import condition
from promotions.facts import EVER, Facts, History, Uses

ZONE: Final = ZoneInfo("Asia/Shanghai")
NOON: Final = datetime(2026, 11, 22, 4, tzinfo=UTC)
WALLETS: Final = ("wechat",) * 6 + ("alipay",) * 3 + ("unionpay",)
BANKS: Final = tuple(f"62{number:04d}" for number in range(60))
REGIONS: Final = tuple(f"r{number}" for number in range(30))
CATEGORIES: Final = tuple(f"c{number}" for number in range(20))
CAMPAIGNS_OF_A_MERCHANT: Final = 8
"""On average, of its own; besides there are those of banks, regions and categories."""
FUNDERS: Final = (Share("bank", Decimal("0.7")), Share("merchant", Decimal("0.2")), Share("platform", Decimal("0.1")))
DAILY: Final = Limits(1_000_000, 200_000, per={Scope.CUSTOMER: Allowance(day=1)})
ONCE: Final = Limits(1_000_000, 200_000, per={Scope.CUSTOMER: Allowance(lifetime=1)})
COUNTED: Final = Limits(1_000_000, count_per_day=500)

Chooser: TypeAlias = random.Random


@dataclass(frozen=True, slots=True)
class Kind:
    """A campaign of DOMAIN.md: how often there is one, and what it says of a merchant, bank, region and category."""

    weight: int
    benefit: Benefit
    when: str
    limits: Limits = DAILY
    stacking: Stacking = field(default_factory=Stacking)
    coupon: CouponTerms | None = None


_TIERS: Final = AmountOff((Tier(500, 100), Tier(2_000, 500), Tier(30_000, 1_500)))
_BANK: Final = Stacking("bank", Mode.BEST, 5, total_max_percent=Decimal(60))
_SMALL: Final = Stacking("small", Mode.CASCADING, 1, total_max_fen=5_000)
_OWN: Final = "payment.merchant_id == '{merchant}'"
_CARD: Final = "payment.card_bin.startsWith('{bank}')"

KINDS: Final = (
    Kind(25, _TIERS, _OWN),
    Kind(
        15, RandomOff(1_000, 1_800, 1_200, 1_801), f"{_OWN} && {_CARD} && payment.wallet == '{{wallet}}'", DAILY, _BANK
    ),
    Kind(
        8,
        AmountOff((Tier(1_001, 500),)),
        f"payment.region == '{{region}}' && {_CARD} && customer.orders_with_bin == 0",
        ONCE,
        _BANK,
    ),
    Kind(10, AmountOff((Tier(3_000, 800),)), f"{_OWN} && customer.orders_at_merchant == 0", ONCE),
    Kind(12, PercentOff(Decimal(50), 2_000), f"{_OWN} && payment.weekday in [6, 7] && payment.hour >= {{hour}}"),
    Kind(8, FixedPrice(990, 1_500), f"{_OWN} && payment.hour in [{{hour}}, 12, 13] && payment.amount < 3000", COUNTED),
    Kind(6, _TIERS, "payment.region == '{region}' && payment.category == '{category}'", COUNTED, _SMALL),
    Kind(5, AmountOff((Tier(0, 300),)), f"{_OWN} && customer.segment == 'sleeping'", ONCE),
    Kind(
        4,
        AmountOff((Tier(2_000, 1_000),)),
        f"{_OWN} && {_CARD}",
        COUNTED,
        _BANK,
        CouponTerms(stock=1_000, bins=("62",)),
    ),
    Kind(
        3,
        RandomOff(1, 500, 100, percent_max=Decimal(5)),
        "payment.region == '{region}' && known(payment.code)",
        Limits(10_000_000, per={Scope.CUSTOMER: Allowance(day=5), Scope.CODE: Allowance(day=200)}),
    ),
    Kind(
        2,
        FeeOff(Decimal(50)),
        "payment.wallet == 'unionpay' && payment.amount <= 100000 && payment.category == '{category}'",
        COUNTED,
        Stacking("fees"),
    ),
    Kind(
        2, CouponReward("cam_reward", spend_fen=5_000), f"{_OWN} && payment.amount >= 5000", DAILY, Stacking("rewards")
    ),
)


def campaigns_of(number: int) -> list[Campaign]:
    """So many active campaigns, the same each time; there are as many merchants as suit them."""
    choose = random.Random(7)
    merchants = max(number // CAMPAIGNS_OF_A_MERCHANT, 1)
    kinds = choose.choices(KINDS, [kind.weight for kind in KINDS], k=number)
    return [_campaign(f"cam_{n:06d}", kind, choose, merchants) for n, kind in enumerate(kinds)]


def payments_of(number: int, campaigns: int) -> list[Facts]:
    """Payments over some minutes at the merchants of so many campaigns."""
    choose = random.Random(11)
    return [_payment(n, choose, max(campaigns // CAMPAIGNS_OF_A_MERCHANT, 1)) for n in range(number)]


def _campaign(id_: str, kind: Kind, choose: Chooser, merchants: int) -> Campaign:
    when = kind.when.format(
        merchant=f"mer_{choose.randrange(merchants)}",
        bank=choose.choice(BANKS),
        wallet=choose.choice(WALLETS),
        region=choose.choice(REGIONS),
        category=choose.choice(CATEGORIES),
        hour=choose.randrange(8, 18),
    )
    return Campaign(
        id=id_,
        version=1,
        status=Status.ACTIVE,
        name=f"campaign {id_}",
        benefit=_varied(kind.benefit, choose),
        condition=condition(when),
        limits=kind.limits,
        funding=FUNDERS,
        stacking=kind.stacking,
        timezone=ZONE,
        starts_at=NOON - timedelta(days=10),
        ends_at=NOON + timedelta(days=20),
        coupon=kind.coupon,
    )


def _varied(benefit: Benefit, choose: Chooser) -> Benefit:
    """Campaigns of a kind differ in what they give."""
    match benefit:
        case AmountOff(tiers):
            more_fen = 10 * choose.randrange(20)
            return AmountOff(tuple([Tier(tier.spend_fen, tier.off_fen + more_fen) for tier in tiers]))
        case PercentOff(percent, max_fen):
            return PercentOff(percent - choose.randrange(40), max_fen)
        case FixedPrice(price_fen, spend_fen):
            return FixedPrice(price_fen + 10 * choose.randrange(30), spend_fen)
        case _:
            return benefit


def _payment(number: int, choose: Chooser, merchants: int) -> Facts:
    merchant = choose.randrange(merchants)
    is_known = choose.random() < 0.8
    return Facts(
        merchant_id=f"mer_{merchant}",
        order_key=f"mer_{merchant}/POS7-{number}",
        amount_fen=round(choose.lognormvariate(8.0, 0.9)) + 1,
        method="barcode",
        at=NOON + timedelta(seconds=choose.randrange(600)),
        wallet=choose.choice(WALLETS),
        store_id=f"s-{choose.randrange(300)}",
        terminal_id=f"t-{choose.randrange(3_000)}",
        region=REGIONS[merchant % len(REGIONS)],
        category=CATEGORIES[merchant % len(CATEGORIES)],
        card_bin=choose.choice(BANKS) if choose.random() < 0.5 else None,
        code_id="code_1" if choose.random() < 0.2 else None,
        customer=f"{number:032x}" if is_known else None,
        device=f"{number:032x}" if is_known else None,
        history=_history(choose, f"mer_{merchant}") if is_known else None,
    )


def _history(choose: Chooser, merchant_id: str) -> History:
    orders = choose.randrange(30)
    if not orders:
        return History()
    last_at = NOON - timedelta(days=choose.randrange(1, 90))
    return History(
        orders=orders,
        spent_fen=2_500 * orders,
        first_at=last_at - timedelta(days=200),
        last_at=last_at,
        orders_by_wallet={"wechat": orders},
        orders_by_bin={choose.choice(BANKS): orders // 2},
        orders_by_merchant={merchant_id: orders // 3},
        uses=_uses(choose),
    )


def _uses(choose: Chooser) -> Mapping[tuple[str, Scope, date], Uses]:
    some = [f"cam_{choose.randrange(10_000):06d}" for _ in range(5)]
    return {(each, Scope.CUSTOMER, EVER): Uses(1, 500) for each in some}
