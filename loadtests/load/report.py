"""The report of a run as figures: what was offered, what came of it, what it cost, and whether it passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.load.book import Merged
from loadtests.load.plan import Plan
from loadtests.load.running import Readings
from loadtests.load.tally import LATE_MS, Kind, Second, Tally, percentile_ms

PERCENTS = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The audit's, and Locust's own."""

    audit_passed: bool
    audit_output: str
    locust_status: int
    came_to_its_end: bool
    """False where Locust lost its processes under way."""
    errors_allowed_percent: float
    books_here: int
    """So many clients' books were to be merged; 0 where they are on other machines."""

    def faults(self, tally: Tally, books: Merged) -> list[str]:
        """Why the run failed, in a few words each; none where it passed."""
        counted = tally.total()
        faults = {
            "no payment was made": not counted.paid,
            f"{counted.errors:,} error(s)": counted.errors > counted.arrived * self.errors_allowed_percent / 100,
            f"{tally.open:,} customer(s) were not served to their end": tally.open > 0,
            "the books disagree, or could not be compared": not self.audit_passed,
            f"{books.books} of {self.books_here} clients' books are there, {books.torn} torn": (
                books.books < self.books_here or books.torn > 0
            ),
            "Locust did not come to the end of the shape": not self.came_to_its_end,
            # 1 says that requests failed: those are counted above, or it is something that nobody counted
            f"Locust ended with status {self.locust_status}": self.locust_status
            not in ({0, 1} if counted.errors else {0}),
        }
        return [what for what, is_so in faults.items() if is_so]


@dataclass(frozen=True, slots=True)
class Run:
    """All that is known of a run when it is over."""

    about: Mapping[str, Any]
    """When and on what it was made (loadtests/bench/document.py)."""
    plan: Plan
    processes: int
    tally: Tally
    readings: Readings
    knee: Mapping[str, Any] | None
    books: Merged
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether it ends with status 0."""
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """Why it failed."""
        return self.verdict.faults(self.tally, self.books)

    @property
    def seconds(self) -> float:
        """From the first customer to the last answer."""
        return max(self.tally.seconds) - min(self.tally.seconds) + 1 if self.tally.seconds else 0


def document_of(run: Run) -> dict[str, Any]:
    """The report as JSON; no key of a shop is in it."""
    total, plan = run.tally.total(), run.plan
    return {
        **run.about,
        "passed": run.passed,
        "faults": run.faults,
        "plan": {
            "model": plan.model, "shape": plan.shape, "level": plan.level, "seconds": plan.seconds,
            "shops": len(plan.shops), "customers": plan.customers, "displayed_percent": plan.displayed_percent,
            "think_s": plan.think_s, "seed": plan.seed, "processes": run.processes,
        },
        "seconds": run.seconds,
        "customers": total.arrived,
        "payments": total.paid,
        "payments_per_s": total.paid / max(1, run.seconds),
        "best_10_s_per_s": best_per_s(run.tally, 10),
        "ends": {str(end): count for end, count in total.ends.items()},
        "refused": dict(total.refused),
        "errors": total.errors,
        "errors_by_text": dict(run.tally.errors),
        "late": {"customers": total.late, "than_ms": LATE_MS, "max_ms": total.late_ms_max},
        "mix": mix_of(run.tally),
        "answers_ms": answers_of(total),
        "cpu_us_per_payment": cpu_per_payment(run),
        "gateway_mib": [{"at": round(at), "mib": mib} for at, mib in run.readings.memory],
        "others_share_of_machine": run.readings.others_share,
        "knee": run.knee,
        "book": {"files": run.books.books, "lines": run.books.lines, "torn": run.books.torn},
        "audit": {"passed": run.verdict.audit_passed, "output": run.verdict.audit_output},
        "locust_status": run.verdict.locust_status,
        "by_second": [_row(at, run.tally.seconds[at]) for at in sorted(run.tally.seconds)],
    }  # fmt: skip


def answers_of(counted: Second) -> dict[str, dict[str, float]]:
    """Number and percentiles of each kind of request, in ms."""
    return {
        str(kind): {"count": counted.answers[kind].total()}
        | {f"p{percent}": percentile_ms(counted.answers[kind], percent) for percent in PERCENTS}
        for kind in Kind
        if kind in counted.answers
    }


def mix_of(tally: Tally) -> dict[str, float]:
    """The percentages of wallets and methods among the new payments, as they came out."""
    total = max(1, tally.sales.total())
    return {name: 100 * count / total for name, count in sorted(tally.sales.items())}


def cpu_per_payment(run: Run) -> dict[str, float]:
    """µs of CPU of each group of processes per payment that succeeded, everything else of the mix included."""
    if not run.tally.seconds:
        return {}
    readings = run.readings.between(min(run.tally.seconds), max(run.tally.seconds) + 1)
    paid = run.tally.paid_between(readings.all[0].at_s, readings.all[-1].at_s) if readings.all else 0
    return {name: used / paid for name, used in readings.used_us.items()} if paid else {}


def best_per_s(tally: Tally, seconds: int) -> float | None:
    """Payments a second in the best stretch of so many seconds; None where the run was shorter."""
    if not tally.seconds:
        return None
    first, last = min(tally.seconds), max(tally.seconds)
    starts = range(first, last - seconds + 2)
    return max((tally.between(at, at + seconds).paid / seconds for at in starts), default=None)


def best_in_words(tally: Tally) -> str:
    """The best ten seconds, where there are ten."""
    best = best_per_s(tally, 10)
    return "the run was shorter than ten seconds" if best is None else f"{best:,.1f}/s in the best ten seconds"


def memory_in_words(readings: Readings) -> str:
    """Resident MiB of all gateway processes: at first, at last, at most."""
    held = [mib for _, mib in readings.memory]
    return f"{held[0]:,.0f} MiB at first, {held[-1]:,.0f} at last, {max(held):,.0f} at most" if held else "not read"


def _row(at: int, second: Second) -> dict[str, Any]:
    return {
        "at": at,
        "customers": second.arrived,
        "payments": second.paid,
        "refused": sum(second.refused.values()),
        "errors": second.errors,
        "late": second.late,
        **{f"p{percent}_ms": second.percentile_ms(percent) for percent in PERCENTS},
    }
