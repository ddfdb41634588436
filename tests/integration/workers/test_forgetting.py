"""What is no longer to be kept is forgotten: answers of the admin API, credentials past their overlap."""

from __future__ import annotations

from datetime import timedelta

from gateway.workers import housekeeping
from routing.accounts.store import find_account, rotate_account
from tests.integration.workers.conftest import ACCOUNT_ID, House


async def revision(house: House) -> int:
    return int(await house.pool.fetchval("SELECT revision FROM directory_revision"))


async def test_answers_and_earlier_credentials_go_when_their_time_is_over(house: House) -> None:
    for key, age in (("old", "25 hours"), ("young", "23 hours")):
        await house.pool.execute(
            "INSERT INTO admin_requests VALUES ($1, '', 201, '', now() - $2::text::interval)", key, age
        )
    await rotate_account(house.pool, house.base.vault, ACCOUNT_ID, {"new": True}, timedelta(days=1))
    await housekeeping.forget(house.base)
    assert [record["key"] for record in await house.pool.fetch("SELECT key FROM admin_requests")] == ["young"]
    row = await find_account(house.pool, ACCOUNT_ID)
    assert row is not None
    assert row.previous_settings(house.base.vault) == {}

    await house.pool.execute("UPDATE channel_accounts SET previous_until = now()")
    await housekeeping.forget(house.base)
    row = await find_account(house.pool, ACCOUNT_ID)
    assert row is not None
    assert (row.previous_settings_sealed, row.previous_until) == (None, None)


async def test_where_nothing_is_over_no_process_has_to_read_its_accounts_again(house: House) -> None:
    before = await revision(house)
    await housekeeping.forget(house.base)
    assert await revision(house) == before
