"""The plan grows with what is asked, keeps to its assumptions, and names what is full first."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from loadtests.capacity.assumptions import Assumptions, reasons
from loadtests.capacity.calibrating import calibrate
from loadtests.capacity.costs import Linear, Role
from loadtests.capacity.plan import Scale, plan_all, play_processes
from tests.support.capacity import MEASURED

ASSUMED = Assumptions()
COSTS = calibrate(MEASURED)


@pytest.fixture(scope="module")
def scales() -> list[Scale]:
    return plan_all(MEASURED, COSTS, ASSUMED)


def test_more_payments_need_no_less_of_anything(scales: list[Scale]) -> None:
    for smaller, larger in pairwise(scales):
        assert larger.cells >= smaller.cells
        assert larger.gateway_processes > smaller.gateway_processes
        assert larger.valkey_shards >= smaller.valkey_shards
        assert larger.disk_gb_per_day > smaller.disk_gb_per_day


def test_two_of_three_zones_carry_the_peak(scales: list[Scale]) -> None:
    for scale in scales:
        per_zone = scale.gateway_processes / scale.cells / ASSUMED.zones
        assert per_zone == int(per_zone)
        assert per_zone * (ASSUMED.zones - 1) >= scale.cell.gateways


def test_cells_carry_the_whole_and_none_more_than_anybody_has_measured(scales: list[Scale]) -> None:
    for scale in scales:
        assert scale.cells * scale.cell.per_second == pytest.approx(scale.per_second)
        assert scale.cell.per_second <= ASSUMED.cell_per_second_max


def test_a_gateway_process_is_about_as_busy_as_it_may_be(scales: list[Scale]) -> None:
    for scale in scales:
        use = scale.cell.per_second * scale.cell.gateway_us / 1e6 / scale.cell.gateways
        assert 0.4 < use < ASSUMED.gateway_use_max * 1.1


def test_a_dear_statement_makes_the_writer_the_bottleneck_and_the_cells_small(scales: list[Scale]) -> None:
    dear = replace(COSTS, by_role={**COSTS.by_role, Role.POSTGRESQL: Linear(0.004, 0.001)})
    found = plan_all(MEASURED, dear, ASSUMED)[-1]
    assert found.bottleneck.name == "the writer's cores"
    assert found.cells > scales[-1].cells


def test_where_everything_is_cheap_the_cap_on_a_writer_is_full_first(scales: list[Scale]) -> None:
    assert scales[-1].bottleneck.name == "one writer, as far as anybody knows"
    assert scales[-1].bottleneck.use == pytest.approx(1.0)


def test_disks_follow_from_bytes_retention_and_copies(scales: list[Scale]) -> None:
    a_day = 10_000 / 20 * 86_400 * 7_000 * 1.3 / 1e9
    ten_thousand = scales[2]
    assert ten_thousand.disk_gb_per_day == pytest.approx(a_day)
    assert ten_thousand.disk_tb_kept == pytest.approx(a_day * 396 * 3 / 1000)


def test_a_busier_process_and_one_that_always_waits_make_larger_batches_and_cheaper_payments() -> None:
    *own, patient = play_processes(COSTS, ASSUMED)
    calm, planned, *_, busy = own
    assert busy.batch_rows > calm.batch_rows
    assert busy.database_us < calm.database_us
    assert patient.use == planned.use
    assert patient.batch_rows > planned.batch_rows
    assert patient.database_us < planned.database_us


def test_every_assumption_has_its_reason() -> None:
    told = list(reasons(ASSUMED))
    assert all(why.endswith(".") for _, _, why in told)
    assert ("zones", 3) in [(name, value) for name, value, _ in told]
