"""The life of a campaign: drafted, edited, activated, paused, resumed, topped up, ended; what may be done when.

Every function works in the caller's transaction and holds the campaign's row, so that changes come one after the other;
each takes effect with the commit, for what pays in between looks at version and status again (the intent statement).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.database.pool import Connection
from gateway.kernel.documents import Problem
from gateway.kernel.ids import new_id
from promotions.budget import grants
from promotions.campaigns import store
from promotions.campaigns.campaign import Campaign, CouponReward, Status
from promotions.campaigns.document import CampaignError, parse, to_json
from promotions.campaigns.store import StoredCampaign
from promotions.campaigns.terms import BUDGET_FEN_MAX


class Step(StrEnum):
    """What a manager does with a campaign as a whole."""

    ACTIVATE = "activate"
    PAUSE = "pause"
    RESUME = "resume"
    END = "end"


STEPS: Final = {
    # from            step           to
    (Status.DRAFT, Step.ACTIVATE): Status.ACTIVE,
    (Status.DRAFT, Step.END): Status.ENDED,
    (Status.ACTIVE, Step.PAUSE): Status.PAUSED,
    (Status.ACTIVE, Step.END): Status.ENDED,
    (Status.PAUSED, Step.RESUME): Status.ACTIVE,
    (Status.PAUSED, Step.END): Status.ENDED,
}
TARGETS: Final = {
    Step.ACTIVATE: Status.ACTIVE,
    Step.PAUSE: Status.PAUSED,
    Step.RESUME: Status.ACTIVE,
    Step.END: Status.ENDED,
}
"""A step whose target is reached already changes nothing: it may be a repetition."""
_DEPTH_MAX: Final = 3
"""Of a document's objects within objects, such as `limits.per_customer.day`."""


class NoSuchCampaign(Exception):
    """There is no campaign of that id."""


class IllegalStep(Exception):
    """The campaign stands where this cannot be done; the message is a sentence that says what can."""


class CampaignChanged(Exception):
    """Somebody else has changed the campaign meanwhile: it is at `version` and `revision` now."""

    def __init__(self, now: StoredCampaign) -> None:
        super().__init__(f"version {now.version}, revision {now.revision}")
        self.version = now.version
        self.revision = now.revision


class NotWhileRunning(Exception):
    """A field that does not change any more once a campaign was activated; the message says why."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class BelowUsed(Exception):
    """The limit at `path` would be below what payments have taken: `used`, in fen or in redemptions."""

    def __init__(self, path: str, used: int) -> None:
        super().__init__(f"{path} is below {used}")
        self.path = path
        self.used = used


class TopUpReused(Exception):
    """The key was used for another amount (fen)."""

    def __init__(self, amount_fen: int) -> None:
        super().__init__(f"{amount_fen} fen")
        self.amount_fen = amount_fen


class Base(NamedTuple):
    """What an editor has seen; None is not looked at."""

    version: int | None = None
    revision: int | None = None


ANY: Final = Base()


class Change(NamedTuple):
    """A campaign before and after; the same where nothing had to change."""

    before: StoredCampaign
    after: StoredCampaign


async def draft(connection: Connection, given: object) -> StoredCampaign:
    """Write a new campaign.  Raises CampaignError with all that is wrong."""
    return await store.create(connection, await _read(connection, given, new_id("cam"), 1, Status.DRAFT))


async def edit(connection: Connection, campaign_id: str, given: object, base: Base = ANY) -> Change:
    """Write a campaign's next version, whole; the same document again changes nothing.

    Raises NoSuchCampaign, IllegalStep for one that has ended, CampaignChanged, NotWhileRunning, BelowUsed and
    CampaignError.
    """
    before = await held(connection, campaign_id)
    if before.status is Status.ENDED:
        raise IllegalStep("It has ended, and what has ended does not change: create another one.")
    campaign = await _read(connection, given, campaign_id, before.version + 1, before.status)
    if to_json(campaign) == before.document:
        return Change(before, before)
    if base.version not in {None, before.version} or base.revision not in {None, before.revision}:
        raise CampaignChanged(before)
    if before.status is Status.DRAFT:
        return Change(before, await store.save(connection, campaign))
    _refuse_frozen(before, campaign)
    await _refuse_reward(connection, campaign)
    after = await store.save(connection, campaign)
    await _regrant(connection, after)
    return Change(before, after)


async def amend(connection: Connection, campaign_id: str, patch: Mapping[str, Any], base: Base = ANY) -> Change:
    """The same by a JSON merge patch (RFC 7396) of the present document."""
    before = await held(connection, campaign_id)
    return await edit(connection, campaign_id, _merged(before.document, patch, _DEPTH_MAX), base)


async def take(connection: Connection, campaign_id: str, step: Step) -> Change:
    """Take a step.  Raises NoSuchCampaign, IllegalStep, and CampaignError where it could not apply now."""
    before = await held(connection, campaign_id)
    if before.status is TARGETS[step]:
        return Change(before, before)
    target = STEPS.get((before.status, step))
    if target is None:
        raise IllegalStep(_instead(before.status, step))
    if target is Status.ACTIVE:
        campaign = await _read(connection, before.document, campaign_id, before.version, before.status)
        await _refuse_reward(connection, campaign)
    after = await store.set_status(connection, campaign_id, target)
    if target is Status.ACTIVE:
        await grants.regrant(connection, campaign_id)
    else:
        await store.await_takers(connection, campaign_id)
    return Change(before, after)


async def top_up(connection: Connection, campaign_id: str, key: str, amount_fen: int) -> Change:
    """Add to the budget, once for each key: today's slices get it at once, what payments hold is untouched.

    Raises NoSuchCampaign, TopUpReused, and IllegalStep where there is no budget, or no longer one.
    """
    before = await held(connection, campaign_id)
    known_fen = await store.topped_up_by(connection, campaign_id, key)
    if known_fen is not None:
        if known_fen != amount_fen:
            raise TopUpReused(known_fen)
        return Change(before, before)
    _refuse_top_up(before, amount_fen)
    after = await store.add_to_budget(connection, campaign_id, key, amount_fen)
    await grants.regrant(connection, campaign_id)
    return Change(before, after)


async def held(connection: Connection, campaign_id: str) -> StoredCampaign:
    """The campaign; nobody else changes it until the transaction ends.  Raises NoSuchCampaign."""
    found = await store.hold(connection, campaign_id)
    if found is None:
        raise NoSuchCampaign
    return found


def _merged(document: Mapping[str, Any], patch: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """RFC 7396 down to a depth; what is deeper replaces whole."""
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and depth > 1:
            known = merged.get(name)
            merged[name] = _merged(known if isinstance(known, dict) else {}, value, depth - 1)
        else:
            merged[name] = value
    return merged


async def _read(connection: Connection, given: object, campaign_id: str, version: int, status: Status) -> Campaign:
    """The campaign, checked by the database's clock; aside, for compiling a condition takes milliseconds."""
    now = await connection.fetchval("SELECT now()")
    return await asyncio.to_thread(parse, given, campaign_id=campaign_id, version=version, status=status, now=now)


