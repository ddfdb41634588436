"""The files of a host's processes: dead ones' counters never go back, their gauges go, and restarts leave two files."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from gateway.kernel.hot_metrics import ROWS_MAX
from gateway.metrics.exposition import Exposition
from gateway.metrics.families import Family, text_of
from gateway.metrics.folder import VARIABLE, metric_files, of_worker, retire, settle
from gateway.metrics.merging import merged
from gateway.metrics.ranking import TOLD_MAX, Ranking
from tests.support.waiting import until

PROCESS = """
import os
from gateway.kernel.business_metrics import PAYMENTS_ENDED
from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.kernel.metrics import CHANNEL_SECONDS, IN_FLIGHT, RISK_HITS, UNRESOLVED
for _ in range(3):
    PAYMENTS_ENDED.labels("succeeded", "wechat", "wechat_direct", "").inc()
    CHANNEL_SECONDS.labels("wechat_direct", "pay").observe(0.2)
    RISK_HITS.count(("R_1", "live"))
IN_FLIGHT.set(2)
UNRESOLVED.set(7)
flush_hot_metrics()
print(os.getpid())
"""
STARTED = """
import os, shutil
from pathlib import Path
from gateway.metrics.folder import count_in, settle
folder = Path(os.environ.pop("FOLDER"))
for kind in ("counter", "histogram", "gauge_livesum"):
    shutil.copy(folder / "before" / f"{kind}.db", folder / f"{kind}_{os.getpid()}.db")
count_in(folder)
settle(folder)
"""
"""A container's process: the one before had the same number.  It starts as `mashang serve` and `mashang worker` do."""
SETTINGS = {
    "MASHANG_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "MASHANG_REDIS_URL": "redis://127.0.0.1:1/0",
    "MASHANG_MASTER_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "MASHANG_ADMIN_TOKEN": "token-of-at-least-24-letters",
}
ENDED = (("account", "wechat_direct"), ("failure", ""), ("status", "succeeded"), ("wallet", "wechat"))
CALLS = (("account", "wechat_direct"), ("call", "pay"))


def a_process(folder: Path) -> int:
    """Counts in the folder, and has ended; returns its number."""
    run = subprocess.run(
        [sys.executable, "-c", PROCESS],
        check=True,
        env=os.environ | {VARIABLE: str(folder)},
        timeout=60,
        stdout=subprocess.PIPE,
    )
    return int(run.stdout)


