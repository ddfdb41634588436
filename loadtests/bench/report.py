"""Prints what a benchmark found: a table of CPU per process, the batches, the targets, the audit's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from loadtests.bench.outcome import SERVERS, Audit, Outcome, Run, Verdict, process_names, verdicts

_MARKS: Final = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "–"}


def show(console: Console, outcome: Outcome, previous: dict[str, Any] | None) -> None:
    """Print the whole report; `previous` is an earlier run's JSON document."""
    console.print(_cpu_table(outcome))
    console.print(
        "CPU in µs per completed payment, user + system, all threads and children (/proc/PID/stat). "
        "Use: payments/s × Σ ÷ cores. Others: the share of the machine that strangers used meanwhile.\n"
    )
    if outcome.scans:
        console.print(_scan_table(outcome))
    if any(run.batches for run in outcome.runs.values()):
        console.print(_batch_table(outcome))
    if outcome.signatures:
        console.print(_signature_table(outcome))
    console.print(target_table(verdicts(outcome), previous))
    show_unsound(console, outcome.unsound)
    if outcome.audit is not None:
        show_audit(console, outcome.audit, passed=outcome.is_audited)


def show_unsound(console: Console, names: Sequence[str]) -> None:
    """Say which runs judge nothing, where there are any."""
    if names:
        console.print(f"Nothing is judged by: {'; '.join(names)} (errors, or nothing completed)", style="red")


def show_audit(console: Console, audit: Audit, *, passed: bool | None = None) -> None:
    """Print the audit's verdict; what it found where it failed."""
    verdict = (
        "[green]everything agrees[/green]" if (audit.passed if passed is None else passed) else "[red]FAILED[/red]"
    )
    console.print(f"Audit: {verdict}; {audit.decisions:,} risk decisions compared")
    console.print(audit.summary if audit.passed else audit.output, markup=False, highlight=False)


def _cpu_table(outcome: Outcome) -> Table:
    names = process_names(outcome)
    table = Table(title="CPU per completed payment, µs", title_justify="left")
    table.add_column("run")
    for column in (
        "open",
        "server",
        *names,
        "Σ",
        "÷ no-op",
        "no RSA",
        "/s",
        "p50 ms",
        "p99 ms",
        "use",
        "others",
        "refused",
        "errors",
    ):
        table.add_column(column, justify="right")
    for name, run in outcome.runs.items():
        table.add_row(name, *_cpu_cells(outcome, name, run, names))
    return table


def _cpu_cells(outcome: Outcome, name: str, run: Run, names: list[str]) -> list[str]:
    measured = run.measurement
    per_payment = measured.cpu_us_per_payment
    ratio, without = outcome.ratio(name), outcome.ratio(name, without_signatures=True)
    errors = ", ".join(f"{number} × {what}" for what, number in measured.figures.errors.items())
    return [
        str(run.open_requests),
        f"[bold]{run.server_us:.0f}[/bold]",
        *[f"{per_payment[column]:.0f}" if column in per_payment else "" for column in names],
        f"{measured.cpu_us_per_payment_all:.0f}",
        "" if ratio is None else f"{ratio:.2f}",
        "" if without is None or name == "yardstick" else f"{without:.2f}",
        f"{measured.figures.per_second:.0f}",
        f"{measured.figures.percentile_ms(50):.0f}",
        f"{measured.figures.percentile_ms(99):.0f}",
        f"{100 * measured.utilisation:.0f} %",
        f"{100 * measured.others_share:.0f} %",
        str(measured.figures.refused),
        errors or "0",
    ]


def _scan_table(outcome: Outcome) -> Table:
    table = Table(title="Baseline by open requests: its own CPU per payment, µs (payments/s)", title_justify="left")
    table.add_column("transport")
    opens = sorted({number for scan in outcome.scans.values() for number in scan})
    for number in opens:
        table.add_column(str(number), justify="right")
    for transport, scan in outcome.scans.items():
        best = outcome.best_open(transport)
        cells = []
        for number in opens:
            run = scan[number]
            cell = f"{run.server_us:.0f} ({run.measurement.figures.per_second:.0f})"
            cells.append(f"[bold]{cell}[/bold]" if number == best else cell)
        table.add_row(transport, *cells)
    return table


