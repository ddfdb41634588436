"""Everything that `make capacity` finds, and its tables in Markdown: the blocks of docs/capacity.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from loadtests.capacity.assumptions import Assumptions, reasons
from loadtests.capacity.calibrating import CALIBRATED_AT, calibrate, left_out
from loadtests.capacity.costs import INTENT, OUTCOME, PIPELINE, Costs, Role
from loadtests.capacity.measured import Measured
from loadtests.capacity.plan import Scale, WhatIf, plan_all, play_processes
from loadtests.capacity.validating import Compared, compare_all, figures, mean_error

DOCUMENT: Final = Path("docs/capacity.md")
_ERROR_AIM: Final = 0.15
THE_CURVE: Final = frozenset({"payments/s", "p50 ms"})
"""What must be reproduced before anything is computed from it; of other figures it is told how far off they are."""
_OTHERS_SHARE_MAX: Final = 0.05


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, what the simulation makes of it, and the plan."""

    measured: Measured
    assumed: Assumptions
    costs: Costs
    compared: Sequence[Compared]
    scales: Sequence[Scale]
    processes: Sequence[WhatIf]


def make_report(measured: Measured, assumed: Assumptions) -> Report:
    """Calibrate, validate, plan.  The same input gives the same report."""
    costs = calibrate(measured)
    return Report(
        measured,
        assumed,
        costs,
        compare_all(measured, costs),
        plan_all(measured, costs, assumed),
        play_processes(costs, assumed),
    )


def as_json(report: Report) -> dict[str, Any]:
    """The report without the measurements, which have a file of their own."""
    return {
        "measured": dict(report.measured.about),
        "assumed": asdict(report.assumed),
        "costs_us": {role: {name: 1e6 * value for name, value in asdict(cost).items()}
                     for role, cost in report.costs.by_role.items()},
        "compared": [{**asdict(one), "error": one.error, "judged": one.judged} for one in report.compared],
        "plan": [{**asdict(scale), "bottleneck": scale.bottleneck.name} for scale in report.scales],
        "processes": [asdict(one) for one in report.processes],
    }  # fmt: skip


def blocks(report: Report) -> dict[str, str]:
    """The generated parts of the document, by name."""
    return {
        "measured": _measured(report.measured),
        "costs": _costs(report.costs),
        "validation": _validation(report),
        "plan": _plan(report.scales),
        "bottlenecks": _bottlenecks(report.scales),
        "processes": _processes(report.processes),
        "assumptions": _assumptions(report.assumed),
    }


