"""One measurement: load on one server, and the CPU that every process used for it between two moments."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from loadtests.processes import cpu_split_us, machine_busy_us
from loadtests.traffic.generators import Load, start_generator
from loadtests.traffic.orders import new_run_number
from loadtests.traffic.samples import Figures, figures_of, read_samples

GENERATOR: Final = "generator"
CORES: Final = os.cpu_count() or 1
_DRAIN_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures of the counted window, µs of CPU that each group of processes used in it, and that others used."""

    figures: Figures
    cpu_us: dict[str, int]
    others_cpu_us: int
    system_us: dict[str, int] = field(default_factory=dict)
    """What of `cpu_us` was used in the kernel."""

    @property
    def cpu_us_per_payment(self) -> dict[str, float]:
        """µs of CPU of each group per completed payment."""
        return {name: used / max(self.figures.completed, 1) for name, used in self.cpu_us.items()}

    @property
    def cpu_us_per_payment_all(self) -> float:
        """µs of CPU of all groups together per completed payment."""
        return sum(self.cpu_us_per_payment.values())

    @property
    def utilisation(self) -> float:
        """Payments/s against what all cores could do if they did nothing else."""
        return self.figures.per_second * self.cpu_us_per_payment_all / 1_000_000 / CORES

    @property
    def others_share(self) -> float:
        """The share of the machine that strangers' processes used meanwhile: what the throughput lacks through them."""
        return self.others_cpu_us / 1_000_000 / self.figures.seconds / CORES

    def __add__(self, other: Measurement) -> Measurement:
        cpu_us = {name: used + other.cpu_us[name] for name, used in self.cpu_us.items()}
        system_us = {name: used + other.system_us.get(name, 0) for name, used in self.system_us.items()}
        return Measurement(self.figures + other.figures, cpu_us, self.others_cpu_us + other.others_cpu_us, system_us)


_run_numbers = count(new_run_number())


def measure(load: Load, groups: Mapping[str, list[int]], when_warm: Callable[[], object] | None = None) -> Measurement:
    """Run the generator, and read the processes' CPU when the warm-up is over and again `seconds` later.

    The generator goes on a moment past the second reading, so that the window sees full load from end to end.
    `when_warm` is called as the window begins.
    """
    with tempfile.TemporaryDirectory(prefix="mashang-samples-") as folder:
        samples_file = Path(folder) / "samples"
        began_s = time.monotonic()
        generator = start_generator(load, next(_run_numbers) % 10_000_000, samples_file)
        try:
            watched = {**groups, GENERATOR: [generator.pid]}
            _sleep_until(began_s + load.warm_up_s)
            from_s, before, busy_before_us = time.monotonic(), cpu_split_us(watched), machine_busy_us()
            if when_warm is not None:
                when_warm()
            _sleep_until(from_s + load.seconds)
            to_s, after, busy_after_us = time.monotonic(), cpu_split_us(watched), machine_busy_us()
            if generator.wait(_DRAIN_S) != 0:
                raise RuntimeError("the generator failed")
        finally:
            generator.kill()
            generator.wait()
        figures = figures_of(read_samples(samples_file), from_s, to_s)
    used = {name: sum(after[name]) - sum(before[name]) for name in watched}
    system = {name: after[name].system_us - before[name].system_us for name in watched}
    return Measurement(figures, used, max(0, busy_after_us - busy_before_us - sum(used.values())), system)


def _sleep_until(moment_s: float) -> None:
    time.sleep(max(0.0, moment_s - time.monotonic()))
