"""A Prometheus of our own: k8s/monitoring/prometheus.yaml with other addresses, and the questions that it is asked."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from gateway.processes.sockets import listen, port_of
from loadtests.ending import end_session, start_tethered
from loadtests.monitoring.sources import FOLDER

SCRAPE_S: Final = 2
_START_S: Final = 60.0
_STOP_S: Final = 20.0
_POLL_S: Final = 0.2


class PrometheusTrouble(Exception):
    """It is not installed, does not come up, or refuses a query."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series of an answer: its labels, and moments (Unix time) with values."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def finite(self) -> list[tuple[float, float]]:
        """Those points that are numbers."""
        return [(at, value) for at, value in self.points if math.isfinite(value)]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that answers at `url`."""

    url: str

    def over(self, expression: str, from_s: float, to_s: float) -> list[Line]:
        """An expression's values between two moments, every two seconds.  Raises PrometheusTrouble."""
        data = self._ask("query_range", query=expression, start=from_s, end=to_s, step=SCRAPE_S)
        return [Line(each["metric"], _points(each["values"])) for each in data["result"]]

    def at(self, expression: str, moment_s: float) -> list[Line]:
        """An expression's values at a moment.  Raises PrometheusTrouble."""
        data = self._ask("query", query=expression, time=moment_s)
        return [Line(each["metric"], _points([each["value"]])) for each in data["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule as Prometheus sees it, with its health and, of an alert, its state."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def targets_up(self) -> bool:
        """Whether every target was scraped well when it was last tried."""
        targets = self._ask("targets")["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)

    def _ask(self, what: str, **parameters: Any) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{what}", params=parameters, trust_env=False, timeout=60)
        body = answer.json()
        if body["status"] != "success":
            raise PrometheusTrouble(f"{body['error']}: {parameters}")
        return body["data"]


@contextmanager
def running_prometheus(targets: Mapping[str, Sequence[str]], folder: Path) -> Iterator[Prometheus]:
    """One that scrapes these addresses, by job.  Raises PrometheusTrouble."""
    binary = shutil.which("prometheus")
    if binary is None:
        raise PrometheusTrouble("prometheus is not installed (apt install prometheus)")
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump(configuration(targets)), encoding="utf-8")
    listener = listen(0)
    port = port_of(listener)
    listener.close()
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = start_tethered(
            [
                binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
            ],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        found = Prometheus(f"http://127.0.0.1:{port}")
        _await_ready(found, process, log)
        yield found
    finally:
        end_session(process, _STOP_S)


def configuration(targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The committed configuration with these addresses in its jobs, and scrapes that come quickly."""
    config: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    config["global"] |= {
        "scrape_interval": f"{SCRAPE_S}s",
        "scrape_timeout": f"{SCRAPE_S}s",
        "evaluation_interval": "5s",
    }
    config["rule_files"] = [str(FOLDER / pattern) for pattern in config["rule_files"]]
    config["scrape_configs"] = [
        {"job_name": job["job_name"], "static_configs": [{"targets": list(targets[job["job_name"]])}]}
        for job in config["scrape_configs"]
    ]
    return config


def _points(pairs: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in pairs]


def _await_ready(prometheus: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{prometheus.url}/-/ready", trust_env=False).status_code == 200 and prometheus.targets_up():
                return
        except httpx.TransportError:
            pass
        time.sleep(_POLL_S)
    raise PrometheusTrouble(f"Prometheus did not come up, or a target does not answer:\n{log.read_text()[-3000:]}")
