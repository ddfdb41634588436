"""Books that agree, what is counted apart, books that cannot be read, and what the report says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from gateway.audit.checks import HOLDS, Check
from gateway.audit.findings import CannotAudit
from gateway.audit.report import as_json, show
from gateway.audit.run import AuditOptions, audit
from gateway.audit.simulators import SimulatorBooks
from gateway.kernel.clock import rfc3339
from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.payments.numbers import attempt_order_no, refund_order_no
from tests.integration.audit.news import (
    endpoint,
    from_nowhere,
    in_outbox,
    notify,
    notify_of_refund,
    paid_by_another_wallet,
    tell,
)
from tests.integration.audit.world import CHANNELS, MERCHANT, Story, World, fee_of


def conflict(story: Story) -> dict[str, Any]:
    error = {"type": "conflict", "code": "order_no_reused", "message": "…", "param": "amount"}
    return story.answers[0] | {
        "http_status": 409,
        "answer": {"error": error | {"request_id": "req_1", "docs_url": "https://mashang.dev/errors#order_no_reused"}},
    }


def whole_world() -> World:
    """Every kind of payment there is, with books that agree."""
    world = World()
    for channel in CHANNELS:
        world.succeeded(channel)
        world.succeeded(channel, amount=1)
        world.cancelled(channel)
        world.declined(channel)
        world.reversed_unseen(channel)
        world.not_created(channel)
        world.late(channel)
        world.refunded(channel)
        world.discounted(channel, coupon=True)
        world.promoted_and_declined(channel)
    world.refused()
    world.refused().screened("decline", 90)
    world.refused().screened("review", 40)
    world.succeeded().screened()
    world.succeeded().screened("review", 40)
    world.stories[-3].risk_cases.clear()
    world.failed_over("unsent")
    world.failed_over("refused")
    first = world.stories[0]
    first.told("succeeded", http_status=200)
    first.answers.append(conflict(first))
    first.answers.append(first.answers[0] | {"http_status": None, "answer": None})
    first.answers.append(first.answers[0] | {"answer": orjson.dumps(first.answers[0]["answer"]).decode()})
    world.bind_key(first, "k-1")
    add_news(world)
    return world


def add_news(world: World) -> None:
    """What the channels told, and what the merchant was told; a code that a second wallet paid."""
    endpoint(world)
    for story in world.stories:
        tell(world, story)
    code, refunded = paid_by_another_wallet(world), world.refunded()
    in_outbox(world, code)
    tell(world, refunded, status="pending")
    notify(world, code, "applied")
    notify_of_refund(world, refunded, refunded.refund_rows[0])
    notify_of_refund(world, refunded, refunded.refund_rows[1], "no_change")
    notify(world, world.late(), "late")
    notify(world, world.under_review(), "review")
    notify(world, world.succeeded(), None, age_s=60)
    from_nowhere(world, None, age_s=7_200)
    from_nowhere(world, "orphan", age_s=100_000)


def add_what_stands_apart(world: World) -> None:
    """What is no mismatch and not settled either."""
    world.unresolved("wechat")
    world.under_review("unionpay")
    world.late("alipay", status="pending", found_s=60)
    world.late("wechat", status="review")
    world.trade(world.not_created("unionpay"))
    world.refunding("alipay")
    world.refunding("alipay", carried_out=False)
    world.unreachable("wechat")
    world.refunded_by_hand("wechat")
    world.returned_by_hand("alipay")


async def test_books_that_agree_are_found_to_agree_and_every_check_compared_something(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = whole_world()
    add_what_stands_apart(world)
    report = await world.audit(connection, database_url, tmp_path)
    assert report.findings.shown == []
    assert report.agrees
    assert {check for check in Check if not report.findings.compared[check]} == set()
    assert report.payments == len(world.stories)
    assert report.trades == sum(len(story.trades) for story in world.stories)
    assert report.refunds == sum(len(story.refunds) for story in world.stories)


@pytest.mark.usefixtures("small_pages")
async def test_small_pages_see_the_same(connection: asyncpg.Connection, database_url: str, tmp_path: Path) -> None:
    world = whole_world()
    add_what_stands_apart(world)
    report = await world.audit(connection, database_url, tmp_path)
    assert report.findings.shown == []
    assert report.payments == len(world.stories)
    assert report.trades == sum(len(story.trades) for story in world.stories)


async def test_what_is_not_settled_is_counted_apart_with_its_money(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    add_what_stands_apart(world)
    report = await world.audit(connection, database_url, tmp_path)
    assert report.agrees, report.findings.shown
    apart = {name: (pile.count, pile.kept_fen) for name, pile in report.totals.apart.items()}
    assert apart == {
        "unresolved": (1, 2_599),
        "refunding": (2, 2_599 + 1_599),
        "review": (2, 2_600 + 1_599),
        "by_hand": (2, 2 * 2_599),
        "returning": (1, 2_599),
        "changing": (0, 0),
        "late_capture_sought": (1, 2_599),
        "late_capture_review": (1, 2_599),
        "seeded": (0, 0),
        "retired": (0, 0),
    }
    assert not report.quiet


async def test_what_changes_while_the_books_are_read_is_no_mismatch(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    story = world.succeeded()
    story.events[-1]["at"] = world.now + timedelta(seconds=60)
    story.trades.clear()
    report = await world.audit(connection, database_url, tmp_path)
    assert report.agrees, report.findings.shown
    assert report.totals.apart["changing"].count == 1


async def test_the_sums_of_each_account_are_in_fen(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded("alipay", amount=10_000)
    world.cancelled("alipay")
    world.unresolved("alipay")
    report = await world.audit(connection, database_url, tmp_path)
    sums = report.totals.accounts["alipay_direct"]
    assert (sums.trades, sums.captures, sums.captured_fen, sums.returned_fen) == (3, 3, 15_198, 2_599)
    assert (sums.kept_fen, sums.apart_fen, sums.booked_fen, sums.difference_fen) == (12_599, 2_599, 10_000, 0)
    assert (sums.succeeded, sums.succeeded_fen, sums.fees_fen) == (1, 10_000, 38)


async def test_the_bound_is_an_option(connection: asyncpg.Connection, database_url: str, tmp_path: Path) -> None:
    world = World()
    world.unresolved(age_s=60)
    assert (await world.audit(connection, database_url, tmp_path)).agrees
    late = await world.audit(connection, database_url, tmp_path, bound_s=30)
    assert late.findings.counts == {Check.OVERDUE: 1}


async def test_a_code_on_display_has_its_own_time_to_expire(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    story = world.begin(age_s=600)
    story.payment["status"] = story.events[0]["to_status"] = "requires_action"
    story.payment["expires_at"] = world.now + timedelta(seconds=60)
    story.task("resolve", story.payment["created_at"])
    report = await world.audit(connection, database_url, tmp_path)
    assert report.findings.counts[Check.OVERDUE] == 0
    story.payment["expires_at"] = world.ago(190)
    report = await world.audit(connection, database_url, tmp_path)
    assert report.findings.counts[Check.OVERDUE] == 1


async def test_mismatches_are_listed_up_to_a_bound_and_all_counted(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    for _ in range(5):
        world.succeeded().trades.clear()
    report = await world.audit(connection, database_url, tmp_path, shown_max=2)
    found = [mismatch for mismatch in report.findings.shown if mismatch.check is Check.SUCCEEDED_WITHOUT_CAPTURE]
    first_two = sorted(story.id for story in world.stories)[:2]
    assert [mismatch.ids["payment_id"] for mismatch in found] == first_two
    assert [mismatch.ids["order_no"] for mismatch in found] == [attempt_order_no(found_id, 1) for found_id in first_two]
    assert report.findings.counts[Check.SUCCEEDED_WITHOUT_CAPTURE] == 5
    show(report)
    output = capsys.readouterr().out
    assert first_two[0] in output
    assert f"and {report.findings.total - len(report.findings.shown)} more" in output
    assert "The books disagree" in output


async def test_the_json_report_has_every_check_and_the_sums(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    report = await whole_world().audit(connection, database_url, tmp_path)
    document = orjson.loads(as_json(report))
    assert document["agrees"] is True
    assert [check["name"] for check in document["checks"]] == list(Check) == list(HOLDS)
    assert document["accounts"]["wechat_direct"]["difference_fen"] == 0
    used_fen = 7 * 500 - 4 * (193 + 192)
    assert document["campaigns"] == {"campaigns": 1, "granted_fen": 50_000, "used_fen": used_fen, "redemptions": 7}
    assert document["client_log"]["http_statuses"] == {"200": 2, "201": 54, "409": 1, "none": 1}
    assert document["client_log"]["refunds_told"] == 12
    assert document["refunds"] == {"count": 12, "by_status": {"failed": 4, "succeeded": 8}}
    assert document["callbacks"] == {
        "count": 8,
        "by_result": {"applied": 2, "late": 1, "no_change": 1, "orphan": 1, "review": 1, "waiting": 2},
        "for_review": 2,
    }
    webhooks = document["webhooks"]
    assert (webhooks["outbox"], webhooks["deliveries"]["pending"], webhooks["waiting_past_the_bound"]) == (1, 4, 4)
    assert webhooks["events"] == webhooks["outbox"] + sum(webhooks["deliveries"].values())
    assert document["mismatches"] == []


async def test_without_a_client_log_the_other_books_are_compared(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    report = await whole_world().audit(connection, database_url, tmp_path, log=False)
    assert report.agrees
    assert report.client_log is None
    assert report.findings.compared[Check.ACKNOWLEDGED_LOST] == 0


async def test_a_line_that_a_killed_client_tore_is_counted_and_any_other_broken_line_refused(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded()
    await world.write(connection)
    books = [SimulatorBooks(name, f"http://{name}", world._transport(name)) for name in CHANNELS]
    log = world.write_log(tmp_path / "log")
    whole = log.read_bytes()
    log.write_bytes(whole + whole[:40])
    report = await audit(database_url, books, AuditOptions(client_logs=(log,)))
    assert report.agrees
    assert report.client_log is not None
    assert report.client_log.torn == 1
    log.write_bytes(whole[:40] + b"\n" + whole)
    with pytest.raises(CannotAudit, match="line 1, is not JSON"):
        await audit(database_url, books, AuditOptions(client_logs=(log,)))
    with pytest.raises(CannotAudit, match="client log cannot be read"):
        await audit(database_url, books, AuditOptions(client_logs=(tmp_path / "missing",)))


async def test_a_book_that_cannot_be_read_is_no_agreement(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded()
    await world.write(connection)
    broken = httpx.MockTransport(lambda _: httpx.Response(500))
    unreachable = [SimulatorBooks(name, "http://127.0.0.1:1") for name in CHANNELS]
    for books, message in (
        (
            [SimulatorBooks(name, f"http://{name}", broken) for name in CHANNELS],
            "simulator at http://.* cannot be read",
        ),
        (unreachable, "wechat simulator at http://127.0.0.1:1 cannot be read"),
        ([SimulatorBooks("wechat", "http://wechat", world._transport("wechat"))], "alipay, unionpay, but no simulator"),
    ):
        with pytest.raises(CannotAudit, match=message):
            await audit(database_url, books, AuditOptions())
    with pytest.raises(CannotAudit, match="PostgreSQL does not accept"):
        await audit("postgresql:///nobody?host=/nowhere", unreachable, AuditOptions())


async def test_a_simulator_that_tells_less_than_it_counts_is_noticed(
    connection: asyncpg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.succeeded()
    await world.write(connection)
    monkeypatch.setattr("gateway.audit.scratch.Scratch.trades", lambda *_: iter(()))
    books = [SimulatorBooks(name, f"http://{name}", world._transport(name)) for name in CHANNELS]
    with pytest.raises(CannotAudit, match=r"were read, but .* compared"):
        await audit(database_url, books, AuditOptions())


async def test_waiting_ends_when_the_stack_is_quiet_and_at_the_latest_after_the_time_given(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.audit.quiet._LOOK_S", 0.02)
    world = World()
    world.succeeded()
    assert (await world.audit(connection, database_url, tmp_path, wait_s=30.0)).quiet
    world.unresolved()
    assert not (await world.audit(connection, database_url, tmp_path, wait_s=0.2)).quiet


async def test_news_that_are_due_are_waited_for_and_those_that_have_time_are_not(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.audit.quiet._LOOK_S", 0.02)

    def one(due: Callable[[World], object]) -> World:
        world = World()
        endpoint(world)
        due(world)
        return world

    def told_later(world: World) -> None:
        tell(world, world.succeeded(), status="pending")
        world.webhooks["webhook_queue"][0]["next_at"] = world.now + timedelta(hours=1)

    def sought_later(world: World) -> None:
        from_nowhere(world, None, age_s=600)["next_at"] = world.now + timedelta(hours=1)

    for later in (told_later, sought_later, World.succeeded):
        assert (await one(later).audit(connection, database_url, tmp_path, wait_s=30.0)).quiet, later

    for now in (
        lambda world: tell(world, world.succeeded(), status="pending"),
        lambda world: in_outbox(world, world.succeeded()),
        lambda world: notify(world, world.succeeded(), None, age_s=5, tries=0),
        lambda world: setattr(world, "due", 1),
    ):
        assert not (await one(now).audit(connection, database_url, tmp_path, wait_s=0.2)).quiet


async def test_what_the_report_says_of_callbacks_and_webhooks(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(await whole_world().audit(connection, database_url, tmp_path))
    output = capsys.readouterr().out
    assert "Callbacks: 8 (2 applied, 1 late, 1 no change, 1 orphan, 1 review, 2 waiting); 2 for a person" in output
    assert "4 pending" in output
    assert "1 in the outbox; 4 wait for longer than the bound." in output


async def test_an_order_that_was_closed_after_its_book_was_read_is_no_mismatch(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    story = paid_by_another_wallet(world)
    story.trades[0]["status"] = "open"
    story.recovery_tasks.clear()
    story.events[-1]["at"] = world.now + timedelta(seconds=60)
    assert (await world.audit(connection, database_url, tmp_path)).agrees


async def test_a_refund_that_the_channel_closed_has_moved_nothing(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    story = world.refunded()
    failed = story.refund_rows[1]
    closed = {"refund_no": refund_order_no(story.id, 1, failed["seq"]), "amount": 404, "status": "closed"}
    story.refunds.append(story.refunds[0] | closed)
    assert (await world.audit(connection, database_url, tmp_path)).agrees
    story.refunds[-1]["status"] = "pending"
    assert not (await world.audit(connection, database_url, tmp_path)).agrees


async def test_a_verdict_gives_the_worker_the_time_of_the_bound_again(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    for given_s, overdue in ((60, 0), (190, 1)):
        world = World()
        world.unresolved(age_s=3_600).settle("query_again", "payment", world.ago(given_s))
        report = await world.audit(connection, database_url, tmp_path)
        assert report.findings.counts[Check.OVERDUE] == overdue


async def test_what_was_refunded_at_the_channel_itself_is_known_where_a_person_has_said_so(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    story = world.begin("alipay")
    at, money = story.payment["created_at"], Money(story.payment["payable"])
    world.trade(story)
    story.give_back("refund", "made-in-the-console", at)
    story.settle("mark_reversed", "payment", at)
    story.event("reversed", "reversed", at)
    captured = postings.capture(MERCHANT, "alipay_direct", money, fee_of(money))
    story.post([*captured, *postings.capture_reversed(captured)], at)
    assert (await world.audit(connection, database_url, tmp_path)).agrees
    story.verdicts[0]["verdict"] = "query_again"
    assert (await world.audit(connection, database_url, tmp_path)).findings.counts == {Check.REFUNDS_KNOWN: 1}


async def test_a_fee_is_held_against_the_terms_of_the_account_at_the_moment_of_the_payment(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    for story, fee_fen in ((world.succeeded("wechat"), 10), (world.succeeded("alipay"), 26)):
        story.transfers[1]["amount"] = fee_fen
    promotion = {"from": rfc3339(world.ago(4_000)), "until": rfc3339(world.ago(3_000)), "rate_millionths": 10_000}
    for account, wallets in zip(world.accounts, (["alipay"], ["alipay"], ["unionpay"]), strict=True):
        account["terms"] = orjson.dumps({"fee": {"promotions": [promotion | {"wallets": wallets}]}}).decode()
    assert (await world.audit(connection, database_url, tmp_path)).agrees
    world.succeeded("alipay", age_s=2_000)  # the promotion was over: the plain rate
    assert (await world.audit(connection, database_url, tmp_path)).agrees
    world.accounts[1]["terms"] = None
    report = await world.audit(connection, database_url, tmp_path)
    assert report.findings.counts == {Check.FEE: 1}
