"""A stack with a long history is seeded once, kept, and measured as often as one likes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import httpx
import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from gateway.devstack.options import ready_file_of
from loadtests.bench import curves
from loadtests.bench.campaign_sets import end_all, put_in_force
from loadtests.bench.rule_sets import rule_sets, rules_for
from loadtests.bench.scene import Scene, scene
from loadtests.bench.stored import prepare, state_of
from loadtests.stack import RunningStack, StackTrouble, own_stack

PAYMENTS = 40

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two sizes are kept; there is nothing to seed for none."""
    folder = tmp_path_factory.mktemp("seeded")
    prepare(folder, [0, PAYMENTS], lambda _: None)
    return folder


def counted(stack: RunningStack, query: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(stack.ready.database_url)
        try:
            found: int = await connection.fetchval(query)
            return found
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_what_was_seeded_is_there_at_the_next_start_and_is_not_made_again(folder: Path) -> None:
    assert [each.name for each in folder.iterdir()] == [str(PAYMENTS)]
    prepare(folder, [PAYMENTS], lambda _: None)
    with own_stack(kept=state_of(folder, PAYMENTS)) as stack:
        assert counted(stack, "SELECT count(*) FROM payments") == PAYMENTS
        assert counted(stack, "SELECT count(*) FROM pg_stat_user_tables WHERE vacuum_count > 0") > 0


def test_a_second_stack_is_kept_out_and_the_ready_file_of_the_first_stays(folder: Path) -> None:
    state = state_of(folder, PAYMENTS)
    with own_stack(kept=state):
        with pytest.raises(StackTrouble, match="already running"), own_stack(kept=state):
            pass
        assert ready_file_of(state).exists()


def test_a_ready_file_that_a_killed_stack_left_is_not_taken_for_the_next_ones(folder: Path) -> None:
    state = state_of(folder, PAYMENTS)
    ready_file_of(state).write_text("{}")
    with own_stack(kept=state) as stack:
        assert httpx.get(f"{stack.ready.gateway}/readyz", trust_env=False).status_code == 200


def test_a_run_that_was_killed_leaves_neither_campaigns_nor_rules_to_the_next(folder: Path) -> None:
    state = state_of(folder, PAYMENTS)
    with own_stack(kept=state) as stack:
        put_in_force(stack.ready, 3)
        published(stack)
    with scene(Console(quiet=True), kept=state, everything=False) as on:
        assert in_force(on.stack) == 3
        end_all(on.stack.ready)
        assert in_force(on.stack) == 0
        with rule_sets(on.stack.ready, 10) as sets:
            assert sets.now > 0, "those of the killed run"
            sets.put_in_force(rules=True)
            assert sets.now == sets.version
            assert paid(on)
        assert sets.now == 0
        assert on.audit().passed


def published(stack: RunningStack) -> None:
    """Rules in force, and nobody who ends them."""
    document, url = rules_for(stack.ready.merchant.id, 10), f"{stack.ready.gateway}/admin/v1/risk/rule_sets"
    with httpx.Client(headers={"Authorization": f"Bearer {stack.ready.admin_token}"}, trust_env=False) as admin:
        version = admin.post(url, json=document).raise_for_status().json()["version"]
        admin.post(f"{url}/{version}/publish", json={"base_version": 0}).raise_for_status()


def in_force(stack: RunningStack) -> int:
    return counted(stack, "SELECT count(*) FROM campaigns WHERE status IN ('active', 'paused')")


def paid(on: Scene) -> bool:
    return on.closed(1.0, 4).figures.completed > 0


def test_nothing_is_prepared_without_a_folder() -> None:
    app = Typer()
    app.command()(curves.main)
    refused = CliRunner().invoke(app, ["--prepare"])
    assert refused.exit_code == 2
    assert "--prepare needs --seeded" in refused.output
