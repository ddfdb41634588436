"""What `make load` prints at its end: throughput and audit beside each other."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.load.page import knee_sentence
from loadtests.load.report import Run, answers_of, best_in_words, cpu_per_payment, memory_in_words
from loadtests.load.tally import LATE_MS


def show(run: Run, page: Path, console: Console) -> None:
    """Tables, the audit's own words, and the verdict."""
    console.print(_requests(run))
    console.print(_costs(run))
    for text, count in run.tally.errors.most_common(10):
        console.print(f"{count:,} × {text}", style="red", markup=False)
    # As it is: the audit's tables have a width of their own
    print(run.verdict.audit_output)
    if run.knee is not None:
        console.print(knee_sentence(run.knee), markup=False)
    for line in _sentences(run):
        console.print(line, markup=False, highlight=False)
    verdict = ("Passed.", "green") if run.passed else (f"Failed: {', '.join(run.faults)}.", "red")
    console.print(verdict[0], style=verdict[1], markup=False)
    console.print(f"Report: {page}", markup=False, highlight=False)


def _sentences(run: Run) -> list[str]:
    total = run.tally.total()
    ends = ", ".join(f"{name} {count:,}" for name, count in total.ends.most_common())
    refused = ", ".join(f"HTTP {status} {count:,}" for status, count in total.refused.items()) or "none"
    latest = f"{total.late_ms_max:,.0f} ms"
    per_s, books = total.paid / max(1, run.seconds), f"{run.books.books}, merged into {run.books.lines:,} lines"
    where = "" if run.verdict.books_here else "; those of other machines were not compared"
    return [
        f"{total.paid:,} payments in {run.seconds:,.0f} s: {per_s:,.1f}/s; {best_in_words(run.tally)}.",
        f"Bar codes: p50 {total.percentile_ms(50):,.0f} ms, p99 {total.percentile_ms(99):,.0f} ms.",
        f"Ends: {ends}. Refusals: {refused}. Errors: {total.errors:,}.",
        f"Late: {total.late:,} of {total.arrived:,} customers by over {LATE_MS:.0f} ms, at most {latest}.",
        f"Memory of the gateway: {memory_in_words(run.readings)}.",
        f"Books: {books}; {run.books.torn} torn{where}.",
        f"Audit: {'clean' if run.verdict.audit_passed else 'NOT CLEAN'}.",
    ]


def _requests(run: Run) -> Table:
    table = Table(title="Requests, ms")
    table.add_column("request")
    for name in ("answers", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for kind, row in answers_of(run.tally.total()).items():
        table.add_row(kind, f"{row['count']:,}", *(f"{row[f'p{percent}']:,.0f}" for percent in (50, 95, 99)))
    return table


def _costs(run: Run) -> Table:
    costs = cpu_per_payment(run)
    table = Table(title="CPU per payment, µs (all that the mix does is in it)")
    for name in (*costs, "all"):
        table.add_column(name, justify="right")
    table.add_row(*(f"{cost:,.0f}" for cost in (*costs.values(), sum(costs.values()))))
    return table
