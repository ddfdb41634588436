"""A node in virtual time: the same seed plays the same, nothing is lost, and sums come out as they must."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.capacity.costs import INTENT, OUTCOME, PIPELINE, Costs, Linear, Role
from loadtests.capacity.node import Arrivals, Layout, Node, Played

US = 1e-6
COSTS = Costs(
    by_role={
        Role.GATEWAY: Linear(700 * US, 120 * US, 30 * US),
        Role.POSTGRESQL: Linear(100 * US, 400 * US),
        Role.VALKEY: Linear(60 * US, 60 * US),
        Role.WORKER: Linear(40 * US),
        Role.SIMULATORS: Linear(500 * US, 0.0, 50 * US),
        Role.GENERATOR: Linear(40 * US),
    },
    gateway_pipeline_s=60 * US,
    statements={"history": 0.9, INTENT: 1.0, OUTCOME: 1.0},
    commands=2.5,
    commit_s=0.001,
    idle_share={Role.WORKER: 0.01},
)
SHARED = Layout(shared_cores=2)


def play(layout: Layout, arrivals: Arrivals, *, seed: int = 1, seconds: float = 2.0) -> Played:
    return Node(COSTS, layout, seed).play(arrivals, seconds, 1.0)


def test_the_same_seed_plays_the_same_and_another_one_does_not() -> None:
    arrivals = Arrivals(open_requests=32)
    first, again, other = (play(SHARED, arrivals, seed=seed, seconds=1.0) for seed in (5, 5, 6))
    assert (first.latencies_s, first.cpu_s) == (again.latencies_s, again.cpu_s)
    assert first.latencies_s != other.latencies_s


def test_a_lone_payment_takes_the_channels_time_and_its_own_work_and_two_commits() -> None:
    played = play(SHARED, Arrivals(open_requests=1), seconds=15.0)
    work_us = sum(played.cpu_us(role) for role in (Role.GATEWAY, Role.POSTGRESQL, Role.VALKEY, Role.SIMULATORS))
    assert fmean(played.latencies_s) == pytest.approx(0.075 + 2 * 0.001 + work_us * US, rel=0.03)
    assert played.rows_mean(INTENT) == 1.0


def test_what_is_flooded_brings_what_the_core_can_do() -> None:
    played = play(Layout(shared_cores=1), Arrivals(open_requests=256))
    all_us = sum(played.cpu_us(role) for role in Role)
    assert played.per_second == pytest.approx(1e6 / all_us, rel=0.03)
    assert played.rows_mean(INTENT) > 8


def test_strangers_take_their_share() -> None:
    alone = play(Layout(shared_cores=1), Arrivals(open_requests=128))
    beside = play(Layout(shared_cores=1, strangers_share=0.5), Arrivals(open_requests=128))
    assert beside.per_second / alone.per_second == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("per_second", [50, 300])
def test_littles_law_holds(per_second: float) -> None:
    played = play(SHARED, Arrivals(per_second=per_second), seconds=8.0)
    assert played.per_second == pytest.approx(per_second, rel=0.15)
    assert played.in_flight_mean == pytest.approx(played.per_second * fmean(played.latencies_s), rel=0.03)


@pytest.mark.parametrize("shares", [(0.9, 0.04, 0.03, 0.03), (0.03, 0.9, 0.04, 0.03), (0.03, 0.03, 0.04, 0.9)])
@pytest.mark.parametrize("open_requests", [8, 128])
def test_how_a_payments_cpu_is_spread_over_its_phases_hardly_matters(
    shares: tuple[float, ...], open_requests: int
) -> None:
    ours = play(SHARED, Arrivals(open_requests=open_requests), seconds=1.5)
    theirs = Node(COSTS, SHARED, 1, shares).play(Arrivals(open_requests=open_requests), 1.5, 1.0)
    assert theirs.per_second == pytest.approx(ours.per_second, rel=0.15)


def test_processes_on_machines_of_their_own_share_only_the_stores() -> None:
    layout = Layout(gateways=4, database_cores=8, trip_s=0.0003)
    played = play(layout, Arrivals(per_second=1_000))
    assert played.per_second == pytest.approx(1_000, rel=0.05)
    assert played.percentile_ms(99) < 130
    # a batch of one process holds rows of that process only: four make smaller ones than one that takes it all
    alone = play(replace(layout, gateways=1), Arrivals(per_second=800))
    assert played.rows_mean(INTENT) < alone.rows_mean(INTENT)


def test_a_cluster_of_valkey_shares_the_commands_evenly_and_makes_smaller_pipelines() -> None:
    one = play(Layout(gateways=2), Arrivals(per_second=600))
    three = play(Layout(gateways=2, valkey_shards=3), Arrivals(per_second=600))
    assert three.tallies[PIPELINE].rows == pytest.approx(one.tallies[PIPELINE].rows, rel=0.1)
    assert three.rows_mean(PIPELINE) <= one.rows_mean(PIPELINE)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 100), st.integers(1, 4), st.integers(0, 1_000))
def test_no_processor_works_more_than_all_the_time_and_every_payment_has_one_intent_and_one_outcome(
    open_requests: int, cores: int, seed: int
) -> None:
    played = play(Layout(shared_cores=cores), Arrivals(open_requests=open_requests), seed=seed, seconds=0.6)
    assert sum(played.cpu_s.values()) <= cores * 0.6 * 1.05 + 0.01
    for name in (INTENT, OUTCOME):
        assert abs(played.tallies[name].rows - played.completed) <= open_requests
    assert all(took_s > 0.05 for took_s in played.latencies_s)