def _signature_table(outcome: Outcome) -> Table:
    """How each run signed, and what that costs by itself: what is taken away where RSA is left out."""
    costs = outcome.signatures
    openssl_us, verify_us = fmean(cost.sign_us for cost in costs), fmean(cost.verify_us for cost in costs)
    table = Table(
        title=f"RSA-2048 per payment; alone, OpenSSL signs in {openssl_us:.0f} µs and verifies in {verify_us:.0f} µs",
        title_justify="left",
    )
    for column in (
        "run",
        "alone",
        "together",
        "per call",
        "a call, µs",
        "a signature in it, µs",
        "verified",
        "all, µs",
    ):
        table.add_column(column, justify="left" if column == "run" else "right")
    for name, run in outcome.runs.items():
        signing, call_us = run.signing, fmean(cost.call_of_us(run.signing.per_call) for cost in costs)
        each = (
            [f"{signing.per_call:.1f}", f"{call_us:.0f}", f"{call_us / signing.per_call:.0f}"] if call_us else [""] * 3
        )
        made = (f"{signing.alone:.2f}", f"{signing.together:.2f}")
        if outcome.rsa_us(run):
            table.add_row(name, *made, *each, f"{run.signed_calls:.2f}", f"{outcome.rsa_us(run):.0f}")
    return table


def _batch_table(outcome: Outcome) -> Table:
    kinds = sorted({kind for run in outcome.runs.values() for kind in run.batches})
    table = Table(
        title="Mean rows per batch, RSA-signed channel calls and risk decisions per payment, memory of the gateway",
        title_justify="left",
    )
    table.add_column("run")
    for kind in (*kinds, "RSA calls", "risk", "RSS MiB", "PSS MiB"):
        table.add_column(kind, justify="right")
    for name, run in outcome.runs.items():
        if run.batches:
            memory = run.memory
            table.add_row(
                name,
                *[f"{run.batches[kind]:.1f}" if kind in run.batches else "" for kind in kinds],
                f"{run.signed_calls:.2f}",
                f"{run.screened:.2f}",
                "" if memory is None else f"{memory.rss_mib:.0f}",
                "" if memory is None else f"{memory.pss_mib:.0f}",
            )
    return table


def target_table(judged: Sequence[Verdict], previous: Mapping[str, Any] | None) -> Table:
    """The targets, with what an earlier document has beside them."""
    earlier = {} if previous is None else {row["what"]: row["measured"] for row in previous["targets"]}
    table = Table(title="Targets", title_justify="left")
    for column in ("", "what", "measured", "asked", "met", "before"):
        table.add_column(column, justify="left" if column in {"", "what"} else "right")
    for verdict in judged:
        before = earlier.get(verdict.what)
        table.add_row(
            verdict.target,
            verdict.what,
            _figure(verdict.measured, verdict.unit),
            _asked(verdict),
            _MARKS[verdict.met],
            "" if before is None else _figure(before, verdict.unit),
        )
    return table


def _asked(verdict: Verdict) -> str:
    if not verdict.asked:
        return ""
    return f"{'≤' if verdict.at_most else '≥'} {_figure(verdict.asked, verdict.unit)}"


def _figure(value: float, unit: str) -> str:
    if unit == "×":
        return f"{value:.2f} ×"
    return f"{value:.1f} ms" if unit == "ms" else f"{value:,.0f} {unit}".replace(" /s", "/s").strip()


def one_line(run: Run) -> str:
    """A run in one line, while the benchmark goes on."""
    measured = run.measurement
    server = next(name for name in measured.cpu_us if name in SERVERS)
    errors = sum(measured.figures.errors.values())
    return (
        f"{server} {run.server_us:.0f} µs, {measured.figures.per_second:.0f}/s, "
        f"p50 {measured.figures.percentile_ms(50):.0f} ms, errors {errors}"
    )
