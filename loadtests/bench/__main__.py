"""`make bench`: the yardstick, the gateway and the baseline side by side in one run, by CPU time per payment.

The parts take turns in several rounds, so that a machine that drifts drifts for all of them.  Conditions and targets:
docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtests.bench.campaign_sets import CampaignSets, InForce, campaign_sets
from loadtests.bench.compare import changes, changes_table
from loadtests.bench.discounts import measure_discounts
from loadtests.bench.document import make_document, read, read_previous, store_versions, write
from loadtests.bench.measure import measure
from loadtests.bench.outcome import (
    CAMPAIGNS,
    FULL,
    HOT_CAMPAIGN,
    KEYED_FULL,
    NO_CAMPAIGN,
    RULES,
    YARDSTICK,
    Audit,
    Outcome,
    Run,
)
from loadtests.bench.report import one_line, show
from loadtests.bench.rule_sets import RuleSets, rule_sets
from loadtests.bench.servers import Server, TransportName, baselines, yardstick
from loadtests.bench.signatures import measure_signatures
from loadtests.counts import Signing
from loadtests.processes import memory
from loadtests.stack import RunningStack, own_stack, running_stack
from loadtests.traffic.generators import GeneratorName, Load

_WARM_UP_S: Final = 2.0
_YARDSTICK_SHARE: Final = 0.4
"""The yardstick answers ten times as fast: a shorter turn gives it as many answers."""


class Part(StrEnum):
    """What can be measured by itself with --only."""

    YARDSTICK = "yardstick"
    GATEWAY = "gateway"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured and for how long; the baseline's best concurrency is sought among `scan_opens`."""

    parts: frozenset[Part]
    seconds: float
    rounds: int
    open_requests: int
    turns: tuple[Turn, ...]
    scan_opens: tuple[int, ...]
    scan_seconds: float
    generator: GeneratorName


@dataclass(frozen=True, slots=True)
class Turn:
    """One kind of load for the gateway, under the name that its row has in the report."""

    name: str
    wallet: str
    keyed: bool = False
    times_open: int = 1
    """UnionPay accepts, and tells the result when asked 0.3 s later: 128 open requests leave the gateway idle."""
    campaigns: InForce = InForce.HUNDRED
    rules: bool = True
    every_round: bool = False
    """Whether it takes turns with the yardstick and the baseline."""


_TURNS: Final = {
    turn.name: turn
    for turn in (
        Turn(FULL, "wechat", every_round=True),
        Turn(RULES, "wechat", campaigns=InForce.NONE, every_round=True),
        Turn(NO_CAMPAIGN, "wechat", campaigns=InForce.NONE, rules=False, every_round=True),
        Turn(HOT_CAMPAIGN, "wechat", campaigns=InForce.HOT, rules=False, every_round=True),
        Turn(CAMPAIGNS, "wechat", rules=False, every_round=True),
        Turn("alipay", "alipay"),
        Turn("unionpay", "unionpay"),
        Turn("unionpay keyed", "unionpay", keyed=True),
        Turn(KEYED_FULL, "unionpay", keyed=True, times_open=7),
        Turn("mix", "mix"),
    )
}


@dataclass(frozen=True, slots=True)
class _Sets:
    """What can be put in force."""

    campaigns: CampaignSets
    rules: RuleSets


