"""Our own books alone, as in production: what they show is found, what only a channel could show is not claimed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import orjson
import pytest

from gateway.audit import command
from gateway.audit.checks import OF_CHANNELS, Check
from gateway.audit.command import Asked, ExitStatus
from gateway.audit.leaving import leave_run
from gateway.audit.report import as_json, show
from gateway.audit.run import AuditOptions
from gateway.audit.span import Days
from gateway.kernel.clock import BEIJING
from tests.integration.audit.planting import PLANTS, Plant
from tests.integration.audit.test_books import add_what_stands_apart, whole_world
from tests.integration.audit.test_planted_errors import _MODULES
from tests.integration.audit.world import World

assert _MODULES, "importing them registers what they plant"
_AT_CHANNEL_TOO = {
    "an_order_that_was_not_sent_and_is_at_its_channel",
    "an_order_that_was_refused_captured_and_given_back",
    "an_order_that_was_refused_while_the_customer_types_the_pin",
}
"""Planted in a channel's book, for a check that our own take a part in."""


def unbalanced(world: World) -> None:
    world.stories[0].transfers[0]["amount"] += 1


def overspent(world: World) -> None:
    world.discounted()
    world.campaigns.slice["used"] = world.campaigns.campaign["budget"] + 1


def redemption_gone(world: World) -> None:
    world.discounted().redemptions.clear()


def event_gone(world: World) -> None:
    world.stories[0].events.pop()


def refund_without_posting(world: World) -> None:
    world.refunded().transfers.pop()


def number_astray(world: World) -> None:
    world.strays["order_numbers"].append(world.stories[0].order_numbers[0] | {"merchant_order_no": "of nobody"})


OWN = [
    (unbalanced, {Check.POSTINGS}),
    (overspent, {Check.SLICES, Check.BUDGET}),
    (redemption_gone, {Check.DISCOUNT, Check.SLICES, Check.USES, Check.FUNDING}),
    (event_gone, {Check.GAPLESS, Check.STATUS, Check.POSTINGS}),
    (refund_without_posting, {Check.POSTINGS}),
    (number_astray, {Check.ORDER_NUMBER}),
]


def capture_gone(world: World) -> None:
    world.stories[0].trades.clear()


def captured_twice(world: World) -> None:
    world.trade(world.stories[0])


def captured_a_fen_less(world: World) -> None:
    world.stories[0].trades[0]["amount"] -= 1


@pytest.fixture(params=[False, True], ids=["whole", "day by day"])
def in_days(request: pytest.FixtureRequest) -> bool:
    """Whether the days of all payments are asked for, or nothing."""
    return bool(request.param)


@pytest.mark.usefixtures("small_pages")
async def test_books_that_agree_agree_and_the_channels_are_not_claimed(
    connection: asyncpg.Connection,
    database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    in_days: bool,
) -> None:
    world = whole_world()
    add_what_stands_apart(world)
    report = await world.audit(connection, database_url, tmp_path, own_books=True, days=around(world, in_days=in_days))
    assert report.agrees, report.findings.shown
    assert report.payments == len(world.stories)
    assert not [check for check in OF_CHANNELS if report.findings.compared[check]]
    document = orjson.loads(as_json(report))
    assert (document["kind"], document["channels_compared"], document["simulators"]) == ("own_books", False, None)
    holds = {check["name"]: check["holds"] for check in document["checks"]}
    assert {name for name, each in holds.items() if each is None} >= {check.value for check in OF_CHANNELS}
    assert holds[Check.POSTINGS] is True
    assert holds[Check.CUSTOMER] is (None if in_days else True)
    assert holds[Check.SLICES] is True
    assert "kept_fen" not in document["accounts"]["wechat_direct"]
    show(report)
    told = capsys.readouterr().out
    assert told.startswith("Own books only: the channels' books were not there.")
    assert "Our own books agree" in told
    assert ("Payments made from" in told) is in_days


def around(world: World, *, in_days: bool = True) -> Days | None:
    """The days of all its payments, and the day before: the campaign's own days are those of UTC."""
    if not in_days:
        return None
    made = [story.payment["created_at"].astimezone(BEIJING).date() for story in world.stories]
    today = world.now.astimezone(BEIJING).date()
    return Days(min(made) - timedelta(days=1), max(*made, today))


@pytest.mark.parametrize(("plant", "checks"), OWN, ids=[plant.__name__ for plant, _ in OWN])
async def test_what_our_own_books_show_is_found(
    plant: Callable[[World], None],
    checks: set[Check],
    connection: asyncpg.Connection,
    database_url: str,
    tmp_path: Path,
    *,
    in_days: bool,
) -> None:
    world = World()
    world.succeeded()
    plant(world)
    days = around(world, in_days=in_days)
    report = await world.audit(connection, database_url, tmp_path, log=False, own_books=True, days=days)
    assert report.findings.counts.keys() == checks, report.findings.shown


