"""The benchmark's JSON document: everything in the report, and what it was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson

from gateway.devstack.ready import ReadyFile
from loadtests.bench.outcome import Outcome, Run, Verdict, verdicts

_PACKAGES: Final = ("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "asyncpg", "redis", "hiredis", "aiohttp",
                    "httpx", "cryptography", "orjson", "prometheus-client")  # fmt: skip


def make_document(
    outcome: Outcome, options: Mapping[str, object], at: datetime, stores: Mapping[str, str]
) -> dict[str, Any]:
    """The document; `stores` are the versions of PostgreSQL and the like."""
    return {
        **about(at, stores),
        "options": dict(options),
        "signatures": [asdict(cost) for cost in outcome.signatures],
        "discounts": [{"us": cost.us, "promoted": cost.promoted} for cost in outcome.discounts],
        "runs": {name: _run(run, outcome, name) for name, run in outcome.runs.items()},
        "scans": {
            transport: {str(number): _run(run, outcome, "") for number, run in scan.items()}
            for transport, scan in outcome.scans.items()
        },
        "targets": verdict_rows(verdicts(outcome)),
        "audit": None if outcome.audit is None else {**outcome.audit.to_json(), "passed": outcome.is_audited},
    }


def about(at: datetime, stores: Mapping[str, str] | None = None) -> dict[str, Any]:
    """When and on what something was measured."""
    return {
        "time": at.isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
            **(stores or {}),
        },
        "revision": revision(),
    }


def stamp(at: datetime) -> str:
    """The moment as file names have it."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def newest(folder: Path, kind: str, chosen: Path | None = None, **alike: object) -> dict[str, Any] | None:
    """The chosen document, or the newest one of that kind in the folder that was made with these options, or None."""
    if chosen is not None:
        return read(chosen)
    found = map(read, sorted(folder.glob(f"{kind}-2*.json"), reverse=True))
    return next((each for each in found if alike.items() <= each["options"].items()), None)


def verdict_rows(judged: Iterable[Verdict]) -> list[dict[str, Any]]:
    """The targets as a document has them."""
    return [
        {
            "target": verdict.target,
            "what": verdict.what,
            "measured": verdict.measured,
            "asked": verdict.asked,
            "at_most": verdict.at_most,
            "unit": verdict.unit,
            "met": verdict.met,
        }
        for verdict in judged
    ]


def write(folder: Path, kind: str, document: Mapping[str, Any], at: datetime) -> Path:
    """Write a document under its kind and the moment's name; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}-{stamp(at)}.json"
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def read_previous(folder: Path, *, quick: bool) -> dict[str, Any] | None:
    """The newest document of the folder that came of a run as quick as this one, or None."""
    return newest(folder, "bench", quick=quick)


def read(path: Path) -> dict[str, Any]:
    """One document."""
    document: dict[str, Any] = orjson.loads(path.read_bytes())
    return document


async def store_versions(ready: ReadyFile) -> dict[str, str]:
    """The version of PostgreSQL."""
    connection = await asyncpg.connect(ready.database_url)
    try:
        return {"postgresql": str(await connection.fetchval("SHOW server_version"))}
    finally:
        await connection.close()


def _run(run: Run, outcome: Outcome, name: str) -> dict[str, Any]:
    measured, figures = run.measurement, run.measurement.figures
    return {
        "seconds": figures.seconds,
        "completed": figures.completed,
        "per_second": figures.per_second,
        "errors": figures.errors,
        "refused": figures.refused,
        "declined": figures.declined,
        "latency_ms": {f"p{percent}": figures.percentile_ms(percent) for percent in (50, 90, 99)},
        "cpu_us_per_payment": measured.cpu_us_per_payment,
        "server_us": run.server_us,
        "server_us_rounds": outcome.rounds_us.get(name, []),
        "system_us_per_payment": {name: used / max(figures.completed, 1) for name, used in measured.system_us.items()},
        "cpu_us_per_payment_all": measured.cpu_us_per_payment_all,
        "ratio_to_no_op": outcome.ratio(name),
        "ratio_to_no_op_without_signatures": outcome.ratio(name, without_signatures=True),
        "utilisation": measured.utilisation,
        "others_share": measured.others_share,
        "open_requests": run.open_requests,
        "batch_rows_mean": run.batches,
        "signed_calls_per_payment": run.signed_calls,
        "signatures_per_payment": {**asdict(run.signing), "per_call": run.signing.per_call, "us": outcome.rsa_us(run)},
        "risk_decisions_per_payment": run.screened,
        "risk_decisions_without_features": run.missed_share,
        "memory_mib": None if run.memory is None else {"rss": run.memory.rss_mib, "pss": run.memory.pss_mib},
    }


def machine() -> dict[str, Any]:
    """The processor, its cores, the kernel, and how busy it was over the last minutes."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_average": list(os.getloadavg()),
    }


def revision() -> dict[str, Any] | None:
    """The commit that was measured, and whether files differed from it; None outside a checkout."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit.stdout.strip(), "changed_files": len(changed.stdout.splitlines())}


def revision_in_words(told: Mapping[str, Any] | None) -> str:
    """The commit in short, and whether it is all that was measured."""
    if told is None:
        return "of no checkout"
    changed = told["changed_files"]
    return f"{told['commit'][:7]}" + (f" and {changed} changed file(s)" if changed else "")
