"""What a benchmark found, and the targets that it is judged by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from gateway.audit.checks import Check
from loadtests.bench.discounts import DiscountCost
from loadtests.bench.measure import CORES, GENERATOR, Measurement
from loadtests.bench.signatures import SignatureCost
from loadtests.counts import Signing
from loadtests.processes import Memory

YARDSTICK: Final = "yardstick"
GATEWAY: Final = "gateway"
BASELINE: Final = "baseline"
SERVERS: Final = frozenset({YARDSTICK, GATEWAY, BASELINE})
KEYED_FULL: Final = "unionpay keyed, full"
"""The run with the keyed hash and so many requests open that UnionPay's two calls and a wait do not limit it."""
HOT_CAMPAIGN: Final = "wechat, one hot campaign"
"""Every payment draws from it."""
NO_CAMPAIGN: Final = "wechat, no campaign"
"""Without risk rules, too."""
CAMPAIGNS: Final = "wechat, 100 campaigns"
"""Without risk rules."""
RULES: Final = "wechat, 1,000 rules"
"""Without campaigns."""
FULL: Final = "wechat"
"""A thousand risk rules and a hundred campaigns, as all other runs of the gateway have them."""
_DECISIONS: Final = re.compile(rf"\b{re.escape(Check.DECISION.value)}\b\W+([\d,]+)")
_ASKED_OPEN: Final = 128
_PROMOTED_SHARE_MIN: Final = 0.5
"""Where fewer had a discount, nothing was reserved for most: a price alone is not what is asked about."""
_OTHERS_SHARE_MAX: Final = 0.05
"""With more than this of the machine in strangers' hands, a throughput that falls short says nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the report: what was measured, the mean size of each kind of batch, the gateway's memory after it."""

    measurement: Measurement
    open_requests: int
    signed_calls: float = 0.0
    """Channel calls per payment that RSA signs and verifies: so many verifications."""
    batches: dict[str, float] = field(default_factory=dict)
    memory: Memory | None = None
    screened: float = 0.0
    """Risk decisions per payment."""
    missed_share: float = 0.0
    """Of the decisions, those without some features."""
    signing: Signing = field(default_factory=Signing)
    """RSA signatures per payment."""

    @property
    def is_sound(self) -> bool:
        """Whether it says what a completed payment costs."""
        return self.measurement.figures.is_sound

    @property
    def server_us(self) -> float:
        """µs of CPU per completed payment of the server that was measured (not of its stores and simulators)."""
        return sum(used for name, used in self.measurement.cpu_us_per_payment.items() if name in SERVERS)

    def __add__(self, other: Run) -> Run:
        batches = {name: fmean((size, other.batches.get(name, size))) for name, size in self.batches.items()}
        return Run(
            self.measurement + other.measurement,
            self.open_requests,
            fmean((self.signed_calls, other.signed_calls)),
            batches,
            other.memory or self.memory,
            fmean((self.screened, other.screened)),
            fmean((self.missed_share, other.missed_share)),
            (self.signing + other.signing) * 0.5,
        )


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdict of `mashang audit` after the gateway's runs."""

    passed: bool
    output: str

    @property
    def summary(self) -> str:
        """Its last line, which says what was compared."""
        return self.output.rpartition("\n")[2]

    @property
    def decisions(self) -> int:
        """How many risk decisions it held against their payments."""
        found = _DECISIONS.search(self.output)
        return 0 if found is None else int(found[1].replace(",", ""))

    def agrees(self, *, screened: bool) -> bool:
        """Whether all agrees, and decisions were among it where payments were screened."""
        return self.passed and (self.decisions > 0 or not screened)

    def to_json(self) -> dict[str, object]:
        """For the documents."""
        return {"passed": self.passed, "summary": self.summary, "risk_decisions": self.decisions}