@pytest.mark.parametrize("plant", [capture_gone, captured_twice, captured_a_fen_less], ids=lambda plant: plant.__name__)
async def test_what_only_a_channel_shows_is_found_with_its_books_and_not_claimed_without(
    plant: Callable[[World], None], connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded()
    plant(world)
    assert not (await world.audit(connection, database_url, tmp_path)).agrees
    report = await world.audit(connection, database_url, tmp_path, own_books=True)
    assert report.agrees
    assert report.findings.compared[Check.SUCCEEDED_WITHOUT_CAPTURE] == 0


@pytest.mark.long
@pytest.mark.parametrize(("check", "plant"), PLANTS, ids=[f"{check}-{plant.__name__}" for check, plant in PLANTS])
async def test_every_planted_error_is_found_or_not_spoken_of(
    check: Check, plant: Plant, connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded("wechat")
    plant(world)
    report = await world.audit(connection, database_url, tmp_path, own_books=True)
    assert not [each for each in OF_CHANNELS if report.findings.counts[each]], report.findings.shown
    is_told = report.findings.counts[check] >= 1
    assert is_told is (check not in OF_CHANNELS and plant.__name__ not in _AT_CHANNEL_TOO), report.findings.shown


async def test_only_the_days_that_were_asked_for_are_looked_at(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    old, new = world.succeeded(age_s=5 * 86_400), world.succeeded(age_s=0)
    old.transfers[0]["amount"] += 1
    [made] = Days(*[old.payment["created_at"].astimezone(BEIJING).date()] * 2).each()
    today = around(world)
    assert today is not None
    days = Days(made.first + timedelta(days=1), today.last)
    report = await world.audit(connection, database_url, tmp_path, log=False, own_books=True, days=days)
    assert (report.payments, report.agrees) == (1, True)
    assert new.id > old.id
    report = await world.audit(connection, database_url, tmp_path, log=False, own_books=True, days=made)
    assert (report.payments, report.findings.counts) == (1, {Check.POSTINGS: 1})


async def test_a_day_of_a_campaign_is_summed_up_over_the_days_of_its_time_zone(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    """At 20:00 in UTC the campaign's day is one, and Beijing's the next: the sum lies in both."""
    world = World()
    evening = (world.now - timedelta(days=2)).replace(hour=20, minute=0)
    day = evening.date()
    world.campaigns.day = world.campaigns.slice["day"] = day
    for hours in (0, -8):
        age_s = (world.now - evening - timedelta(hours=hours)).total_seconds()
        for key in [key for key in world.campaigns.uses if key.year > 2000]:
            world.campaigns.uses[day] = world.campaigns.uses.pop(key) | {"day": day}
        world.stories.append(_discounted(world, age_s))
    days = Days(day, day + timedelta(days=1))
    report = await world.audit(connection, database_url, tmp_path, log=False, own_books=True, days=days)
    assert report.agrees, report.findings.shown
    assert report.findings.compared[Check.SLICES] == 1
    world.stories.pop()
    report = await world.audit(connection, database_url, tmp_path, log=False, own_books=True, days=days)
    assert Check.SLICES in report.findings.counts


def _discounted(world: World, age_s: float) -> object:
    story = world.succeeded(age_s=age_s, payable=2_099, funding=(("bank", 350), ("merchant", 150)))
    story.redemptions.append(world.campaigns.redemption(story.payment))
    world.campaigns.pay(story.payment["payable"])
    return world.stories.pop()


async def test_an_audit_leaves_a_row_and_says_so_where_it_may_not(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded()
    unbalanced(world)
    report = await world.audit(connection, database_url, tmp_path, log=False, own_books=True, days=around(world))
    assert await leave_run(database_url, report) is None
    row = await connection.fetchrow("SELECT * FROM audit_runs ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (row["kind"], row["payments"], row["findings"], row["agreed"]) == ("own_books", 1, 1, False)
    assert row["first_day"] is not None
    assert orjson.loads(row["mismatches"]) == {"I9.postings": 1}
    assert orjson.loads(row["compared"])["I9.postings"] > 0
    reason = await leave_run(f"{database_url}&default_transaction_read_only=on", report)
    assert reason is not None
    assert "read-only" in reason


def test_in_production_our_own_books_are_the_default_and_elsewhere_asked_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MASHANG_DATABASE_URL", database_url)
    monkeypatch.delenv("MASHANG_REDIS_URL", raising=False)

    def audit(asked: Asked) -> tuple[ExitStatus, str, str]:
        status = command.run_audit(asked, AuditOptions(), json=False)
        return (status, *capsys.readouterr())

    status, _, why = audit(Asked())
    assert status is ExitStatus.COULD_NOT_AUDIT
    assert "--own-books" in why
    status, told, _ = audit(Asked(own_books=True, days=2))
    assert status is ExitStatus.DISAGREES
    assert "Own books only" in told
    monkeypatch.setenv("MASHANG_ENV", "production")
    status, told, _ = audit(Asked())
    assert status is ExitStatus.DISAGREES
    assert "Own books only" in told
    status, _, why = audit(Asked(simulators=("wechat=http://127.0.0.1:1",)))
    assert status is ExitStatus.COULD_NOT_AUDIT
    assert "the wechat" in why or "alipay" in why
