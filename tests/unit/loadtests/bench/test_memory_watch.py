"""Memory beside a long measurement: what is read of whom, and what counts as flat (P9)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
import pytest

from loadtests.bench.measure import Measurement
from loadtests.bench.memory import memory_document, memory_page
from loadtests.bench.memory_watch import Held, MemoryWatch, Reading, held_by, memory_verdicts, watched
from loadtests.bench.outcome import Verdict
from loadtests.traffic.samples import Figures

EVERY_S = 15
HOUR = range(0, 3_601, EVERY_S)


def held(name: str, *, climb_mib_per_h: float = 0.0, first_mib: float = 140.0, warm_up_mib: float = 0.0) -> Held:
    """An hour's readings: caches fill for eight minutes, and it climbs all the while."""
    points = [(float(at), first_mib + warm_up_mib * min(at, 480) / 480 + climb_mib_per_h * at / 3_600) for at in HOUR]
    return Held(name, points)


def verdicts(found: Sequence[Held], *, as_asked: bool = True) -> dict[str, Verdict]:
    return {each.what: each for each in memory_verdicts(found, as_asked=as_asked)}


@pytest.mark.parametrize(("climb_mib_per_h", "met"), [(0.0, True), (4.9, True), (5.1, False)])
@pytest.mark.parametrize("name", ["gateway", "gateway 2", "worker"])
def test_five_mib_an_hour_is_flat_and_more_is_not(name: str, climb_mib_per_h: float, met: bool) -> None:
    judged = verdicts([held(name, climb_mib_per_h=climb_mib_per_h)])
    climbs = judged[f"{name}: climbs after the first ten minutes"]
    assert climbs.measured == pytest.approx(climb_mib_per_h)
    assert climbs.met is met


def test_what_fills_in_the_first_ten_minutes_is_no_climb() -> None:
    found = held("gateway", warm_up_mib=60.0)
    assert found.climb_mib_per_h() == pytest.approx(0.0)
    assert found.climb_mib_per_h(0.0) > 5  # type: ignore[operator]


@pytest.mark.parametrize(("first_mib", "met"), [(250.0, True), (250.5, False)])
def test_a_gateway_takes_250_mib_at_most(first_mib: float, met: bool) -> None:
    assert verdicts([held("gateway", first_mib=first_mib)])["gateway: highest"].met is met


def test_stores_and_simulators_are_shown_and_not_judged() -> None:
    found = [held("PostgreSQL", climb_mib_per_h=80.0), held("simulators", climb_mib_per_h=300.0)]
    assert {each.met for each in memory_verdicts(found, as_asked=True)} == {None}


def test_less_than_an_hour_is_not_judged() -> None:
    assert {each.met for each in verdicts([held("gateway")], as_asked=False).values()} == {None}
    short = Held("gateway", [(0.0, 140.0), (15.0, 141.0)])
    assert short.climb_mib_per_h() is None
    assert list(verdicts([short])) == ["gateway: highest"]


def test_a_process_that_ended_is_not_judged() -> None:
    """What stands there after it is another one's, which has just started."""
    gone = held("gateway")
    ended = Held("gateway", [*gone.points[:-1], (3_600.0, 0.0)])
    assert ended.has_ended
    assert not gone.has_ended
    assert {each.met for each in memory_verdicts([ended], as_asked=True)} == {None}


def test_each_gateway_and_worker_has_a_line_of_its_own_and_the_others_one_together() -> None:
    assert watched({"gateway": [1, 2], "worker": [3], "simulators": [4, 5]}) == {
        "gateway 1": [1],
        "gateway 2": [2],
        "worker": [3],
        "simulators": [4, 5],
    }


def test_a_process_is_read_until_it_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    told, twice, after = [], threading.Event(), threading.Event()

    def tell(reading: Reading) -> None:
        told.append(reading)
        twice.set() if len(told) == 2 else None
        after.set() if reading.mib["worker"] == 0 else None

    with MemoryWatch({"gateway": [os.getpid()], "worker": [child.pid]}, 0.01, tell) as watch:
        assert twice.wait(30)
        child.communicate(b"\n")
        assert after.wait(30)
    assert watch.readings == told
    gateway, worker = held_by(watch.readings)
    assert (gateway.name, worker.name) == ("gateway", "worker")
    assert not gateway.has_ended
    assert worker.has_ended
    assert 10 < gateway.points[0][1] < 4_000
    assert worker.points[0][1] > 1
    assert [at for at, _ in gateway.points] == sorted(at for at, _ in gateway.points)


def test_document_and_picture_have_every_process() -> None:
    found = [held("gateway", climb_mib_per_h=3.0), held("worker", first_mib=80.0)]
    measured = Measurement(Figures(3_600.0, 360_000, {}, []), {"gateway": 1}, 0)
    judged = memory_verdicts(found, as_asked=True)
    document = orjson.loads(orjson.dumps(memory_document(measured, found, judged, datetime.now(UTC), {})))
    assert len(document["processes"]["gateway"]["s_and_mib"]) == len(HOUR)
    assert document["processes"]["gateway"]["climb_mib_per_h_last_half"] == pytest.approx(3.0)
    assert [each["met"] for each in document["targets"]] == [True, True, True]
    drawn = memory_page(document)
    assert drawn.count("<title>gateway: ") == drawn.count("<title>worker: ") == 61
    for label in (">0<", ">10<", ">20<", ">60<"):
        assert label in drawn
