"""Old months leave the database while payments go on: archived, whole, and only where everything in them is over."""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import pytest

from gateway.audit.checks import Check
from gateway.audit.retired import Retired
from gateway.audit.run import AuditOptions, audit
from gateway.database.intents import intent_batch
from gateway.database.partitions import MONTHLY
from gateway.database.pool import open_pool
from gateway.kernel.ids import new_id, new_ulid
from gateway.retention import keeping, months, retiring
from gateway.retention.archive import LIST
from gateway.retention.months import CannotCut
from gateway.retention.retiring import IsRetiring, Rules, retire
from gateway.seeding import filling
from gateway.seeding.plan import Plan
from promotions.facts import EVER
from tests.support.rows import intent, settings
from tests.support.servers import TestServers

NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
OLD, YOUNG = "2025_09", "2025_10"
_UNTIL: Final = datetime(2025, 10, 11, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Archive:
    """A database with 400 payments of two months, more than a year ago, and a folder for them."""

    url: str
    pool: asyncpg.Pool
    folder: Path

    @property
    def rules(self) -> Rules:
        """Thirteen months are kept: September's are due."""
        return Rules(13, self.folder)

    async def retire(self) -> retiring.Outcome:
        """As the worker does it."""
        return await retire(self.url, self.rules, NOW)

    async def attached(self) -> list[str]:
        """The old months that are part of payments."""
        found = await self.pool.fetch(months.SQL["attached"])
        return [row["month"] for row in found if row["month"] < "2026"]

    def rows(self, table: str) -> list[dict[str, str]]:
        """What the archive has of a table."""
        with gzip.open(self.folder / OLD / f"{table}.csv.gz", "rt", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
async def archive(migrated_servers: TestServers, tmp_path: Path) -> AsyncIterator[Archive]:
    url = migrated_servers.clone_database()
    connection = await filling.connect(url)
    plan, _ = await filling.begin(connection, Plan(400, 8, 40, _UNTIL))
    await connection.close()
    await filling.fill(url, plan, set(), 1, lambda _: None)
    pool = await open_pool(settings(url))
    yield Archive(url, pool, tmp_path / "archive")
    await pool.close()
    migrated_servers.drop_database(url)


async def test_a_month_that_is_over_is_archived_whole_and_gone(archive: Archive) -> None:
    payments = await archive.pool.fetch(f"SELECT id, amount FROM payments_{OLD}")
    counts = {table: await archive.pool.fetchval(f"SELECT count(*) FROM {table}_{OLD}") for table in MONTHLY}
    numbers = await archive.pool.fetchval("SELECT count(*) FROM order_numbers")
    outcome = await archive.retire()
    assert (outcome.retired, outcome.kept) == ([OLD], {})
    assert {(row["id"], row["amount"]) for row in archive.rows("payments")} == {
        (row["id"], str(row["amount"])) for row in payments
    }
    assert len(payments) > 100
    assert {table: len(archive.rows(table)) for table in MONTHLY} == counts
    listed = orjson.loads((archive.folder / OLD / LIST).read_bytes())
    for entry in listed.values():
        assert hashlib.sha256((archive.folder / OLD / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert await archive.attached() == [YOUNG]
    assert await archive.pool.fetchval("SELECT to_regclass($1)", f"payments_{OLD}") is None
    assert await archive.pool.fetchval("SELECT min(id) FROM payments") > max(row["id"] for row in payments)
    assert await archive.pool.fetchval("SELECT count(*) FROM order_numbers") == numbers
    assert (await archive.retire()).retired == []


async def test_what_is_not_over_keeps_its_month(archive: Archive) -> None:
    first = await archive.pool.fetchval("SELECT min(id) FROM payments")
    await archive.pool.execute("UPDATE payments SET review = 'amount' WHERE id = $1", first)
    outcome = await archive.retire()
    assert outcome.retired == []
    assert [obstacle.count for obstacle in outcome.kept[OLD]] == [1]
    assert await archive.attached() == [OLD, YOUNG]
    assert not archive.folder.exists()


async def test_a_month_of_which_rows_lie_in_a_default_partition_stays(archive: Archive) -> None:
    await archive.pool.execute(f"DROP TABLE webhook_attempts_{OLD}")
    outcome = await archive.retire()
    assert (outcome.retired, [obstacle.count for obstacle in outcome.kept[OLD]]) == ([], [1])


async def give_back(archive: Archive, refund_id: str, review: str | None = None) -> None:
    """A refund of the first payment, which is over; perhaps what the channel says of it is another thing."""
    await archive.pool.execute(
        "INSERT INTO refunds (id, merchant_id, payment_id, merchant_refund_no, seq, attempt_seq, account_id, amount,"
        " returned_to_customer, discount_returned, fee_returned, currency, status, next_at, created_at, completed_at,"
        " review, review_at)"
        " SELECT $1, merchant_id, id, 'R', 1, 1, account_id, 1, 1, 0, 0, 'CNY', 'succeeded', now(), now(), now(),"
        " $2::text, CASE WHEN $2::text IS NOT NULL THEN now() END FROM payments ORDER BY id LIMIT 1",
        refund_id,
        review,
    )


async def test_a_refund_in_review_keeps_the_month_of_its_payment_whenever_it_was_made(archive: Archive) -> None:
    await give_back(archive, new_id("ref"), "contradicted")
    outcome = await archive.retire()
    assert (outcome.retired, [obstacle.count for obstacle in outcome.kept[OLD]]) == ([], [1])


async def test_refunds_of_a_payment_that_stays_stay_with_it(archive: Archive) -> None:
    """An earlier month had to stay: what its payments were given back in this one belongs to them."""
    await archive.pool.execute("UPDATE payments SET review = 'amount' WHERE id = (SELECT min(id) FROM payments)")
    await give_back(archive, f"ref_{new_ulid(int(_UNTIL.timestamp() * 1000) - 1)}")
    a_month_later = datetime(2026, 12, 22, tzinfo=UTC)
    outcome = await retire(archive.url, archive.rules, a_month_later)
    assert (outcome.retired, list(outcome.kept)) == ([], [OLD, YOUNG])
    await archive.pool.execute("UPDATE payments SET review = NULL")
    assert (await retire(archive.url, archive.rules, a_month_later)).retired == [OLD, YOUNG]


async def test_an_archive_is_never_written_over(archive: Archive) -> None:
    (archive.folder / OLD).mkdir(parents=True)
    (archive.folder / OLD / LIST).write_text("another's")
    outcome = await archive.retire()
    assert (outcome.retired, list(outcome.kept)) == ([], [OLD])
    assert (archive.folder / OLD / LIST).read_text() == "another's"
    assert await archive.attached() == [OLD, YOUNG]


async def test_what_is_told_while_a_month_is_off_goes_back_with_it(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = months.cut_off
    payment = await archive.pool.fetchval("SELECT min(id) FROM payments")
    tell = (
        "INSERT INTO callbacks (payment_id, account_id, notification_id, order_no, report_sealed, next_at)"
        " VALUES ($1, 'a', $2, 'n', '', now())"
    )

    async def told_before_and_after(connection: asyncpg.Connection, name: str) -> None:
        await archive.pool.execute(tell, payment, "before")
        await cut_off(connection, name)
        await archive.pool.execute(tell, payment, "after")

    monkeypatch.setattr(months, "cut_off", told_before_and_after)
    outcome = await archive.retire()
    assert (outcome.retired, list(outcome.kept)) == ([], [OLD])
    assert await archive.pool.fetchval(f"SELECT count(*) FROM callbacks_{OLD}") == 2
    assert await archive.attached() == [OLD, YOUNG]


async def test_a_month_goes_back_without_being_read_while_others_wait_and_behind_no_long_reader(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "_TRIES", 2)
    monkeypatch.setattr(months, "_PAUSE_S", 0.01)
    connection = await asyncpg.connect(archive.url, server_settings={"client_min_messages": "debug1"})
    reader = await asyncpg.connect(archive.url)
    told: list[str] = []
    connection.add_log_listener(lambda _, message: told.append(str(message)))
    await months.cut_off(connection, OLD)
    async with reader.transaction():
        await reader.fetchval("SELECT count(*) FROM payments_default")
        with pytest.raises(CannotCut):
            await months.put_back(connection, OLD)
    await months.put_back(connection, OLD)
    for table in MONTHLY:
        assert any(f'"{table}_{OLD}" is implied by existing constraints' in message for message in told), table
    assert await archive.pool.fetchval("SELECT count(*) FROM pg_constraint WHERE conname = 'of_its_month'") == 0
    assert await archive.pool.fetchval("SELECT count(*) FROM payments") == 400
    await connection.close()
    await reader.close()


async def test_a_month_that_goes_for_the_second_time_is_gone_on_with_too(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made anew, by a seed: a kill between cut and archive must not leave it cut off for ever."""
    await archive.pool.execute("INSERT INTO retired_months (month, finished_at) VALUES ($1, now())", OLD)

    async def full(*_: object) -> dict[str, int]:
        raise OSError("no space left")

    monkeypatch.setattr(retiring, "write_month", full)
    with pytest.raises(OSError, match="no space"):
        await archive.retire()
    monkeypatch.undo()
    assert (await archive.retire()).retired == [OLD]
    assert len(archive.rows("payments")) > 100


async def test_what_comes_in_before_the_cut_puts_the_month_back(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = months.cut_off

    async def come_in_before(connection: asyncpg.Connection, name: str) -> None:
        await archive.pool.execute(f"UPDATE payments_{OLD} SET refund_held = 1, amount_refunded = 0")
        await cut_off(connection, name)

    monkeypatch.setattr(months, "cut_off", come_in_before)
    outcome = await archive.retire()
    assert (outcome.retired, list(outcome.kept)) == ([], [OLD])
    assert await archive.attached() == [OLD, YOUNG]
    assert await archive.pool.fetchval("SELECT count(*) FROM payments") == 400
    assert await archive.pool.fetchval("SELECT count(*) FROM retired_months") == 0


async def test_an_archive_that_cannot_be_written_loses_nothing_and_the_next_run_goes_on(archive: Archive) -> None:
    count = await archive.pool.fetchval(f"SELECT count(*) FROM payments_{OLD}")
    archive.folder.write_text("in the way")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        await archive.retire()
    assert await archive.pool.fetchval(f"SELECT count(*) FROM retired_payments_{OLD}") == count
    archive.folder.unlink()
    assert (await archive.retire()).retired == [OLD]
    assert len(archive.rows("payments")) == count


async def test_payments_go_on_while_a_month_goes(archive: Archive) -> None:
    over = asyncio.Event()

    async def pay() -> int:
        taken = 0
        batch = intent_batch(archive.pool)
        while not over.is_set():
            results: list[Any] = await batch.flush([intent(new_id("pay"), "mer_1")])
            assert results[0].inserted
            taken += 1
        return taken

    paying = asyncio.create_task(pay())
    outcome = await archive.retire()
    over.set()
    assert await paying > 0
    assert outcome.retired == [OLD]


async def test_behind_a_long_reader_it_gives_up_before_payments_wait_long(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "_TRIES", 2)
    monkeypatch.setattr(months, "_PAUSE_S", 0.01)
    reader = await asyncpg.connect(archive.url)
    reading = reader.transaction()
    await reading.start()
    await reader.fetchval("SELECT count(*) FROM payments")
    with pytest.raises(CannotCut):
        await archive.retire()
    results: list[Any] = await intent_batch(archive.pool).flush([intent(new_id("pay"), "mer_1")])
    assert results[0].inserted
    await reading.rollback()
    await reader.close()
    assert (await archive.retire()).retired == [OLD]


async def test_two_processes_do_not_retire_at_once(archive: Archive) -> None:
    async with retiring.alone(archive.url):
        with pytest.raises(IsRetiring):
            await archive.retire()


async def test_nothing_goes_by_itself(archive: Archive, tmp_path: Path) -> None:
    await asyncio.wait_for(keeping.keep_retention(settings(archive.url)), 1)
    await asyncio.wait_for(keeping.keep_retention(settings(archive.url, retention_months=13)), 1)
    assert await archive.attached() == [OLD, YOUNG]
    running = asyncio.create_task(
        keeping.keep_retention(settings(archive.url, retention_months=13, archive_dir=tmp_path / "a"))
    )
    while OLD in await archive.attached():
        assert not running.done()
        await asyncio.sleep(0.05)
    running.cancel()


async def test_the_audit_knows_what_was_taken_out(archive: Archive) -> None:
    gone = await archive.pool.fetchval("SELECT min(id) FROM payments")
    merchant = await archive.pool.fetchval("SELECT merchant_id FROM payments WHERE id = $1", gone)
    await archive.pool.execute(
        "INSERT INTO late_captures (payment_id, merchant_id, attempt_seq, account_id, amount, found_at, status)"
        " VALUES ($1, $2, 1, 'seeded.wechat', 1, now(), 'refunded')",
        gone,
        merchant,
    )
    await archive.pool.execute(
        "INSERT INTO customers (customer, orders, spent, first_at) VALUES ('a', 3, 9, '2025-09-15'), ('b', 0, 0, now())"
    )
    assert (await archive.retire()).retired == [OLD]
    report = await audit(archive.url, [], AuditOptions())
    assert report.findings.total == 0, report.findings.shown
    assert report.payments == await archive.pool.fetchval("SELECT count(*) FROM payments")
    await archive.pool.execute("UPDATE retired_months SET month = '2001_01'")
    found = (await audit(archive.url, [], AuditOptions())).findings.counts
    assert {check for check, count in found.items() if count} == {
        Check.ORPHAN_ROW,
        Check.ORDER_NUMBER,
        Check.IDEMPOTENCY_KEY,
        Check.CUSTOMER,
    }


@pytest.mark.parametrize(("made", "day", "reached"), [
    ("2025-09-30", EVER, True),
    ("2025-10-01", EVER, False),
    ("2025-09-30", date(2025, 10, 2), True),
    ("2025-09-30", date(2025, 10, 3), False),
])  # fmt: skip
def test_of_campaigns_that_were_made_later_the_audit_leaves_nothing_out(made: str, day: date, *, reached: bool) -> None:
    at = datetime.fromisoformat(made).replace(tzinfo=UTC)
    assert Retired.of([OLD]).reaches(f"cam_{new_ulid(int(at.timestamp() * 1000))}", day) is reached
