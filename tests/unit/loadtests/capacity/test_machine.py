"""The simulator held against what queueing theory knows exactly, so that its own figures can be believed."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import factorial
from statistics import fmean

import pytest

from loadtests.capacity.events import Simulation, Steps
from loadtests.capacity.machine import Cores, Disk, Process

JOBS = 20_000


def mean_time_s(
    work: Callable[[Simulation], Callable[[float], object]], rate: float, demand: Callable[[], float]
) -> float:
    """Poisson arrivals with that demand; how long one is there, on average."""
    simulation, draw, times = Simulation(), random.Random(7), list[float]()
    wait_of = work(simulation)

    def one() -> Steps:
        began_s = simulation.now_s
        yield wait_of(demand())  # type: ignore[misc]
        times.append(simulation.now_s - began_s)

    def arrive(left: int) -> None:
        simulation.start(one())
        if left:
            simulation.after(draw.expovariate(rate), lambda: arrive(left - 1))

    arrive(JOBS)
    simulation.run_until(10 * JOBS / rate)
    assert len(times) == JOBS + 1
    return fmean(times)


def in_line(simulation: Simulation) -> Callable[[float], object]:
    """First come, first served, on one processor."""
    return Process(Cores(simulation, 1)).work


def shared(cores: int) -> Callable[[Simulation], Callable[[float], object]]:
    """Everybody at once, on so many processors."""

    def begin(simulation: Simulation) -> Callable[[float], object]:
        machine = Cores(simulation, cores)
        return lambda seconds: lambda resume: machine.run(seconds, resume)

    return begin


def waiting_chance(cores: int, offered: float) -> float:
    """Erlang's C: that all of so many servers are busy when somebody comes (offered: arrivals × service time)."""
    busy = offered**cores / factorial(cores) * cores / (cores - offered)
    return busy / (sum(offered**k / factorial(k) for k in range(cores)) + busy)


@pytest.mark.parametrize("use", [0.3, 0.6, 0.8])
def test_one_line_with_random_service_is_m_m_1(use: float) -> None:
    draw = random.Random(1)
    assert mean_time_s(in_line, use, lambda: draw.expovariate(1.0)) == pytest.approx(1 / (1 - use), rel=0.06)


@pytest.mark.parametrize("use", [0.3, 0.6, 0.8])
def test_one_line_with_constant_service_is_m_d_1(use: float) -> None:
    expected = 1 + use / (2 * (1 - use))
    assert mean_time_s(in_line, use, lambda: 1.0) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("use", [0.3, 0.6, 0.8])
def test_a_shared_processor_does_not_care_how_service_is_spread(use: float) -> None:
    """M/G/1 with processor sharing: service ÷ (1 - use), for constant service as for any other."""
    assert mean_time_s(shared(1), use, lambda: 1.0) == pytest.approx(1 / (1 - use), rel=0.06)


@pytest.mark.parametrize(("cores", "use"), [(2, 0.5), (2, 0.8), (4, 0.7)])
def test_shared_processors_are_m_m_c(cores: int, use: float) -> None:
    """With random service as many are there as with c servers and one line, so each is there as long."""
    draw, offered = random.Random(1), cores * use
    expected = 1 + waiting_chance(cores, offered) / (cores - offered)
    assert mean_time_s(shared(cores), offered, lambda: draw.expovariate(1.0)) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("machines", [1, 4, 12])
def test_tills_that_come_back_are_the_machine_repairmans(machines: int) -> None:
    """N that think for a random Z and are then served at random: throughput μ (1 - p0)."""
    simulation, draw, served = Simulation(), random.Random(3), [0]
    think_s, service_s, seconds = 5.0, 1.0, 10_000.0
    repairman = Process(Cores(simulation, 1))

    def machine() -> Steps:
        while True:
            yield simulation.pause(draw.expovariate(1 / think_s))
            yield repairman.work(draw.expovariate(1 / service_s))
            served[0] += 1

    for _ in range(machines):
        simulation.start(machine())
    simulation.run_until(seconds)
    weights = [factorial(machines) / factorial(machines - k) * (service_s / think_s) ** k for k in range(machines + 1)]
    assert served[0] / seconds == pytest.approx((1 - weights[0] / sum(weights)) / service_s, rel=0.03)


def test_nobody_uses_more_than_one_processor_and_all_together_no_more_than_there_are() -> None:
    simulation, ended = Simulation(), list[float]()
    machine = Cores(simulation, 2)
    for _ in range(3):
        machine.run(1.0, lambda: ended.append(simulation.now_s))
    machine.run(0.1, lambda: ended.append(simulation.now_s))
    simulation.run_until(10)
    # four share two until the short one has its tenth, then three share two
    assert ended == pytest.approx([0.2, 1.55, 1.55, 1.55])


def test_a_process_that_sleeps_pays_for_being_woken_and_a_busy_one_does_not() -> None:
    simulation, ended = Simulation(), list[float]()
    process = Process(Cores(simulation, 1), wake_s=0.5)
    for _ in range(3):
        process.do(1.0, lambda: ended.append(simulation.now_s))
    simulation.run_until(10)
    process.do(1.0, lambda: ended.append(simulation.now_s))
    simulation.run_until(20)
    assert ended == pytest.approx([1.5, 2.5, 3.5, 11.5])
    assert (process.wakes, process.used_s) == (2, pytest.approx(5.0))


def test_a_flush_covers_who_waited_when_it_began_and_later_ones_share_the_next() -> None:
    simulation, durable = Simulation(), list[tuple[str, float]]()
    disk = Disk(simulation, lambda: 1.0)

    def commit(name: str, at_s: float) -> None:
        simulation.after(at_s, lambda: disk.flush(lambda: durable.append((name, simulation.now_s))))

    for name, at_s in (("a", 0.0), ("b", 0.2), ("c", 0.9), ("d", 3.5)):
        commit(name, at_s)
    simulation.run_until(10)
    assert durable == [("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 4.5)]
    assert disk.flushes == 3


def test_what_is_due_at_the_same_moment_happens_in_the_order_in_which_it_was_set() -> None:
    simulation, happened = Simulation(), list[str]()
    for name in "abc":
        simulation.after(1.0, lambda name=name: happened.append(name))  # type: ignore[misc]
    simulation.after(0.5, lambda: happened.append("first"))
    simulation.run_until(1.0)
    assert happened == ["first", "a", "b", "c"]
    assert simulation.now_s == 1.0
