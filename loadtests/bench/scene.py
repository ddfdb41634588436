"""A stack with everything in force, and the turns of load that are measured on it: what the benchmarks beside the main
one (latency, overload, curves) have in common."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from loadtests.bench.campaign_sets import InForce, campaign_sets
from loadtests.bench.measure import Measurement, measure
from loadtests.bench.outcome import Audit
from loadtests.bench.rule_sets import rule_sets
from loadtests.stack import RunningStack, own_stack, running_stack
from loadtests.traffic.generators import Load

OPEN_MAX: Final = 4_096
"""So many requests may be open where arrivals have moments of their own."""
_WARM_UP_S: Final = 3.0


@dataclass
class Scene:
    """A stack that is measured; every turn goes into the client's book, which the audit reads at the end."""

    stack: RunningStack
    book: Path
    console: Console
    groups: Mapping[str, list[int]]
    """Process ids by the role they are shown under."""
    wallet: str = "wechat"
    warm_up_s: float = _WARM_UP_S
    screened: bool = False
    """Whether rules are in force: then an audit that compared no decision has failed."""

    def closed(self, seconds: float, open_requests: int, keys: Path | None = None) -> Measurement:
        """So many requests open at once; of many merchants where there is a file of their keys."""
        return measure(replace(self._load(seconds, open_requests, None), keys=keys), self.groups)

    def arriving(self, rate_per_s: float, seconds: float, when_warm: Callable[[], object] | None = None) -> Measurement:
        """So many arrivals a second, whatever becomes of them."""
        return measure(self._load(seconds, OPEN_MAX, rate_per_s), self.groups, when_warm)

    def audit(self) -> Audit:
        """Hold the books against each other."""
        self.console.print("audit …", style="dim")
        found = Audit(*self.stack.audit(self.book if self.book.exists() else None))
        return replace(found, passed=found.agrees(screened=self.screened))

    def say(self, what: str, measured: Measurement) -> None:
        """One turn in one line."""
        figures = measured.figures
        self.console.print(
            f"{what}: {measured.cpu_us_per_payment.get('gateway', 0):.0f} µs of gateway, {figures.per_second:.0f}/s, "
            f"p50 {figures.percentile_ms(50):.1f} ms, p99 {figures.percentile_ms(99):.0f} ms, "
            f"refused {figures.refused}, late {figures.late_share:.1%}, errors {figures.errors or 0}, "
            f"others {measured.others_share:.0%}",
            style="dim",
            highlight=False,
        )

    def _load(self, seconds: float, open_requests: int, rate_per_s: float | None) -> Load:
        return Load(
            url=f"{self.stack.ready.gateway}/v1/payments",
            key=self.stack.ready.merchant.api_key,
            wallet=self.wallet,
            open_requests=open_requests,
            seconds=seconds,
            warm_up_s=self.warm_up_s,
            client_log=self.book,
            rate_per_s=rate_per_s,
        )


@contextmanager
def scene(
    console: Console,
    ready_file: Path | None = None,
    *,
    workers: int = 1,
    everything: bool = True,
    environment: Mapping[str, str] | None = None,
    kept: Path | None = None,
) -> Iterator[Scene]:
    """A scene on a stack of its own (in the state folder `kept`, which stays), or on one that runs already.

    With the rules and campaigns of the benchmark.
    """
    chosen: AbstractContextManager[RunningStack] = (
        own_stack(workers, environment, kept) if ready_file is None else running_stack(ready_file)
    )
    with ExitStack() as held:
        stack = held.enter_context(chosen)
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="mashang-book-"))
        stack.set_latency()
        if everything:
            held.enter_context(campaign_sets(stack.ready)).put_in_force(InForce.HUNDRED)
            held.enter_context(rule_sets(stack.ready)).put_in_force(rules=True)
        yield Scene(stack, Path(folder) / "book.jsonl", console, stack.process_groups, screened=everything)
