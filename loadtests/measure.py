"""One measurement: load on one server, and the CPU that every process used for it between two moments."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loadtests.orders import new_run_number
from loadtests.processes import cpu_us
from loadtests.samples import Figures, figures_of, read_samples

GENERATOR: Final = "generator"
_DRAIN_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, where to and for how long; `warm_up_s` comes before `seconds` and is not counted."""

    url: str
    key: str
    wallet: str
    open_requests: int
    seconds: float
    warm_up_s: float
    client_log: Path | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures of the counted window, and µs of CPU that each group of processes used in it."""

    figures: Figures
    cpu_us: dict[str, int] = field(default_factory=dict)

    @property
    def cpu_us_per_payment(self) -> dict[str, float]:
        """µs of CPU of each group per completed payment."""
        return {name: used / max(self.figures.completed, 1) for name, used in self.cpu_us.items()}

    def __add__(self, other: Measurement) -> Measurement:
        return Measurement(self.figures + other.figures, {name: used + other.cpu_us[name] for name, used in self.cpu_us.items()})


_run_numbers = iter(range(new_run_number(), 10_000_000_000))


def measure(load: Load, groups: Mapping[str, list[int]], at_half_time: Callable[[], None] | None = None) -> Measurement:
    """Run the generator, and read the processes' CPU when the warm-up is over and again `seconds` later.

    The generator goes on a moment past the second reading, so that the window sees full load from end to end.
    """
    with tempfile.TemporaryDirectory(prefix="mashang-samples-") as folder:
        samples_file = Path(folder) / "samples.json"
        began_s = time.monotonic()
        generator = subprocess.Popen(_command(load, samples_file), stdout=subprocess.DEVNULL)
        try:
            watched = {**groups, GENERATOR: [generator.pid]}
            _sleep_until(began_s + load.warm_up_s)
            from_s, before = time.monotonic(), cpu_us(watched)
            if at_half_time is not None:
                _sleep_until(from_s + load.seconds / 2)
                at_half_time()
            _sleep_until(from_s + load.seconds)
            to_s, after = time.monotonic(), cpu_us(watched)
            if generator.wait(_DRAIN_S) != 0:
                raise RuntimeError("the generator failed")
        finally:
            generator.kill()
            generator.wait()
        figures = figures_of(read_samples(samples_file), from_s, to_s)
    return Measurement(figures, {name: after[name] - before[name] for name in watched})


def _command(load: Load, samples: Path) -> list[str]:
    command = [
        sys.executable, "-m", "loadtests.generator", "--url", load.url, "--key", load.key, "--wallet", load.wallet,
        "--open", str(load.open_requests), "--seconds", str(load.warm_up_s + load.seconds + 0.3),
        "--run", str(next(_run_numbers) % 10_000_000), "--samples", str(samples),
    ]  # fmt: skip
    return command if load.client_log is None else [*command, "--client-log", str(load.client_log)]


def _sleep_until(moment_s: float) -> None:
    time.sleep(max(0.0, moment_s - time.monotonic()))
