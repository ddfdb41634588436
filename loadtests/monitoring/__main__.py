"""`make monitoring-try`: a stack under load, a Prometheus that scrapes it, and every query of every dashboard asked.

Ends with 0 only when each query answered (or its panel says why it may be empty), every rule was evaluated well and no
alert was firing that a healthy stack must not have.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from gateway.processes.sockets import listen, port_of
from loadtests.monitoring.answers import Filled, filled
from loadtests.monitoring.prometheus import Prometheus, PrometheusTrouble, running_prometheus
from loadtests.monitoring.sources import dashboards
from loadtests.monitoring.traffic import demo_merchant, publish_rules
from loadtests.stack import RunningStack, own_stack

_AUDITS: Final = "Auditing"
"""How the line begins that `make load` prints when its customers have left."""
_SHOWN_EVERY: Final = 10
_OF_SPEED: Final = frozenset({"MashangOwnTimeBurnFast", "MashangTurnsAway"})
"""Pages that a small machine with other work may well cause."""


def main(
    *,
    seconds: Annotated[float, typer.Option(min=20, help="How long the load lasts.")] = 60,
    users: Annotated[int, typer.Option(min=1, help="Tills.")] = 12,
    pictures: Annotated[Path, typer.Option(help="Folder of the pictures.")] = Path("results/dashboards"),
) -> None:
    """Try everything, print a table, draw the dashboards."""
    console = Console()
    with ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="mashang-monitoring-")))
        port = _free_port()
        console.print("A stack …")
        stack = open_.enter_context(own_stack(workers=2, environment={"MASHANG_WORKER_PORT": str(port)}))
        targets = {
            "mashang-gateway": [stack.ready.gateway.removeprefix("http://")],
            "mashang-worker": [f"127.0.0.1:{port}"],
        }
        console.print("Prometheus …")
        prometheus = open_.enter_context(running_prometheus(targets, folder))
        publish_rules(stack)
        began = time.time()
        ended, problems = _loaded(stack, seconds, users, folder, console)
        panels = [each for dashboard in dashboards() for each in filled(prometheus, dashboard, began, ended)]
        problems += _rules(prometheus, console)
    console.print(_table(panels))
    problems += [
        f"no data: {each.dashboard.title}, {each.panel.title}: {expr}" for each in panels for expr in each.empty
    ]
    _draw(panels, (began, ended), pictures, console)
    for problem in problems:
        console.print(problem, style="red", markup=False)
    console.print(f"{len(panels)} panels, {sum(each.series for each in panels)} series, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


def _free_port() -> int:
    listener = listen(0)
    try:
        return port_of(listener)
    finally:
        listener.close()


def _loaded(stack: RunningStack, seconds: float, users: int, folder: Path, console: Console) -> tuple[float, list[str]]:
    """Load it as `make load` does, with the demo merchant beside; when the customers had left, and what went wrong."""
    command = [
        sys.executable, "-m", "loadtests.load", "--ready-file", str(stack.state / "ready.json"), "--users", str(users),
        "--seconds", str(seconds), "--shops", "5", "--report", str(folder),
    ]  # fmt: skip
    console.print(f"{seconds:.0f} s of load …")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as load:
        assert load.stdout is not None
        with demo_merchant(stack):
            told = _shown(load.stdout, console, until=_AUDITS)
            ended = time.time()
        told += _shown(load.stdout, console)
    return ended, [] if load.returncode == 0 else ["the load failed:", *told[-20:]]


def _shown(lines: Iterable[str], console: Console, until: str | None = None) -> list[str]:
    """Print every tenth line of the load as its progress; all of them."""
    told = []
    for line in lines:
        told.append(line.rstrip())
        if len(told) % _SHOWN_EVERY == 1:
            console.print(told[-1], markup=False, highlight=False)
        if until is not None and line.startswith(until):
            break
    return told


def _rules(prometheus: Prometheus, console: Console) -> list[str]:
    """Rules that could not be evaluated, and pages that went off; tickets are told and are no problem."""
    found = prometheus.rules()
    firing = [rule for rule in found if rule.get("state") == "firing"]
    for rule in firing:
        console.print(f"fires: {rule['name']}: {rule['alerts'][0]['annotations']['description']}", markup=False)
    problems = [f"{rule['name']}: {rule['lastError']}" for rule in found if rule["health"] != "ok"]
    pages = [rule["name"] for rule in firing if rule["labels"].get("severity") == "page"]
    return problems + [f"pages: {name}" for name in pages if name not in _OF_SPEED]


def _table(panels: Sequence[Filled]) -> Table:
    table = Table("dashboard", "panel", "queries", "series", "state", title="What each panel shows")
    for each in panels:
        row: list[Any] = [each.dashboard.title, each.panel.title, str(len(each.answers)), str(each.series), each.state]
        table.add_row(*row, style="red" if each.empty else None)
    return table


def _draw(panels: Sequence[Filled], span_s: tuple[float, float], folder: Path, console: Console) -> None:
    try:
        from loadtests.monitoring.pictures import draw  # noqa: PLC0415  matplotlib is an extra
    except ImportError:
        console.print("left out, for want of matplotlib (the extra `charts`): the pictures")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for dashboard in dashboards():
        path = folder / f"{dashboard.uid.removeprefix('mashang-')}.png"
        draw(dashboard, [each for each in panels if each.dashboard == dashboard], span_s, path)
        console.print(str(path))


if __name__ == "__main__":
    try:
        typer.run(main)
    except PrometheusTrouble as trouble:
        sys.exit(str(trouble))
