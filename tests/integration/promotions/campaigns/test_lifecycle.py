"""The life of a campaign: what may be done when, and what is refused with the reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from gateway.kernel.clock import rfc3339, utc_now
from promotions.campaigns import store
from promotions.campaigns.campaign import Status
from promotions.campaigns.document import CampaignError
from promotions.campaigns.lifecycle import (
    Base,
    CampaignChanged,
    Change,
    IllegalStep,
    NoSuchCampaign,
    NotWhileRunning,
    Step,
)
from tests.support.campaign_lives import active, amended, document, drafted, edited, taken


async def test_a_campaign_begins_as_a_draft_and_gives_nothing(pool: asyncpg.Pool) -> None:
    created = await drafted(pool)
    assert (created.status, created.version, created.activated_at) == (Status.DRAFT, 1, None)
    assert created.caps == store.Caps(1_000_000, 200_000, None, None)
    assert created == await store.find(pool, created.id)
    [version] = await store.history(pool, created.id, 10)
    assert (version.version, version.document) == (1, created.document)


async def test_what_is_wrong_with_a_draft_is_told_and_nothing_is_written(pool: asyncpg.Pool) -> None:
    before = await pool.fetchval("SELECT count(*) FROM campaigns")
    with pytest.raises(CampaignError) as caught:
        await drafted(pool, funding=[{"sponsor": "bank", "share": "0.7"}], condition="payment.hours > 1")
    assert {problem.path for problem in caught.value.problems} >= {"funding", "condition"}
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == before


async def test_it_is_activated_paused_resumed_and_ended(pool: asyncpg.Pool) -> None:
    created = await drafted(pool)
    statuses = [(await taken(pool, created.id, step)).after.status for step in Step]
    assert statuses == [Status.ACTIVE, Status.PAUSED, Status.ACTIVE, Status.ENDED]
    ended = await store.find(pool, created.id)
    assert ended is not None
    assert (ended.version, ended.revision) == (1, 5), "every change raises the revision, a step no version"
    assert ended.activated_at is not None
    assert ended.ended_at is not None
    assert created.created_at < ended.activated_at < ended.ended_at


@pytest.mark.parametrize(
    ("way", "step", "told"),
    [
        ([], Step.PAUSE, "It is a draft, which cannot “pause”: “activate” or “end” it."),
        ([], Step.RESUME, "It is a draft"),
        ([Step.ACTIVATE, Step.PAUSE], Step.ACTIVATE, "It is paused, which cannot “activate”: “resume” or “end” it."),
        ([Step.END], Step.ACTIVATE, "It has ended, which is final"),
        ([Step.ACTIVATE, Step.END], Step.RESUME, "It has ended"),
        ([Step.ACTIVATE, Step.END], Step.PAUSE, "It has ended"),
    ],
)
async def test_an_illegal_step_is_refused_with_what_can_be_done(
    pool: asyncpg.Pool, way: list[Step], step: Step, told: str
) -> None:
    created = await drafted(pool)
    if way:
        await taken(pool, created.id, *way)
    before = await store.find(pool, created.id)
    with pytest.raises(IllegalStep) as caught:
        await taken(pool, created.id, step)
    assert told in str(caught.value)
    assert await store.find(pool, created.id) == before


async def test_a_repeated_step_changes_nothing(pool: asyncpg.Pool) -> None:
    running = await active(pool)
    for step in (Step.PAUSE, Step.RESUME, Step.END):
        first = await taken(pool, running.id, step)
        assert first.before != first.after
        assert await taken(pool, running.id, step) == Change(first.after, first.after)


async def test_what_is_not_there_can_do_nothing(pool: asyncpg.Pool) -> None:
    with pytest.raises(NoSuchCampaign):
        await taken(pool, "cam_00000000000000000000000000", Step.ACTIVATE)
    with pytest.raises(NoSuchCampaign):
        await edited(pool, "cam_00000000000000000000000000", document())


async def test_a_campaign_that_is_over_is_not_activated(pool: asyncpg.Pool) -> None:
    # Without a condition on the hour: at midnight the coming hour has none that is late enough.
    soon = await drafted(pool, condition="payment.wallet == 'wechat'", ends_at=rfc3339(utc_now() + timedelta(hours=1)))
    await pool.execute(
        "UPDATE campaigns SET ends_at = now() - interval '1 h',"
        " document = jsonb_set(document::jsonb, '{ends_at}', '\"2026-01-01T00:00:00.000Z\"') WHERE id = $1",
        soon.id,
    )
    with pytest.raises(CampaignError, match="ends_at"):
        await taken(pool, soon.id, Step.ACTIVATE)


async def test_coupons_are_given_of_a_campaign_that_has_some(pool: asyncpg.Pool) -> None:
    async def gives(campaign_id: str) -> str:
        """What is said to a campaign that gives those coupons."""
        giving = await drafted(pool, benefit={"type": "coupon", "campaign": campaign_id, "spend": 100}, funding=None)
        with pytest.raises(CampaignError) as caught:
            await taken(pool, giving.id, Step.ACTIVATE)
        [problem] = caught.value.problems
        assert problem.path == "benefit.campaign"
        return problem.message

    own = {"coupon": {"stock": 10}}
    assert "no such campaign" in await gives("cam_00000000000000000000000000")
    assert "no coupons" in await gives((await active(pool)).id)
    assert "no coupons" in await gives((await active(pool, coupon={"code": "SPRING5"})).id)
    over = await active(pool, **own)
    await taken(pool, over.id, Step.END)
    assert "has ended" in await gives(over.id)
    good = await active(pool, **own)
    reward = {"type": "coupon", "campaign": good.id, "spend": 100}
    running = await active(pool, benefit=reward, funding=None, limits={"budget": None, "budget_per_day": None})
    assert running.status is Status.ACTIVE
    with pytest.raises(CampaignError, match="no such campaign"):
        await amended(pool, running.id, benefit={"campaign": "cam_00000000000000000000000000"})


async def test_a_draft_changes_in_everything(pool: asyncpg.Pool) -> None:
    created = await drafted(pool)
    other = document(name="另一个", timezone="Europe/Berlin", limits={"budget": None, "budget_per_day": None}, slices=4)
    before, after = await edited(pool, created.id, other)
    assert before == created
    assert (after.version, after.document["name"], after.timezone, after.slices) == (2, "另一个", "Europe/Berlin", 4)
    assert not after.caps.has_slices
    versions = await store.history(pool, created.id, 10)
    assert [each.version for each in versions] == [2, 1]
    assert versions[1].document == created.document
    assert [each.version for each in await store.history(pool, created.id, 10, below=2)] == [1]


async def test_the_same_again_is_no_new_version(pool: asyncpg.Pool) -> None:
    running = await active(pool)
    sparse = {name: value for name, value in document().items() if value is not None}
    assert await edited(pool, running.id, sparse) == Change(running, running)
    assert await edited(pool, running.id, running.document, Base(99, 99)) == Change(running, running), (
        "a repeated request has been carried out"
    )


async def test_a_running_campaign_gets_a_new_version(pool: asyncpg.Pool) -> None:
    running = await active(pool)
    better = document(benefit={"type": "amount_off", "tiers": [{"spend": 2000, "off": 600}]})
    after = (await edited(pool, running.id, better)).after
    assert (after.status, after.version, after.revision) == (Status.ACTIVE, 2, running.revision + 1)
    assert after.document["benefit"] == better["benefit"]
    [second, first] = await store.history(pool, running.id, 10)
    assert (first.document, second.document) == (running.document, after.document)


async def test_a_patch_changes_what_it_names(pool: asyncpg.Pool) -> None:
    running = await active(pool)
    after = (await amended(pool, running.id, limits={"budget_per_day": None, "per_customer": {"day": 2}})).after
    limits = running.document["limits"]
    wanted = {**limits, "budget_per_day": None, "per_customer": {**limits["per_customer"], "day": 2}}
    assert after.document == {**running.document, "limits": wanted}
    assert after.caps.budget_per_day_fen is None


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"timezone": "Europe/Berlin"}, "timezone"),
        ({"limits": {"budget": None, "budget_per_day": None}}, "limits"),
        ({"coupon": {"code": "SPRING5"}}, "coupon"),
    ],
)
async def test_what_a_running_campaign_stands_on_stays(pool: asyncpg.Pool, changes: dict[str, Any], path: str) -> None:
    running = await active(pool)
    for _ in range(2):
        with pytest.raises(NotWhileRunning) as caught:
            await edited(pool, running.id, document(**changes))
        assert caught.value.path == path
        await taken(pool, running.id, Step.PAUSE)


async def test_what_has_ended_does_not_change(pool: asyncpg.Pool) -> None:
    running = await active(pool)
    await taken(pool, running.id, Step.END)
    with pytest.raises(IllegalStep, match="create another"):
        await edited(pool, running.id, document(name="other"))


async def test_whoever_builds_on_an_older_version_is_refused(pool: asyncpg.Pool) -> None:
    running = await active(pool)
    await edited(pool, running.id, document(name="second"), Base(version=1))
    with pytest.raises(CampaignChanged) as caught:
        await edited(pool, running.id, document(name="third"), Base(version=1))
    assert caught.value.version == 2
    with pytest.raises(CampaignChanged):
        await amended(pool, running.id, Base(revision=running.revision), name="third")


async def test_of_editors_who_build_on_the_same_version_one_writes(pool: asyncpg.Pool) -> None:
    running = await active(pool)
    ends = await asyncio.gather(
        *[edited(pool, running.id, document(name=f"editor {number}"), Base(version=1)) for number in range(8)],
        return_exceptions=True,
    )
    written = [end for end in ends if isinstance(end, Change)]
    assert len(written) == 1
    assert all(isinstance(end, CampaignChanged) for end in ends if not isinstance(end, Change))
    assert await store.find(pool, running.id) == written[0].after


async def test_of_a_pause_and_an_end_at_the_same_time_the_end_stays(pool: asyncpg.Pool) -> None:
    for _ in range(5):
        running = await active(pool)
        await asyncio.gather(
            *[taken(pool, running.id, step) for step in (Step.PAUSE, Step.END)], return_exceptions=True
        )
        found = await store.find(pool, running.id)
        assert found is not None
        assert found.status is Status.ENDED


async def test_every_change_is_told_to_the_processes(pool: asyncpg.Pool) -> None:
    async def revision() -> int:
        return int(await pool.fetchval("SELECT revision FROM directory_revision"))

    seen = [await revision()]
    running = await active(pool)
    seen.append(await revision())
    for step in (Step.PAUSE, Step.END):
        await taken(pool, running.id, step)
        seen.append(await revision())
    assert seen == sorted(set(seen))


async def test_campaigns_are_listed_by_status_and_name(pool: asyncpg.Pool) -> None:
    made = [(await drafted(pool, name=name)).id for name in ("Listed Spring", "Listed SPRING sale")]
    summer = (await drafted(pool, name="Listed summer")).id
    await taken(pool, made[0], Step.ACTIVATE)
    found = [each.id for each in await store.page(pool, 10, name="spring")]
    assert found == sorted(made, reverse=True), "ids sort by time"
    assert [each.id for each in await store.page(pool, 10, name="spring", status=Status.DRAFT)] == [made[1]]
    [newest, *_, oldest] = sorted([*made, summer], reverse=True)
    assert [each.id for each in await store.page(pool, 1, name="listed")] == [newest]
    assert oldest in {each.id for each in await store.page(pool, 2, name="listed", below=newest)}
    assert await store.page(pool, 10, name="%") == []