class Bench:
    """One run of the benchmark over a stack."""

    def __init__(self, stack: RunningStack, plan: Plan, client_log: Path, console: Console) -> None:
        self._stack = stack
        self._plan = plan
        self._client_log = client_log
        self._console = console
        self._sets: _Sets | None = None
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Measure everything in the plan."""
        self._stack.set_latency()
        parts = self._plan.parts
        with ExitStack() as servers:
            if Part.GATEWAY in parts:
                ready = self._stack.ready
                self._sets = _Sets(servers.enter_context(campaign_sets(ready)), servers.enter_context(rule_sets(ready)))
            no_op = servers.enter_context(yardstick()) if Part.YARDSTICK in parts else None
            plain = servers.enter_context(baselines(self._stack)) if Part.BASELINE in parts else {}
            for transport, server in plain.items():
                self._scan(transport, server)
            for _ in range(self._plan.rounds):
                self._round(no_op, plain)
            if self._sets is not None:
                for turn in self._plan.turns:
                    if not turn.every_round:
                        self._take(turn, self._sets)
        if Part.GATEWAY in parts:
            self._audit()
        return self.outcome

    def _round(self, no_op: Server | None, plain: Mapping[TransportName, Server]) -> None:
        """One turn of each part, close together in time."""
        key = Path(self._stack.ready.simulators["wechat"]["merchant_private_key"])
        self.outcome.signatures.append(measure_signatures(key))
        if no_op is not None:
            load = self._load(no_op.url, "wechat", self._plan.open_requests, self._plan.seconds * _YARDSTICK_SHARE)
            self._note(YARDSTICK, Run(measure(load, no_op.process_groups), load.open_requests))
        if self._sets is not None:
            for turn in self._plan.turns:
                if turn.every_round:
                    self._take(turn, self._sets)
            self._price(self._sets.campaigns)
        for transport, server in plain.items():
            open_requests = self.outcome.best_open(transport)
            self._note(f"baseline {transport}", self._plain(server, open_requests, self._plan.seconds))

    def _scan(self, transport: TransportName, server: Server) -> None:
        """Find the concurrency at which the baseline is at its best."""
        scan = self.outcome.scans.setdefault(transport, {})
        for open_requests in self._plan.scan_opens:
            scan[open_requests] = run = self._plain(server, open_requests, self._plan.scan_seconds)
            self._say(f"baseline {transport}, {open_requests} open", run)

    def _plain(self, server: Server, open_requests: int, seconds: float) -> Run:
        load = self._load(server.url, "wechat", open_requests, seconds)
        return Run(measure(load, server.process_groups), open_requests, 1.0, signing=Signing(alone=1.0))

    def _price(self, campaigns: CampaignSets) -> None:
        """The price and the reservation by themselves."""
        campaigns.put_in_force(InForce.HUNDRED)
        cost = measure_discounts(self._stack.ready, self._plan.open_requests)
        self.outcome.discounts.append(cost)
        self._console.print(
            f"price and reservation: {cost.us:.0f} µs, {cost.promoted:.0%} of the payments had a discount",
            style="dim",
            highlight=False,
        )

    def _take(self, turn: Turn, sets: _Sets) -> None:
        """One turn of the gateway."""
        sets.campaigns.put_in_force(turn.campaigns)
        sets.rules.put_in_force(rules=turn.rules)
        with self._stack.only_keyed_unionpay() if turn.keyed else nullcontext():
            url, open_requests = f"{self._stack.ready.gateway}/v1/payments", self._plan.open_requests * turn.times_open
            load = self._load(url, turn.wallet, open_requests, self._plan.seconds, self._client_log)
            before = self._stack.counts()
            measured = measure(load, self._stack.process_groups)
            counted = self._stack.counts() - before
        held = memory(self._stack.ready.processes.gateway)
        self._note(
            turn.name,
            Run(
                measured,
                open_requests,
                counted.signed_calls_per_payment,
                counted.rows_per_batch,
                held,
                counted.decisions_per_payment,
                counted.missed_share,
                counted.signing_per_payment,
            ),
        )

    def _load(self, url: str, wallet: str, open_requests: int, seconds: float, client_log: Path | None = None) -> Load:
        key = self._stack.ready.merchant.api_key
        return Load(url, key, wallet, open_requests, seconds, _WARM_UP_S, client_log, self._plan.generator)

    def _audit(self) -> None:
        # wrk writes no book of its requests
        client_log = self._client_log if self._client_log.exists() else None
        self._console.print("audit …", style="dim")
        self.outcome.audit = Audit(*self._stack.audit(client_log))

    def _note(self, name: str, run: Run) -> None:
        self.outcome.add(name, run)
        self._say(name, run)

    def _say(self, name: str, run: Run) -> None:
        self._console.print(f"{name}: {one_line(run)}", style="dim", highlight=False)


def _plan(
    *,
    only: list[Part],
    seconds: float,
    rounds: int,
    open_requests: int,
    turns: list[str],
    generator: GeneratorName,
    quick: bool,
) -> Plan:
    unknown = [name for name in turns if name not in _TURNS]
    if unknown:
        raise typer.BadParameter(f"there is no {unknown[0]}; there are {'; '.join(_TURNS)}")
    return Plan(
        parts=frozenset(only or Part),
        seconds=seconds,
        rounds=rounds,
        open_requests=open_requests,
        turns=tuple(_TURNS[name] for name in turns or _TURNS),
        scan_opens=(16, 32, 64, 128) if quick else (8, 16, 32, 64, 128),
        scan_seconds=2.0 if quick else 5.0,
        generator=generator,
    )


def main(
    *,
    quick: Annotated[
        bool, typer.Option(help="A short run, to see that everything works; its figures are coarse.")
    ] = False,
    only: Annotated[list[Part] | None, typer.Option(help="Measure only this part; may be repeated.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Counted seconds of each turn.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often the parts take turns.")] = None,
    open_requests: Annotated[int, typer.Option("--open", min=1, help="Requests open at once.")] = 128,
    wallet: Annotated[list[str] | None, typer.Option(help="; ".join(_TURNS))] = None,
    mix: Annotated[bool, typer.Option(help="The 60/30/10 mix of wallets (beside --wallet).")] = False,
    generator: Annotated[GeneratorName, typer.Option(help="Ours, or wrk from PATH.")] = "builtin",
    ready_file: Annotated[
        Path | None, typer.Option(help="A stack that runs already; without it one is started.")
    ] = None,
    client_log: Annotated[Path | None, typer.Option(help="Keep the client's book in this file.")] = None,
    compare: Annotated[
        Path | None, typer.Option(help="An earlier run's JSON; without it the newest one as quick as this.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the JSON documents.")] = Path("results"),
) -> None:
    """Measure the yardstick, the gateway and the baseline side by side, and judge them by the targets."""
    plan = _plan(
        only=only or [],
        seconds=seconds or (3.0 if quick else 10.0),
        rounds=rounds or (1 if quick else 3),
        open_requests=open_requests,
        turns=[*(wallet or ()), *(["mix"] if mix else ())],
        generator=generator,
        quick=quick,
    )
    console = Console(width=None if sys.stdout.isatty() else 180)
    at = datetime.now(UTC)
    previous = read_previous(results, quick=quick) if compare is None else read(compare)
    chosen: AbstractContextManager[RunningStack] = own_stack() if ready_file is None else running_stack(ready_file)
    with chosen as stack, tempfile.TemporaryDirectory(prefix="mashang-book-") as folder:
        bench = Bench(stack, plan, client_log or Path(folder) / "book.jsonl", console)
        outcome = bench.run()
        stores = asyncio.run(store_versions(stack.ready))
    options = {**asdict(plan), "parts": sorted(plan.parts), "quick": quick}
    document = make_document(outcome, options, at, stores)
    path = write(results, "bench", document, at)
    show(console, outcome, previous)
    if previous is not None and (found := changes(document, previous)):
        console.print(changes_table(found, previous))
    elif previous is not None:
        console.print(f"Nothing to compare with in the run of {previous['time']}.")
    console.print(f"Written: {path}")
    if not outcome.is_audited or outcome.unsound:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
