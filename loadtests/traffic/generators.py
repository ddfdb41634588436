"""The load of one measurement, and the two generators that can make it: our own and wrk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from loadtests.traffic.orders import MIX, spread

GeneratorName = Literal["builtin", "wrk"]
PAST_THE_END_S: Final = 0.3
"""The generator goes on so long after the window's end, so that the window sees full load from end to end."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, where to and for how long; `warm_up_s` comes before `seconds` and is not counted.

    Without a rate `open_requests` are open at once; with one, requests arrive at random moments, so many a second, and
    `open_requests` is the most that are open.
    """

    url: str
    key: str
    wallet: str
    open_requests: int
    seconds: float
    warm_up_s: float
    client_log: Path | None = None
    generator: GeneratorName = "builtin"
    rate_per_s: float | None = None
    keys: Path | None = None
    """Many merchants' keys, a line each, instead of one: few of them send most (Zipf)."""

    @property
    def wallets(self) -> list[str]:
        """The wallets of the payments in turn."""
        return spread(MIX) if self.wallet == "mix" else [self.wallet]


def start_generator(load: Load, run_number: int, samples: Path) -> subprocess.Popen[bytes]:
    """Start the generator; it ends by itself and leaves its samples in the file.

    wrk writes no client's book and knows no arrivals.  Raises FileNotFoundError where wrk is asked for and not there.
    """
    if load.generator == "wrk" and load.rate_per_s is None:
        return _start_wrk(load, run_number, samples)
    command = [
        sys.executable, "-m", "loadtests.traffic.generator",
        "--url", load.url, "--key", load.key, "--wallet", load.wallet,
        "--open", str(load.open_requests), "--seconds", str(load.warm_up_s + load.seconds + PAST_THE_END_S),
        "--run", str(run_number), "--samples", str(samples),
    ]  # fmt: skip
    if load.keys is not None:
        command += ["--keys", str(load.keys)]
    if load.rate_per_s is not None:
        command += ["--rate", str(load.rate_per_s)]
    if load.client_log is not None:
        command += ["--client-log", str(load.client_log)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _start_wrk(load: Load, run_number: int, samples: Path) -> subprocess.Popen[bytes]:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise FileNotFoundError("wrk is not on PATH; use --generator builtin")
    # wrk counts whole seconds
    seconds = int(load.warm_up_s + load.seconds + PAST_THE_END_S) + 1
    script = str(files("loadtests.traffic") / "payments.lua")
    environment = {
        **os.environ,
        "BENCH_KEY": load.key,
        "BENCH_WALLETS": ",".join(load.wallets),
        "BENCH_RUN": f"{run_number:07d}",
        "BENCH_SAMPLES": str(samples),
    }
    return subprocess.Popen(
        [
            wrk,
            "-t",
            "1",
            "-c",
            str(load.open_requests),
            "-d",
            f"{seconds}s",
            "--timeout",
            "30s",
            "-s",
            script,
            load.url,
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
