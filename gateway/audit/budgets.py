"""I4 for campaigns: slices, counters, coupons and customers are what payments that stand took, within the limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import asyncpg

from gateway.audit.allowed import Allowed, read_allowed
from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.joining import Key, joined
from gateway.audit.scratch import Scratch
from gateway.audit.span import Bounds
from gateway.database.pool import named_statements
from promotions.facts import EVER

SQL: Final = named_statements("gateway.audit", "statements.sql")
_PAGE: Final = 2_000
_KEPT: Final = timedelta(days=39)
"""Counters of days 40 days past are deleted (promotions/budget/budget.sql)."""


@dataclass(slots=True)
class CampaignTally:
    """What the report tells of campaigns: how many, and what of their budgets is granted and given (held or spent)."""

    campaigns: int = 0
    granted_fen: int = 0
    used_fen: int = 0
    redemptions: int = 0
    """Of campaigns with a budget or a number; those that came back whole are left out where the campaign says so."""


async def check_budgets(connection: asyncpg.Connection, within: Bounds, findings: Findings) -> CampaignTally:
    """Hold what campaigns have granted and given against what they may, and coupons against the payments within."""
    allowed = await read_allowed(connection)
    tally = CampaignTally(len(allowed))
    sums: dict[str, _Sums] = {}
    async for key, slice_ in _rows(connection, "slices", 3, None):
        _sum_up(sums, key, slice_)
    for campaign_id, total in sums.items():
        _check_budget(campaign_id, allowed.get(campaign_id), total, findings)
        tally.granted_fen += total.fen
        tally.used_fen += total.used
        tally.redemptions += total.used_count
    await _check_coupons(connection, allowed, within, findings)
    return tally


async def check_walked(
    connection: asyncpg.Connection, scratch: Scratch, day: date | None, now: datetime, findings: Findings
) -> None:
    """Compare the sums of the walk through the payments with what is counted: of one day, or of all there is.

    What counts for ever (a counter of no day, what is known of a customer) can be compared with all payments only.
    """
    await _check_slices(connection, scratch, day, findings)
    await _check_uses(connection, scratch, day, now, findings)
    if day is None:
        await _check_customers(connection, scratch, findings)


async def _check_slices(
    connection: asyncpg.Connection, scratch: Scratch, of_day: date | None, findings: Findings
) -> None:
    took = ((row[:3], row[3:]) for row in scratch.took())
    async for key, slice_, taken in joined(_rows(connection, "slices", 3, of_day), took):
        campaign_id, day, number = key
        is_known = not findings.retired.reaches(campaign_id, day)
        findings.compare(Check.SLICES, int(is_known))
        given = (0, 0) if slice_ is None else (slice_["used"], slice_["used_count"])
        wanted = (0, 0) if taken is None else taken
        if given != wanted and is_known:
            findings.add(
                Check.SLICES,
                f"slice {number} of {day} has given {given[0]} fen to {given[1]}; the payments that stand took "
                f"{wanted[0]} fen, {wanted[1]} of them",
                campaign_id=campaign_id,
            )


@dataclass(slots=True)
class _Sums:
    """Granted (where a slice has no limit: given) in fen and in number, in all and by day, and what of it is given."""

    fen: int
    number: int
    used: int
    used_count: int
    days: dict[str, tuple[int, int]]


def _sum_up(sums: dict[str, _Sums], key: Key, slice_: asyncpg.Record) -> None:
    campaign_id, day, _ = key
    total = sums.setdefault(campaign_id, _Sums(0, 0, 0, 0, {}))
    fen = slice_["used"] if slice_["granted"] is None else max(slice_["granted"], slice_["used"])
    number = (
        slice_["used_count"] if slice_["granted_count"] is None else max(slice_["granted_count"], slice_["used_count"])
    )
    total.fen += fen
    total.number += number
    total.used += slice_["used"]
    total.used_count += slice_["used_count"]
    before = total.days.get(day, (0, 0))
    total.days[day] = (before[0] + fen, before[1] + number)


def _check_budget(campaign_id: str, campaign: Allowed | None, total: _Sums, findings: Findings) -> None:
    findings.compare(Check.BUDGET)
    if campaign is None:
        findings.add(Check.BUDGET, "slices of a campaign that does not exist", campaign_id=campaign_id)
        return
    for what, granted, limit in _granted(campaign, total):
        if limit is not None and granted > limit:
            findings.add(
                Check.BUDGET, f"{granted} {what} are granted or given, the limit is {limit}", campaign_id=campaign_id
            )


def _granted(campaign: Allowed, total: _Sums) -> Iterator[tuple[str, int, int | None]]:
    yield "fen", total.fen, campaign.budget
    yield "redemptions", total.number, campaign.count
    for day, (fen, number) in total.days.items():
        yield f"fen of {day}", fen, campaign.on_day("budget_per_day", day)
        yield f"redemptions of {day}", number, campaign.on_day("count_per_day", day)


async def _check_uses(
    connection: asyncpg.Connection, scratch: Scratch, of_day: date | None, now: datetime, findings: Findings
) -> None:
    allowed = await read_allowed(connection)
    used = ((row[:4], row[4:]) for row in scratch.used())
    async for (key, campaign_id, scope, day), counter, taken in joined(_rows(connection, "uses", 4, of_day), used):
        if findings.retired.reaches(campaign_id, day) or (counter is None and _is_forgotten(day, now)):
            continue
        findings.compare(Check.USES)
        counted = (0, 0) if counter is None else (counter["used"], counter["used_count"])
        wanted = (0, 0) if taken is None else taken
        of = {"campaign_id": campaign_id, "scope": scope, "key": key}
        if counted != wanted:
            findings.add(
                Check.USES,
                f"on {day} {counted[0]} fen in {counted[1]} are counted; the payments that stand took {wanted[0]} fen "
                f"in {wanted[1]}",
                **of,
            )
        campaign = allowed.get(campaign_id)
        number, fen = (None, None) if campaign is None else campaign.of_scope(scope, day)
        findings.compare(Check.LIMITS)
        if (number is not None and wanted[1] > number) or (fen is not None and wanted[0] > fen):
            findings.add(
                Check.LIMITS,
                f"took {wanted[0]} fen in {wanted[1]} on {day}; at most {fen} in {number} are allowed",
                **of,
            )


def _is_forgotten(day: str, now: datetime) -> bool:
    """Whether the counter of a day may be gone: nobody takes of it any more."""
    return day != EVER.isoformat() and date.fromisoformat(day) < (now - _KEPT).date()


async def _check_coupons(
    connection: asyncpg.Connection, allowed: Mapping[str, Allowed], within: Bounds, findings: Findings
) -> None:
    findings.compare(Check.COUPON, await connection.fetchval(SQL["coupons_redeemed"], *within))
    async for row in connection.cursor(SQL["coupons_astray"], *within, prefetch=_PAGE):
        findings.add(
            Check.COUPON,
            f"{row['why']}",
            coupon_id=row["coupon_id"],
            payment_id=row["payment_id"],
        )
    async for row in connection.cursor(SQL["coupon_stock"], prefetch=_PAGE):
        findings.compare(Check.COUPON_STOCK)
        campaign = allowed.get(row["campaign_id"])
        stock = None if campaign is None else campaign.stock
        if row["out"] != row["taken"] or (stock is not None and row["out"] > stock):
            findings.add(
                Check.COUPON_STOCK,
                f"{row['out']} coupons are out, {row['taken']} are counted, the stock is {stock or 'not limited'}",
                campaign_id=row["campaign_id"],
            )


async def _check_customers(connection: asyncpg.Connection, scratch: Scratch, findings: Findings) -> None:
    paid = (((customer,), (number, fen)) for customer, fen, number in scratch.paid())
    async for (customer,), known, wanted in joined(_rows(connection, "customers", 1), paid):
        if known is not None and findings.retired.knew(known["first_at"]):
            continue
        findings.compare(Check.CUSTOMER)
        counted = (0, 0) if known is None else (known["orders"], known["spent"])
        if counted != (wanted or (0, 0)):
            number, fen = wanted or (0, 0)
            findings.add(
                Check.CUSTOMER,
                f"{counted[1]} fen in {counted[0]} payments are known; {fen} in {number} were paid and stand",
                customer=customer.hex()[:16],
            )


async def _rows(
    connection: asyncpg.Connection, name: str, columns: int, *arguments: object
) -> AsyncIterator[tuple[Key, Any]]:
    """A table in the order of its first columns, which are its key."""
    async for row in connection.cursor(SQL[name], *arguments, prefetch=_PAGE):
        yield tuple(row.values())[:columns], row