def samples(families: list[Family]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {sample: value for family in families for sample, value in family.samples.items()}


def told(folder: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return samples(merged(metric_files(folder)))


def test_one_scrape_sums_what_two_processes_observed_as_prometheus_client_does(tmp_path: Path) -> None:
    for _ in range(2):
        a_process(tmp_path)
    found = told(tmp_path)
    assert found["mashang_payments_ended_total", ENDED] == 6
    assert found["mashang_channel_call_seconds_count", CALLS] == 6
    assert found["mashang_channel_call_seconds_bucket", (*CALLS, ("le", "0.1"))] == 0
    assert found["mashang_channel_call_seconds_bucket", (*CALLS, ("le", "0.25"))] == 6
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(tmp_path))
    theirs = read(generate_latest(registry).decode())
    ours = read(text_of(merged(metric_files(tmp_path))).decode())
    assert {name for name in theirs if name not in ours} == set()
    assert ours == pytest.approx({name: theirs[name] for name in ours})


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_what_a_dead_process_counted_stays_and_its_gauges_go(tmp_path: Path) -> None:
    before = {}
    for deaths in range(1, 4):
        retire(tmp_path, a_process(tmp_path))
        found = told(tmp_path)
        assert found["mashang_payments_ended_total", ENDED] == 3 * deaths
        assert found["mashang_channel_call_seconds_count", CALLS] == 3 * deaths
        assert found["mashang_channel_call_seconds_sum", CALLS] == pytest.approx(0.6 * deaths)
        assert all(found[sample] >= value for sample, value in before.items())
        assert ("mashang_payments_in_flight", ()) not in found
        assert ("mashang_unresolved_payments", ()) not in found
        before = found
    assert {path.name for path in metric_files(tmp_path)} == {"counter_0.db", "histogram_0.db"}


def test_a_folder_in_which_nobody_lives_is_emptied(tmp_path: Path) -> None:
    a_process(tmp_path)
    (tmp_path / "ranking.json").write_text("{}")
    settle(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_where_somebody_lives_only_the_dead_are_added_up(tmp_path: Path) -> None:
    dead, living = a_process(tmp_path), tmp_path / f"gauge_livesum_{os.getppid()}.db"
    MmapedDict(str(living)).close()
    settle(tmp_path)
    names = {path.name for path in metric_files(tmp_path)}
    assert names == {"counter_0.db", "histogram_0.db", living.name}
    assert f"counter_{dead}.db" not in names
    assert told(tmp_path)["mashang_payments_ended_total", ENDED] == 3


def test_a_process_that_starts_beside_a_living_one_adds_up_the_dead_and_counts(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    dead = a_process(tmp_path)
    for kind in ("counter", "histogram", "gauge_livesum"):
        (tmp_path / f"{kind}_{dead}.db").rename(tmp_path / "before" / f"{kind}.db")
    a_process(tmp_path)
    MmapedDict(str(tmp_path / f"gauge_livesum_{os.getppid()}.db")).close()
    environment = os.environ | {"FOLDER": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", STARTED + PROCESS], check=True, env=environment, timeout=60, stdout=subprocess.PIPE
    )
    assert (tmp_path / f"counter_{int(run.stdout)}.db").exists()
    assert told(tmp_path)["mashang_payments_ended_total", ENDED] == 3 + 3 + 3
    assert told(tmp_path)["mashang_payments_in_flight", ()] == 2
    settle(tmp_path)
    assert told(tmp_path)["mashang_payments_ended_total", ENDED] == 3 + 3 + 3


def test_files_that_are_broken_or_not_begun_hide_nobody_elses_counts(tmp_path: Path) -> None:
    whole = tmp_path / f"counter_{a_process(tmp_path)}.db"
    (tmp_path / "counter_999998.db").write_bytes(whole.read_bytes()[:20])
    (tmp_path / "counter_999999.db").write_bytes(b"")
    assert told(tmp_path)["mashang_payments_ended_total", ENDED] == 3
    retire(tmp_path, 999_998)
    retire(tmp_path, 999_999)
    assert told(tmp_path)["mashang_payments_ended_total", ENDED] == 3


def test_on_a_full_disk_the_dead_are_not_added_up_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = a_process(tmp_path)

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        retire(tmp_path, dead)
    assert told(tmp_path)["mashang_payments_ended_total", ENDED] == 3
    (tmp_path / "ranking.new").mkdir()  # it cannot be written either
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    scraped = read(Exposition().made_now().decode())
    assert scraped["mashang_payments_ended_total", ENDED] == 3
    assert scraped["mashang_risk_rule_hits_total", (("mode", "live"), ("rule", "R_1"))] == 3


def test_a_worker_with_a_port_counts_apart(tmp_path: Path) -> None:
    assert of_worker(tmp_path, None) == tmp_path
    apart = of_worker(tmp_path, 8001)
    settle(apart)
    a_process(apart)
    assert apart.parent == tmp_path
    assert told(tmp_path) == {}


def test_the_dead_keep_no_more_names_than_one_process_and_no_series_goes_back(tmp_path: Path) -> None:
    name, before = "mashang_risk_rule_hits", {}
    ranking = Ranking(tmp_path)
    for death in range(3):
        path = tmp_path / "counter_999999.db"
        written = MmapedDict(str(path))
        for number in range(700):
            values = ["live", f"R_{number + 300 * death}"]
            key = mmap_key(name, f"{name}_total", ["mode", "rule"], values, "x")
            written.write_value(key, 10.0 + number, 0.0)
        written.close()
        retire(tmp_path, 999_999)
        families = merged(metric_files(tmp_path))
        rows = len(families[0].samples)
        ranking.apply(families, 1_000.0 + death)
        found = samples(families)
        assert rows <= ROWS_MAX + 1
        assert len(found) == TOLD_MAX + 1
        assert sum(found.values()) == sum(10.0 + number for number in range(700)) * (death + 1)
        assert all(found[sample] >= value for sample, value in before.items())
        before = found


def test_a_command_leaves_no_file_in_the_folder(tmp_path: Path) -> None:
    settings = SETTINGS | {"MASHANG_METRICS_DIR": str(tmp_path)}
    for line in (["settings"], ["migrate", "--status"], ["risk", "replay", "pay_none"]):
        command = [sys.executable, "-m", "gateway.cli", *line]
        subprocess.run(command, check=False, env=os.environ | settings, timeout=60, capture_output=True)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_is_started_again_beside_a_living_gateway_has_files_of_its_own(tmp_path: Path) -> None:
    a_process(tmp_path)
    MmapedDict(str(tmp_path / f"gauge_livesum_{os.getpid()}.db")).close()
    command = [sys.executable, "-m", "gateway.cli", "worker"]
    with subprocess.Popen(command, env=os.environ | SETTINGS | {"MASHANG_METRICS_DIR": str(tmp_path)}) as worker:
        try:  # there is no database, for which it waits
            asyncio.run(until((tmp_path / f"counter_{worker.pid}.db").exists))
        finally:
            worker.kill()
