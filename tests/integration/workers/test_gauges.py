"""What operations see of what is open: a code on display is no payment without an outcome before it expires."""

from __future__ import annotations

import pytest

from gateway.workers.tasks import SQL
from tests.integration.workers.conftest import House


async def gauges(house: House) -> tuple[int, int, float]:
    """Unresolved payments, codes on display, the age of the oldest unresolved payment in seconds."""
    row = await house.pool.fetchrow(SQL["gauges"])
    assert row is not None
    return row["unresolved"], row["codes_shown"], row["age_s"] or 0.0


@pytest.fixture(autouse=True)
async def nothing_open(house: House) -> None:
    """No task of another test."""
    await house.pool.execute("TRUNCATE recovery_tasks")


@pytest.mark.parametrize("any_wallet", [False, True])
async def test_a_code_counts_as_unresolved_from_its_expiry_on(house: House, *, any_wallet: bool) -> None:
    row = await (house.show_to_all() if any_wallet else house.show())
    assert await gauges(house) == (0, 1, 0.0)
    if any_wallet:
        await house.choose(row)
        assert await gauges(house) == (0, 1, 0.0)
    await house.pool.execute("UPDATE recovery_tasks SET late_from = late_from - interval '310 seconds'")
    unresolved, shown, age_s = await gauges(house)
    assert (unresolved, shown) == (1, 0)
    assert 9 < age_s < 20


async def test_a_bar_code_payment_counts_from_its_beginning(house: House) -> None:
    await house.begin()
    await house.pool.execute("UPDATE recovery_tasks SET created_at = created_at - interval '100 seconds'")
    unresolved, shown, age_s = await gauges(house)
    assert (unresolved, shown) == (1, 0)
    assert 99 < age_s < 110


async def test_a_code_that_was_never_shown_counts_from_its_beginning(house: House) -> None:
    await house.begin(method="qrcode", expires_in_s=7_200)
    assert (await gauges(house))[:2] == (1, 0)
