"""Two runs of the benchmark held against each other, with the noise of their rounds beside each difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from rich.table import Table

from loadtests.bench.outcome import BASELINE, SERVERS, YARDSTICK

_BEHIND: Final = ("worker", "PostgreSQL", "Valkey", "simulators")


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of a run, µs of CPU per payment: then and now.

    `noise` is how far the rounds of the two runs lie apart, as a share of the mean: the larger of the two.  None where
    there was one round only: then nothing says how much of a difference is the machine's.
    """

    run: str
    process: str
    before_us: float
    now_us: float
    noise: float | None = None

    @property
    def difference(self) -> float:
        """As a share of what it was."""
        return self.now_us / self.before_us - 1

    @property
    def is_beyond_noise(self) -> bool | None:
        """Whether the difference is larger than what rounds of one run differ by."""
        return None if self.noise is None else abs(self.difference) > self.noise


def changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Change]:
    """Every run that both documents have: the server that was measured, as it is and in yardsticks, and what stands
    behind it.

    Runs of the gateway with other numbers of open requests are not the same; the baseline's is its best one.
    """
    found = []
    no_op = _us(now, YARDSTICK), _us(before, YARDSTICK)
    for name, run in now["runs"].items():
        earlier = before["runs"].get(name)
        if earlier is None or not _us(before, name) or not _is_alike(name, run, earlier):
            continue
        noise = _noise(run, earlier)
        found.append(Change(name, "server", _us(before, name), _us(now, name), noise))
        if all(no_op) and name != YARDSTICK:
            # in units of this run's yardstick, so that a slower machine does not look like slower code
            scaled_us = _us(before, name) * no_op[0] / no_op[1]
            found.append(Change(name, "server ÷ no-op", scaled_us, _us(now, name), noise))
        then, since = earlier["cpu_us_per_payment"], run["cpu_us_per_payment"]
        found += [Change(name, each, then[each], since[each]) for each in _BEHIND if then.get(each) and since.get(each)]
    return found


def changes_table(found: Sequence[Change], before: Mapping[str, Any]) -> Table:
    """What became dearer or cheaper."""
    table = Table(title=f"Against the run of {before['time']}, µs of CPU per payment", title_justify="left")
    for column in ("run", "process"):
        table.add_column(column)
    for column in ("before", "now", "difference", "noise", "beyond it"):
        table.add_column(column, justify="right")
    for each in found:
        table.add_row(
            each.run, each.process, f"{each.before_us:,.0f}", f"{each.now_us:,.0f}", f"{each.difference:+.1%}",
            "" if each.noise is None else f"{each.noise:.1%}",
            {None: "", True: "yes", False: "no"}[each.is_beyond_noise],
        )  # fmt: skip
    return table


def _is_alike(name: str, run: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    return name.startswith(BASELINE) or run.get("open_requests") == earlier.get("open_requests")


def _us(document: Mapping[str, Any], name: str) -> float:
    """µs of CPU per payment of the server that was measured; 0 where it was not."""
    used: Mapping[str, float] = document["runs"].get(name, {}).get("cpu_us_per_payment", {})
    return sum(us for process, us in used.items() if process in SERVERS)


def _noise(run: Mapping[str, Any], earlier: Mapping[str, Any]) -> float | None:
    spreads = [_spread(each.get("server_us_rounds", [])) for each in (run, earlier)]
    known = [each for each in spreads if each is not None]
    return max(known) if known else None


def _spread(rounds: Sequence[float]) -> float | None:
    return (max(rounds) - min(rounds)) / fmean(rounds) if len(rounds) > 1 else None
