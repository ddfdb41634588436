"""`make load`: Locust's tills and customers against a stack, a report, and the audit of every book."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console

from loadtests.bench.document import about, write
from loadtests.load.book import PATTERN, merge
from loadtests.load.mix import DISPLAYED_PERCENT
from loadtests.load.page import page_of
from loadtests.load.plan import Model, Plan, write_plan
from loadtests.load.report import Run, Verdict, document_of
from loadtests.load.running import run_locust
from loadtests.load.shapes import ShapeName
from loadtests.load.shops import campaigns, make_shops
from loadtests.load.summary import show
from loadtests.load.tally import Tally
from loadtests.stack import RunningStack, own_stack, running_stack
from loadtests.traffic.orders import new_run_number

_COUNTS: Final = "counts.json"
"""As hooks.py writes it, which only Locust may import."""
_QUIET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How Locust itself is run."""

    processes: int
    web: bool
    web_port: int
    expect_workers: int
    plan_file: Path | None


def _locust_arguments(plan: Plan, setting: Setting) -> list[str]:
    arguments = ["--host", plan.gateway, "--stop-timeout", "40s", "--only-summary", "--loglevel", "WARNING"]
    if setting.web:
        arguments += ["--web-host", "127.0.0.1", "--web-port", str(setting.web_port)]
        arguments += ["--users", str(plan.level), "--spawn-rate", str(plan.level)] if plan.by_hand else []
    else:
        # Else Locust prints its tables beside ours
        arguments += ["--headless", "--json-file", str(plan.folder / "locust")]
    if setting.expect_workers:
        return [*arguments, "--master", "--expect-workers", str(setting.expect_workers)]
    if setting.processes > 1:
        # Of its own, or workers would join whichever run has Locust's usual port
        port = str(_free_port())
        return [*arguments, "--processes", str(setting.processes), "--master-port", port, "--master-bind-port", port]
    return arguments


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _counted(folder: Path) -> tuple[Tally, dict[str, object] | None, bool]:
    """What all Locust processes counted, the knee, and whether the shape was over; nothing where Locust was killed."""
    try:
        document = orjson.loads((folder / _COUNTS).read_bytes())
    except FileNotFoundError:
        return Tally(), None, False
    return Tally.from_json(document["tally"]), document["knee"], document["is_over"]


def _load(stack: RunningStack, plan: Plan, setting: Setting, book: Path, errors_allowed_percent: float) -> Run:
    """Run Locust, merge the books, audit."""
    plan_file = setting.plan_file or plan.folder / "plan.json"
    write_plan(plan, plan_file)
    if setting.web:
        print(f"Locust's page: http://127.0.0.1:{setting.web_port}; Ctrl-C ends the run and audits it", flush=True)
    if setting.expect_workers:
        print(f"Waiting for {setting.expect_workers} worker(s) of other machines …", flush=True)
    status, readings = run_locust(plan_file, _locust_arguments(plan, setting), stack.process_groups)
    tally, knee, is_over = _counted(plan.folder)
    merged = merge(sorted(plan.folder.glob(PATTERN)), book)
    print("Auditing …", flush=True)
    passed, output = stack.audit(book, _QUIET_S)
    books_here = 0 if setting.expect_workers else setting.processes
    verdict = Verdict(passed, output, status, is_over or readings.interrupted, errors_allowed_percent, books_here)
    return Run(about(datetime.now(UTC)), plan, setting.processes, tally, readings, knee, merged, verdict)


def _write(run: Run, folder: Path) -> Path:
    """The report as JSON and as a page; the page's path."""
    at = datetime.fromisoformat(run.about["time"])
    path = write(folder, "load", document_of(run), at).with_suffix(".html")
    path.write_text(page_of(run), encoding="utf-8")
    return path


def main(
    *,
    shape: Annotated[ShapeName, typer.Option(help="How the load goes over the time.")] = ShapeName.FLAT,
    model: Annotated[Model, typer.Option(help="closed: tills; open: customers a second, by Poisson.")] = Model.CLOSED,
    level: Annotated[int, typer.Option("--level", "--users", min=1, help="The highest: tills, or customers/s.")] = 100,
    seconds: Annotated[float, typer.Option(min=1, help="How long; then the last customers are served.")] = 30,
    think_s: Annotated[float, typer.Option(min=0, help="Seconds that a till thinks between two customers.")] = 0.3,
    shops: Annotated[int, typer.Option(min=1, max=10_000, help="Merchants, made by the admin API.")] = 100,
    customers: Annotated[int, typer.Option(min=1, max=100_000, help="Customers.")] = 20_000,
    displayed: Annotated[
        float, typer.Option(min=0, max=100, help="Percentage of payments by a code on display.")
    ] = DISPLAYED_PERCENT,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Locust processes.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes of the stack that is started.")] = 1,
    web: Annotated[bool, typer.Option(help="With Locust's page; --shape flat is set by hand there.")] = False,
    web_port: Annotated[int, typer.Option(help="The page's port.")] = 8089,
    master_of: Annotated[int, typer.Option(min=0, help="Wait for so many Locust workers of other machines.")] = 0,
    plan_file: Annotated[Path | None, typer.Option(help="Write the plan here, for workers of other machines.")] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="A stack that runs already; without it one is started.")
    ] = None,
    client_log: Annotated[Path | None, typer.Option(help="Keep the clients' merged book in this file.")] = None,
    errors_allowed: Annotated[
        float, typer.Option(min=0, max=100, help="Errors per hundred customers that the run may have.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of who buys what; moments and numbers differ in each run.")] = 1,
    report: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("results"),
) -> None:
    """Load a stack and audit it; ends with status 1 where something failed or the books disagree."""
    setting = Setting(processes, web, web_port, master_of, plan_file)
    with ExitStack() as open_:
        stack = open_.enter_context(own_stack(workers) if ready_file is None else running_stack(ready_file))
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="mashang-load-")))
        stack.set_latency()
        coupon_campaign_id = open_.enter_context(campaigns(stack.ready))
        print(f"{shops:,} shops …", flush=True)
        plan = Plan(
            gateway=stack.ready.gateway,
            scanners={name: each["base_url"] for name, each in stack.ready.simulators.items()},
            shops=make_shops(stack.ready, shops),
            coupon_campaign_id=coupon_campaign_id,
            customers=customers,
            displayed_percent=displayed,
            model=model,
            shape=shape,
            level=level,
            seconds=seconds,
            think_s=think_s,
            by_hand=web and shape is ShapeName.FLAT,
            run_number=(new_run_number() + os.getpid()) % 10_000_000,
            seed=seed,
            folder=folder,
        )
        run = _load(stack, plan, setting, client_log or folder / "book.jsonl", errors_allowed)
    path = _write(run, report)
    show(run, path, Console())
    if not run.passed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
