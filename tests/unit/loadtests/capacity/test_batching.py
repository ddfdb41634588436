"""Batches in virtual time keep the rules of the gateway's group commit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.capacity.batching import AlwaysLingering, BatchCost, Batches
from loadtests.capacity.events import Simulation
from loadtests.capacity.machine import Cores, Disk, Process

COST = BatchCost(gateway_s=0.001, batch_s=0.004, row_s=0.001)


class Played:
    """Rows that come at given moments, and when each was done."""

    def __init__(self, arrivals_s: list[float], **options: object) -> None:
        self.simulation = Simulation()
        self.store = Process(Cores(self.simulation, 1))
        self.batches = Batches(
            self.simulation, Process(Cores(self.simulation, 1)), self.store, COST, **options  # type: ignore[arg-type]
        )  # fmt: skip
        self.done: list[tuple[int, float]] = []
        for number, at_s in enumerate(arrivals_s):
            self.simulation.after(at_s, lambda number=number: self._come(number))  # type: ignore[misc]
        self.simulation.run_until(1_000)

    def _come(self, number: int) -> None:
        self.batches.put(lambda: self.done.append((number, self.simulation.now_s)))


def test_a_lone_row_leaves_at_once_and_alone() -> None:
    played = Played([0.0], linger_s_max=10.0)
    assert played.done == [(0, 0.006)]
    assert played.batches.tally.rows_mean == 1


def test_rows_that_come_while_a_batch_is_in_flight_leave_together() -> None:
    played = Played([0.0, 0.002, 0.003, 0.004])
    assert played.batches.tally.batches == 2
    # one at 6 ms, the three others 1 + 4 + 3 ms later
    assert [round(at_s, 6) for _, at_s in played.done] == [0.006, 0.014, 0.014, 0.014]


def test_under_load_batches_linger_by_the_gateways_own_policy() -> None:
    steady = [number * 0.002 for number in range(400)]
    at_once, lingering = Played(steady), Played(steady, linger_s_max=0.02)
    assert lingering.batches.tally.rows_mean > 1.5 * at_once.batches.tally.rows_mean


def test_where_few_come_nobody_lingers_but_who_always_does() -> None:
    rare = [number * 1.0 for number in range(20)]
    own, always = Played(rare, linger_s_max=0.02), Played(rare, linger_s_max=0.02, policy=AlwaysLingering)
    assert {round(at_s % 1, 6) for _, at_s in own.done} == {0.006}
    assert {round(at_s % 1, 6) for _, at_s in always.done} == {0.026}


def test_a_batch_that_is_full_does_not_linger_on() -> None:
    played = Played([0.0, 0.001, 0.002], linger_s_max=5.0, rows_max=3, policy=AlwaysLingering)
    assert played.batches.tally.batches == 1
    assert played.done[0][1] < 0.1


def test_a_commit_waits_for_its_flush_its_standby_and_the_way_there_and_back() -> None:
    simulation = Simulation()
    disk = Disk(simulation, lambda: 0.1)
    processes = [Process(Cores(simulation, 1)) for _ in range(2)]
    batches = Batches(simulation, *processes, COST, disk=disk, trip_s=1.0, standby_s=10.0)
    done: list[float] = []
    batches.put(lambda: done.append(round(simulation.now_s, 6)))
    simulation.run_until(100)
    assert done == [0.001 + 0.5 + 0.005 + 0.1 + 10.0 + 0.5]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 2, allow_nan=False), min_size=1, max_size=120),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.005]),
)
def test_every_row_is_done_once_in_order_and_no_batch_is_too_large(
    arrivals_s: list[float], rows_max: int, linger_s: float
) -> None:
    played = Played(sorted(arrivals_s), rows_max=rows_max, linger_s_max=linger_s)
    assert [number for number, _ in played.done] == list(range(len(arrivals_s)))
    tally = played.batches.tally
    assert tally.rows == len(arrivals_s)
    assert tally.rows_mean <= rows_max
    expected_s = tally.batches * COST.batch_s + tally.rows * COST.row_s
    assert abs(played.store.used_s - expected_s) < 1e-9