@dataclass(slots=True)
class Outcome:
    """Everything that one run of the benchmark found, by name of the run."""

    runs: dict[str, Run] = field(default_factory=dict)
    scans: dict[str, dict[int, Run]] = field(default_factory=dict)
    """The baseline at several numbers of open requests, by transport."""
    signatures: list[SignatureCost] = field(default_factory=list)
    discounts: list[DiscountCost] = field(default_factory=list)
    """The price and the reservation by themselves, with a hundred campaigns."""
    audit: Audit | None = None
    rounds_us: dict[str, list[float]] = field(default_factory=dict)
    """What each round of a run cost the server that was measured, µs of CPU per payment."""

    @property
    def is_audited(self) -> bool:
        """Whether everything agrees, the decisions of screened payments among it; True where nothing was to audit."""
        screened = any(run.screened for run in self.runs.values())
        return self.audit is None or self.audit.agrees(screened=screened)

    @property
    def unsound(self) -> list[str]:
        """The runs in which nothing was completed, or much went wrong."""
        return [name for name, run in self.runs.items() if not run.is_sound]

    def judges(self, *names: str) -> bool:
        """Whether targets can be judged by these runs: sound, and the gateway's with as many open as is asked for."""
        runs = [self.runs[name] for name in names]
        asked = all(run.open_requests == _ASKED_OPEN for run in runs if GATEWAY in run.measurement.cpu_us)
        return asked and all(run.is_sound for run in runs)

    def add(self, name: str, run: Run) -> None:
        """Add a run to those of the same name."""
        self.rounds_us.setdefault(name, []).append(run.server_us)
        self.runs[name] = self.runs[name] + run if name in self.runs else run

    def best_open(self, transport: str) -> int:
        """The number of open requests at which the baseline took the least CPU per payment."""
        scan = self.scans[transport]
        return min(scan, key=lambda number: scan[number].server_us)

    def rsa_us(self, run: Run) -> float:
        """µs of CPU per payment that a run spent on RSA, each piece as measured by itself; the mean over the rounds."""
        spent = [cost.spent_us(run.signing, run.signed_calls) for cost in self.signatures]
        return fmean(spent) if spent else 0.0

    def ratio(self, name: str, *, without_signatures: bool = False) -> float | None:
        """A run's server CPU as a multiple of the yardstick; None where either was not measured."""
        if name not in self.runs or YARDSTICK not in self.runs:
            return None
        run = self.runs[name]
        signed_us = self.rsa_us(run) if without_signatures else 0.0
        return (run.server_us - signed_us) / self.runs[YARDSTICK].server_us


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what was measured, what is asked, and whether it is met (None: cannot be judged here)."""

    target: str
    what: str
    measured: float
    asked: float
    at_most: bool
    judged: bool = True
    unit: str = "×"

    @property
    def met(self) -> bool | None:
        """Whether the target is met."""
        if not self.judged:
            return None
        return self.measured <= self.asked if self.at_most else self.measured >= self.asked


def verdicts(outcome: Outcome) -> list[Verdict]:
    """Every target that this run has the figures for (PERFORMANCE targets P1, P2, P3, P7 and P9)."""
    return [
        *_ratios(outcome),
        *_campaigns(outcome),
        *_rules(outcome),
        *_against_baseline(outcome),
        *_throughput(outcome),
        *_memory(outcome),
    ]


def _ratios(outcome: Outcome) -> Iterator[Verdict]:
    for name, what, asked in (
        (FULL, "with 1,000 rules and 100 campaigns", (6.0, 4.0)),
        (CAMPAIGNS, "with 100 campaigns", None),
        (NO_CAMPAIGN, "without rules and campaigns", (5.0, 3.2)),
    ):
        with_rsa, without = outcome.ratio(name), outcome.ratio(name, without_signatures=True)
        if with_rsa is not None and without is not None:
            most, least = asked or (0.0, 0.0)
            judged = asked is not None and outcome.judges(name, YARDSTICK)
            yield Verdict("P1", f"gateway {what} ÷ no-op POST, CPU", with_rsa, most, at_most=True, judged=judged)
            yield Verdict("P1", f"the same {what}, RSA taken out", without, least, at_most=True, judged=judged)


def _campaigns(outcome: Outcome) -> Iterator[Verdict]:
    runs = outcome.runs
    if HOT_CAMPAIGN in runs and NO_CAMPAIGN in runs:
        hot, none = runs[HOT_CAMPAIGN], runs[NO_CAMPAIGN]
        all_times = hot.measurement.cpu_us_per_payment_all / none.measurement.cpu_us_per_payment_all
        judged = outcome.judges(HOT_CAMPAIGN, NO_CAMPAIGN)
        for what, times in (("gateway CPU", hot.server_us / none.server_us), ("CPU of all processes", all_times)):
            yield Verdict("P7", f"one hot campaign ÷ none, {what}", times, 1.2, at_most=True, judged=judged)
    if CAMPAIGNS in runs and NO_CAMPAIGN in runs:
        added_us = runs[CAMPAIGNS].server_us - runs[NO_CAMPAIGN].server_us
        what = "100 campaigns add to a payment, redemption and postings included"
        yield Verdict("P7", what, added_us, 0.0, at_most=True, judged=False, unit="µs")
    if outcome.discounts:
        priced_us = fmean(cost.us for cost in outcome.discounts)
        judged = min(cost.promoted for cost in outcome.discounts) >= _PROMOTED_SHARE_MIN
        what = "price and reservation with 100 campaigns, CPU"
        yield Verdict("P7", what, priced_us, 60.0, at_most=True, judged=judged, unit="µs")


def _rules(outcome: Outcome) -> Iterator[Verdict]:
    """What the risk check adds: `make bench-risk` judges the decision by itself."""
    runs = outcome.runs
    for with_rules, without, beside in ((RULES, NO_CAMPAIGN, "no campaign"), (FULL, CAMPAIGNS, "100 campaigns")):
        if with_rules not in runs or without not in runs:
            continue
        more, less = (runs[name].measurement.cpu_us_per_payment for name in (with_rules, without))
        for process in (GATEWAY, "PostgreSQL", "Valkey"):
            if process in more and process in less:
                what = f"1,000 rules add to a payment beside {beside}, decision stored: {process}"
                yield Verdict("", what, more[process] - less[process], 0.0, at_most=True, judged=False, unit="µs")
    for name in (RULES, FULL):
        if name in runs and runs[name].screened:
            what = f"{name}: decisions that had to do without features"
            yield Verdict("", what, 100 * runs[name].missed_share, 0.0, at_most=True, judged=False, unit="%")


def _against_baseline(outcome: Outcome) -> Iterator[Verdict]:
    for transport, asked in (("aiohttp", 3.0), ("httpx", None)):
        name = f"baseline {transport}"
        if name in outcome.runs and FULL in outcome.runs:
            times = outcome.runs[name].server_us / outcome.runs[FULL].server_us
            what = f"baseline over {transport} ÷ gateway, CPU"
            judged = asked is not None and outcome.judges(name, FULL)
            yield Verdict("P2", what, times, asked or 0.0, at_most=False, judged=judged)
        if name in outcome.runs and HOT_CAMPAIGN in outcome.runs:
            times = outcome.runs[name].server_us / outcome.runs[HOT_CAMPAIGN].server_us
            what = f"baseline over {transport} ÷ gateway with one campaign as it has, CPU"
            yield Verdict("P2", what, times, 0.0, at_most=False, judged=False)


def _throughput(outcome: Outcome) -> Iterator[Verdict]:
    for name, asked_per_s in ((FULL, 1000.0), (KEYED_FULL, 1600.0)):
        if name not in outcome.runs:
            continue
        measurement = outcome.runs[name].measurement
        quiet = is_quiet(measurement)
        # The keyed hash has more requests open, for its payments wait for UnionPay
        asked_open = outcome.runs[name].open_requests >= _ASKED_OPEN
        use_percent, per_second = 100 * measurement.utilisation, measurement.figures.per_second
        yield Verdict(
            "P3", f"{name}: payments/s ÷ ({CORES} cores ÷ Σ CPU)", use_percent, 85.0,
            at_most=False, judged=asked_open and (quiet or use_percent >= 85.0), unit="%",
        )  # fmt: skip
        yield Verdict(
            "P3", f"{name}: payments/s", per_second, asked_per_s,
            at_most=False, judged=asked_open and CORES == 2 and (quiet or per_second >= asked_per_s), unit="/s",
        )  # fmt: skip


def is_quiet(measurement: Measurement) -> bool:
    """Whether times and throughput say something about the code: nobody else used the machine."""
    return measurement.others_share <= _OTHERS_SHARE_MAX


def _memory(outcome: Outcome) -> Iterator[Verdict]:
    held = [run.memory.rss_mib for run in outcome.runs.values() if run.memory is not None]
    if held:
        yield Verdict("P9", "gateway memory (RSS) under load", max(held), 250.0, at_most=True, unit="MiB")


def process_names(outcome: Outcome) -> list[str]:
    """The columns of the CPU table: the server that is measured, what stands behind it, and the generator."""
    found = {name for run in outcome.runs.values() for name in run.measurement.cpu_us}
    behind = [name for name in ("worker", "PostgreSQL", "Valkey", "simulators") if name in found]
    return [*behind, GENERATOR]
