"""What a payment earns its customer (满额返券): brings the coupons issued for it in line with how the payment stands.

Whoever calls this repeats it at will: each coupon of a reward has a number of its own under its payment, and is issued
once; what is void stays void.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import orjson

from gateway.database.pool import Connection
from gateway.kernel.documents import Problems
from gateway.kernel.ids import new_id
from promotions.campaigns.benefits import read_benefit
from promotions.campaigns.campaign import CouponReward, Status
from promotions.campaigns.reading import CampaignReader
from promotions.coupons.campaigns import SQL, CouponCampaign, find_campaign
from promotions.coupons.coupon import PREFIX, VoidReason
from promotions.coupons.taking import Receiver, Refusal, TakeResult, TakeRow, take_arguments, take_result

_log = logging.getLogger("mashang.coupons")
_NOTHING_CAME_OF_IT: Final = frozenset({"failed", "closed", "reversed"})
_GIVEN: Final = frozenset({Status.ACTIVE, Status.PAUSED})
"""A pause stops what is claimed and redeemed; what customers were promised for paying they get."""


class CampaignChanging(Exception):
    """The campaign whose coupons are given was edited meanwhile: begin anew, in another transaction."""


@dataclass(slots=True)
class Rewarded:
    """The ids of the coupons that a call has issued and voided, and how many were not to be had (any more)."""

    issued: list[str] = field(default_factory=list)
    voided: list[str] = field(default_factory=list)
    missing: int = 0


async def reward(connection: Connection, payment_id: str, merchant_id: str) -> Rewarded:
    """Issue what the payment has earned, or void what of it was not redeemed, in the caller's transaction.

    The payment's row is held: a refund or a reversal comes before this, or after it.  Raises CampaignChanging.
    """
    done = Rewarded()
    payment = await connection.fetchrow(SQL["hold_payment"], payment_id, merchant_id)
    if payment is None or payment["customer"] is None:
        return done
    for rewarding in await connection.fetch(SQL["rewarding"], payment_id, merchant_id):
        reason = _why_void(payment, returns_budget=rewarding["returns_budget"])
        if reason is not None:
            voided = await connection.fetch(SQL["void_rewards"], payment_id, rewarding["campaign_id"], reason)
            done.voided += [record["id"] for record in voided]
        elif payment["status"] == "succeeded":
            await _issue(connection, payment, rewarding, done)
    return done


def _why_void(payment: asyncpg.Record, *, returns_budget: bool) -> VoidReason | None:
    """Where nothing came of the payment; or where it was refunded whole, and its campaign takes back what it gave."""
    if payment["status"] in _NOTHING_CAME_OF_IT:
        return VoidReason.REVERSED
    if payment["amount_refunded"] >= payment["amount"] and returns_budget:
        return VoidReason.REFUNDED
    return None


async def _issue(connection: Connection, payment: asyncpg.Record, rewarding: asyncpg.Record, done: Rewarded) -> None:
    benefit = _reward_of(rewarding["document"])
    campaign = await find_campaign(connection, benefit.campaign_id)
    if campaign is None or campaign.status not in _GIVEN:
        done.missing += benefit.count
        _log.warning("a reward has no coupons", extra={"payment_id": payment["id"], "campaign": benefit.campaign_id})
        return
    realm = await connection.fetchval(SQL["realm_of"], payment["merchant_id"])
    receiver = Receiver(payment["customer"], payment["merchant_id"], realm)
    for result in await _take(connection, campaign, receiver, (payment["id"], rewarding["campaign_id"]), benefit.count):
        if result.refusal is Refusal.CHANGED:
            raise CampaignChanging
        if result.refusal is not None:
            done.missing += 1
        elif not result.replayed:
            assert result.id is not None
            done.issued.append(result.id)


async def _take(
    connection: Connection, campaign: CouponCampaign, receiver: Receiver, reward_of: tuple[str, str], count: int
) -> Sequence[TakeResult]:
    """So many coupons for a payment, by (its id, the campaign that rewards it)."""
    rows = [TakeRow.issued(new_id(PREFIX), campaign, receiver, (*reward_of, number)) for number in range(1, count + 1)]
    return [take_result(record) for record in await connection.fetch(SQL["take"], *take_arguments(rows))]


def _reward_of(document: str) -> CouponReward:
    """The benefit of the campaign's version that the payment saw; it was checked when it was written."""
    benefit = read_benefit(CampaignReader(orjson.loads(document)["benefit"], "benefit", Problems()))
    assert isinstance(benefit, CouponReward), "redemptions say “rewards” of no other benefit"
    return benefit
