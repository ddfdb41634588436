"""`make upgrade-try`: from an older revision to this code under load, with every request counted, then the audit.

make upgrade-try                                    # from the last revision with an older schema
make upgrade-try FROM=f2e0977 ARGS="--back"         # from that one, and back to it on the new schema
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from gateway.processes.errors import StackError
from loadtests.ending import ended_in_order
from loadtests.upgrade.balancer import Balancer
from loadtests.upgrade.load import Load, worst
from loadtests.upgrade.revisions import (
    ROOT,
    NoSuchUpgrade,
    last_with_an_older_schema,
    name_of,
    require_older,
    unpack,
)
from loadtests.upgrade.rolling import Rolling
from loadtests.upgrade.town import Code, Town, a_town

_GATEWAYS: Final = 2
_MEASURED_S: Final = 9.0
_OPEN: Final = 48
_console = Console(width=120, highlight=False)


async def upgrade(rolling: Rolling, old: Code, new: Code, options: argparse.Namespace) -> None:
    """Old code, migration, both, new code; with `--back` the same way back on the new schema."""
    load, calm_s = rolling.load, options.seconds
    await rolling.step("old code alone", rolling.go_on(calm_s))
    load.phase = "migrating"
    await rolling.step("mashang migrate", rolling.migrate(new))
    load.phase = "old code, new schema"
    await rolling.step("old code on the new schema", rolling.go_on(calm_s / 2))
    await _replace(rolling, old, new, "")
    load.phase = "new code"
    await rolling.step("new code alone", rolling.go_on(calm_s))
    if options.back:
        await _replace(rolling, new, old, ", back")
        load.phase = "old code, back"
        await rolling.step("old code again, on the new schema", rolling.go_on(calm_s))


async def _replace(rolling: Rolling, before: Code, after: Code, which: str) -> None:
    """Gateways of one code for those of the other, then the worker."""
    leaving = list(rolling.gateways)
    rolling.load.phase = f"side by side{which}"
    await rolling.step(f"{_GATEWAYS} gateways of {after.name} up", rolling.bring_up(after, _GATEWAYS))
    rolling.load.phase = f"draining{which}"
    await rolling.step(f"{_GATEWAYS} gateways of {before.name} drained", rolling.drain(leaving))
    rolling.load.phase = f"worker swapped{which}"
    await rolling.step("worker swapped", rolling.swap_worker(after))


async def run(town: Town, old: Code, new: Code, options: argparse.Namespace) -> bool:
    """The whole try; whether nobody noticed."""
    done = await asyncio.to_thread(town.command, old, "migrate")
    if done.returncode != 0:
        raise StackError(f"the old code cannot make its schema: {done.stderr[-800:]}")
    balancer = Balancer()
    load = Load(balancer, "", town.folder / "clients.jsonl")
    rolling = Rolling(town, balancer, load, _console.print)
    async with balancer.probing():
        await rolling.step(f"{_GATEWAYS} gateways of {old.name} up", rolling.bring_up(old, _GATEWAYS))
        load.key = await asyncio.to_thread(town.seed, rolling.gateways[0].backend.port)
        await rolling.swap_worker(old)
        await load.warm_up()
        capacity = options.capacity or await load.capacity_per_s(_OPEN, _MEASURED_S)
        per_s = capacity * options.share
        _console.print(f"capacity {capacity:.0f} payments/s; load {per_s:.0f}/s ({options.share:.0%})")
        async with load.running(per_s):
            await upgrade(rolling, old, new, options)
    agrees, audit = await asyncio.to_thread(town.audit, new, load.book)
    _report(rolling, audit.splitlines()[-1] if agrees else audit)
    is_clean = agrees and not load.failures and bool(load.sold)
    verdict = "no request failed, all books agree" if is_clean else "THE UPGRADE WAS NOTICED"
    _console.print(f"\n{verdict}: {len(load.sold)} payments, {load.failures.total()} failed, audit {agrees=}")
    return is_clean


def _report(rolling: Rolling, audit: str) -> None:
    table = Table("phase", "payments", "failed", "p50 ms", "p99 ms", "slowest ms", title="Payments by phase")
    for line in rolling.load.figures():
        figures = (f"{value:.0f}" for value in (line.p50_ms, line.p99_ms, line.slowest_ms))
        table.add_row(line.phase, str(line.payments), str(line.failed), *figures)
    steps = Table("step", "seconds", title="Steps")
    for what, seconds in rolling.steps:
        steps.add_row(what, f"{seconds:.1f}")
    _console.print(audit, table, steps, sep="\n")
    for failure in worst(rolling.load.failures):
        _console.print(f"failed: {failure}", markup=False)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="revision", default="", help="the older revision; without it the last that fits")
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity that is measured first")
    parser.add_argument("--capacity", type=float, help="payments/s, instead of measuring")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each calm phase")
    parser.add_argument("--back", action="store_true", help="go back to the old code afterwards, on the new schema")
    parser.add_argument("--keep", type=Path, help="leave the logs in this folder")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 where nobody noticed, 1 where somebody did, 2 where it could not be tried."""
    options = _options(arguments)
    with ended_in_order(), tempfile.TemporaryDirectory(prefix="mashang-upgrade-") as name, ExitStack() as stack:
        folder = Path(name)
        try:
            revision = options.revision or last_with_an_older_schema()
            schema = require_older(revision)
            old = Code(revision, unpack(revision, folder / "old"))
            _console.print(f"from {name_of(revision)} (schema {schema:04d}) to this code")
            town = stack.enter_context(a_town(folder / "town"))
            if options.keep is not None:
                stack.callback(shutil.copytree, folder / "town" / "logs", options.keep, dirs_exist_ok=True)
            return 0 if asyncio.run(run(town, old, Code("this code", ROOT), options)) else 1
        except (NoSuchUpgrade, StackError) as error:
            _console.print(f"upgrade-try: {error}", markup=False)
            return 2


if __name__ == "__main__":
    sys.exit(main())
