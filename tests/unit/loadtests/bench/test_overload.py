"""Overload is judged by work for CPU time, and a refusal by what is left when all else is taken out (P8)."""

import pytest

from loadtests.bench.measure import CORES, Measurement
from loadtests.bench.outcome import Verdict
from loadtests.bench.overload import (
    PEAK,
    Overload,
    Refusing,
    name_of,
    offered_per_s,
    overload_verdicts,
    peak_of,
    per_cpu_second,
    was_offered,
)
from loadtests.traffic.samples import Figures


def turn(completed: int, *, used_us: int, refusals_ms: tuple[float, ...] = (), others_us: int = 0) -> Measurement:
    """Ten seconds; the generator used as much CPU as all others together."""
    figures = Figures(10.0, completed, {}, [80.0] * completed, {"HTTP 503": len(refusals_ms)}, list(refusals_ms))
    used = {"gateway": used_us // 2, "PostgreSQL": used_us // 2, "generator": used_us}
    return Measurement(figures, used, others_us)


def verdict(what: str, found: Overload) -> Verdict:
    return next(each for each in overload_verdicts(found) if what in each.what)


def found_with(at_three: Measurement) -> Overload:
    return Overload({PEAK: turn(1_000, used_us=2_000_000), name_of(1): turn(900, used_us=2_000_000),
                     name_of(3): at_three})  # fmt: skip


def test_the_generators_cpu_is_not_the_gateways_work() -> None:
    assert per_cpu_second(turn(1_000, used_us=2_000_000)) == pytest.approx(500)


@pytest.mark.parametrize(("completed", "met"), [(901, True), (899, False)])
def test_nine_tenths_of_the_peaks_work_is_asked_at_three_times_the_load(completed: int, met: bool) -> None:
    at_three = turn(completed, used_us=2_000_000, refusals_ms=(5.0,) * 2_000)
    assert verdict("3 × capacity: payments per CPU", found_with(at_three)).met is met


@pytest.mark.parametrize(("refused", "judged"), [(1_750, True), (1_600, False)])
def test_overload_that_the_generator_did_not_bring_is_not_judged(refused: int, judged: bool) -> None:
    found = found_with(turn(1_000, used_us=2_000_000, refusals_ms=(5.0,) * refused))
    assert offered_per_s(found, name_of(3)) == pytest.approx(300)
    assert was_offered(found, name_of(3)) is judged
    assert (verdict("3 × capacity: payments per CPU", found).met is not None) is judged
    assert offered_per_s(found, PEAK) is None


def test_the_peak_is_the_turn_that_completed_most_without_overload() -> None:
    turns = {PEAK: turn(1_000, used_us=1), name_of(1): turn(1_100, used_us=2), name_of(2): turn(1_200, used_us=3)}
    assert peak_of(turns) is turns[name_of(1)]


@pytest.mark.parametrize(("slow_ms", "others_us", "met"), [(49.0, 0, True), (51.0, 0, False), (51.0, 1, None)])
def test_a_refusal_is_to_come_within_50_ms(slow_ms: float, others_us: int, met: bool | None) -> None:
    refused = (5.0,) * 50 + (slow_ms,) * 50
    at_three = turn(950, used_us=2_000_000, refusals_ms=refused, others_us=others_us * 2_000_000 * CORES)
    assert verdict("3 × capacity: time to a refusal", found_with(at_three)).met is met


def test_without_a_refusal_its_time_is_not_judged() -> None:
    assert verdict("3 × capacity: time to a refusal", found_with(turn(950, used_us=2_000_000))).met is None


@pytest.mark.parametrize(("gateway_us", "met"), [(155_000, True), (165_000, False)])
def test_the_cost_of_a_refusal_is_what_payments_and_idling_leave(gateway_us: int, met: bool) -> None:
    figures = Figures(10.0, 10, {}, [80.0] * 10, {"HTTP 429": 2_000}, [1.0] * 2_000)
    measured = Measurement(figures, {"gateway": gateway_us, "generator": 9}, 0)
    refusing = Refusing(measured, idle_us_per_s=3_000, payment_us=1_000, no_op_us=100)
    found = found_with(turn(950, used_us=2_000_000))
    found.refusing = refusing
    assert refusing.refusal_us == pytest.approx((gateway_us - 30_000 - 10_000) / 2_000)
    assert verdict("CPU of a refusal (outermost", found).met is met
    assert verdict("CPU of a refusal ÷", found).measured == pytest.approx(refusing.refusal_us / 100)