def inject(text: str, made: Mapping[str, str]) -> str:
    """The document with its blocks put in anew.  Raises KeyError for a block that it has no place for."""
    for name, block in made.items():
        begin, end = f"<!-- capacity: {name} -->", f"<!-- /capacity: {name} -->"
        if begin not in text or end not in text:
            raise KeyError(name)
        pattern = re.escape(begin) + r".*?" + re.escape(end)
        text = re.sub(pattern, lambda _, whole=f"{begin}\n{block}\n{end}": whole, text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _measured(measured: Measured) -> str:
    about, conditions = measured.about, measured.about["conditions"]
    others = max(point.others_share for point in measured.curve)
    warning = "" if others <= _OTHERS_SHARE_MAX else " (**not quiet: everything below is dearer than it need be**)"
    return (
        f"Measured on {about['date']} at {about['revision']}: {about['machine']['cpu']}, {measured.cores} cores, "
        f"WeChat bar codes, {conditions['rules']:,} rules, {conditions['campaigns']} campaigns, one gateway process. "
        f"Others used up to {others:.0%} of the machine meanwhile{warning}. A commit took {measured.commit_ms:.2f} ms. "
        f"A payment is {measured.per_payment.wal_bytes:,.0f} bytes of WAL, {measured.per_payment.stored_bytes:,.0f} "
        f"stored and {measured.per_payment.log_bytes:,.0f} of log."
    )


def _costs(costs: Costs) -> str:
    shown = (Role.GATEWAY, Role.POSTGRESQL, Role.VALKEY, Role.WORKER, Role.SIMULATORS, Role.GENERATOR)
    return _table(
        ("µs of CPU", "a payment", "and for each batch", "and each time it is woken"),
        [
            (role, *(f"{1e6 * value:,.0f}" for value in (cost.payment_s, cost.batch_s, cost.wake_s)))
            for role in shown
            for cost in [costs.by_role[role]]
        ],
    )


def _validation(report: Report) -> str:
    compared, names = report.compared, figures(report.compared)
    rows = []
    for number in dict.fromkeys(one.open_requests for one in compared):
        ours = {one.figure: one for one in compared if one.open_requests == number}
        label = f"{number} (calibrated)" if number in CALIBRATED_AT else str(number)
        rows.append([label, *(f"{_short(ours[name].measured)} → {_short(ours[name].simulated)}" for name in names)])
    errors = ["mean error", *(_judged(mean_error(compared, name)) for name in names)]
    lines = [_table(("open", *names), [*rows, errors])]
    if left := left_out(report.measured):
        lines.append(f"Left out, for too many of their payments did not succeed: {_listed(left)} open.")
    if missed := not_reproduced(compared):
        lines.append(f"**Not reproduced within {_ERROR_AIM:.0%}: {_listed(missed)}.**")
    return "\n\n".join(lines)


def not_reproduced(compared: Sequence[Compared]) -> list[str]:
    """The figures of which the simulation is further off than it may be."""
    return [name for name in figures(compared) if mean_error(compared, name) > _ERROR_AIM]


def _listed(parts: Iterable[object]) -> str:
    return ", ".join(map(str, parts))


def _judged(error: float) -> str:
    return f"{error:.0%}" if error <= _ERROR_AIM else f"**{error:.0%}**"


def _short(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


_ROWS: Final[Sequence[tuple[str, Callable[[Scale], str]]]] = (
    ("cells (installations)", lambda scale: f"{scale.cells}"),
    ("payments/s of a cell", lambda scale: f"{scale.cell.per_second:,.0f}"),
    ("gateway processes, a core each", lambda scale: f"{scale.gateway_processes:,}"),
    ("… payments/s of each with a zone away", lambda scale: f"{scale.cell.per_second / scale.cell.gateways:,.0f}"),
    ("… cores busy", lambda scale: f"{scale.gateway_cores_busy:,.1f}"),
    ("… µs of CPU per payment", lambda scale: f"{scale.cell.gateway_us:,.0f}"),
    ("rows of an intent, of an outcome", lambda scale: " · ".join(
        f"{scale.cell.batch_rows[name]:.1f}" for name in (INTENT, OUTCOME))),
    ("commands of a pipeline", lambda scale: f"{scale.cell.batch_rows[PIPELINE]:.1f}"),
    ("PostgreSQL machines (writer, standbys)", lambda scale: f"{scale.database_machines}"),
    ("… a writer's cores busy", lambda scale: f"{scale.database_cores_busy:.1f}"),
    ("… µs of CPU per payment", lambda scale: f"{scale.cell.database_us:,.0f}"),
    ("… a writer's WAL, MB/s", lambda scale: f"{scale.wal_mb_per_s:,.0f}"),
    ("… a writer's flushes/s", lambda scale: f"{scale.flushes_per_s:,.0f}"),
    ("… a writer's connections", lambda scale: f"{scale.database_connections:,}"),
    ("slices of a campaign that every payment draws from", lambda scale: f"{scale.slices}"),
    ("Valkey masters, each with a replica", lambda scale: f"{scale.valkey_shards}"),
    ("… a master's core busy", lambda scale: f"{scale.valkey_use:.0%}"),
    ("worker processes, webhooks included", lambda scale: f"{scale.worker_processes}"),
    ("webhooks/s", lambda scale: f"{scale.webhooks_per_s:,.0f}"),
    ("calls to channels under way", lambda scale: f"{scale.channel_connections:,.0f}"),
    ("payments under way", lambda scale: f"{scale.cells * scale.cell.in_flight:,.0f}"),
    ("p50 · p99, ms", lambda scale: f"{scale.cell.p50_ms:.0f} · {scale.cell.p99_ms:.0f}"),
    ("disk a day, one copy, GB", lambda scale: f"{scale.disk_gb_per_day:,.0f}"),
    ("disk kept, all copies, TB", lambda scale: f"{scale.disk_tb_kept:,.0f}"),
    ("WAL archive, TB", lambda scale: f"{scale.wal_archive_tb:,.1f}"),
    ("Mbit/s till ↔ gateway", lambda scale: f"{scale.network_mbit_per_s['till to gateway']:,.0f}"),
    ("Mbit/s gateway ↔ channel", lambda scale: f"{scale.network_mbit_per_s['gateway to channel']:,.0f}"),
    ("Mbit/s gateway ↔ PostgreSQL", lambda scale: f"{scale.network_mbit_per_s['gateway to PostgreSQL']:,.0f}"),
    ("Mbit/s gateway ↔ Valkey", lambda scale: f"{scale.network_mbit_per_s['gateway to Valkey']:,.0f}"),
)  # fmt: skip


def _plan(scales: Sequence[Scale]) -> str:
    rows = [(name, *(show(scale) for scale in scales)) for name, show in _ROWS]
    return _table(("payments/s at the peak", *(f"{scale.per_second:,}" for scale in scales)), rows)


def _bottlenecks(scales: Sequence[Scale]) -> str:
    names = [limit.name for limit in scales[0].limits]
    rows = [
        (name, *(f"{scale.limits[position].use:.0%}" for scale in scales), scales[0].limits[position].more)
        for position, name in enumerate(names)
    ]
    first = ("**full first**", *(scale.bottleneck.name for scale in scales), "")
    return _table(("of a cell, in use", *(f"{scale.per_second:,}" for scale in scales), "then"), [*rows, first])


def _processes(found: Sequence[WhatIf]) -> str:
    head = ("busy", "a batch waits", "payments/s", "gateway µs", "PostgreSQL µs", "rows of an intent", "p50 · p99, ms")
    rows = [
        (f"{one.use:.0%}", one.policy, f"{one.per_second:,.0f}", f"{one.gateway_us:,.0f}", f"{one.database_us:,.0f}",
         f"{one.batch_rows:.1f}", f"{one.p50_ms:.0f} · {one.p99_ms:.0f}")
        for one in found
    ]  # fmt: skip
    return _table(head, rows)


def _assumptions(assumed: Assumptions) -> str:
    return _table(("assumed", "", ""), [(f"`{name}`", f"{value:,g}", why) for name, value, why in reasons(assumed)])