async def _regrant(connection: Connection, stored: StoredCampaign) -> None:
    """Bring today's slices to limits that have changed.  Raises BelowUsed."""
    try:
        await grants.regrant(connection, stored.id)
    except grants.BelowSpent as error:
        budget_fen = stored.caps.budget_fen
        if budget_fen is not None and error.fen > budget_fen:
            raise BelowUsed("limits.budget", error.fen) from None
        raise BelowUsed("limits.count", error.count) from None


def _refuse_top_up(before: StoredCampaign, amount_fen: int) -> None:
    if before.status is Status.ENDED:
        raise IllegalStep("It has ended, and its leftover went back to the sponsors: create another one.")
    if before.caps.budget_fen is None:
        raise IllegalStep("It has no budget that could be raised: “limits.budget” is null, which is no limit.")
    if before.caps.budget_fen + amount_fen > BUDGET_FEN_MAX:
        raise IllegalStep(f"Its budget would be above {BUDGET_FEN_MAX} fen.")


async def _refuse_reward(connection: Connection, campaign: Campaign) -> None:
    """Raises CampaignError where the coupons that it gives are of no campaign that has coupons to give."""
    if not isinstance(campaign.benefit, CouponReward):
        return
    rewarding = await store.find(connection, campaign.benefit.campaign_id)
    if rewarding is None:
        message = "there is no such campaign"
    elif _coupon_kind(rewarding.written) != "own":
        message = "that campaign has no coupons of customers' own"
    elif rewarding.status is Status.ENDED:
        message = "that campaign has ended"
    else:
        return
    raise CampaignError((Problem("benefit.campaign", message),))


def _refuse_frozen(before: StoredCampaign, campaign: Campaign) -> None:
    """Raises NotWhileRunning with the first such field."""
    for path, message in _frozen(before, campaign):
        raise NotWhileRunning(path, message)


def _frozen(before: StoredCampaign, campaign: Campaign) -> Iterator[tuple[str, str]]:
    if campaign.timezone.key != before.timezone:
        yield "timezone", "its days, and what was taken of each, are in that time zone"
    if campaign.limits.has_slices is not before.caps.has_slices:
        yield "limits", "what was taken before would not be counted: its budget and number cannot all begin or go"
    if _coupon_kind(to_json(campaign)) != _coupon_kind(before.written):
        yield "coupon", "customers hold its coupons, or had its discount without: whether it needs one stays"


def _coupon_kind(document: Mapping[str, Any]) -> str | None:
    coupon = document.get("coupon")
    if coupon is None:
        return None
    return "own" if coupon.get("code") is None else "code"


def _instead(status: Status, step: Step) -> str:
    """Why a step cannot be taken, and which can."""
    if status is Status.ENDED:
        return "It has ended, which is final: create another one."
    steps = " or ".join(f"“{each}”" for origin, each in STEPS if origin is status)
    return f"It is {'a draft' if status is Status.DRAFT else status.value}, which cannot “{step}”: {steps} it."
