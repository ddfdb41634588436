"""A curve is flat where its largest case costs at most 1.3 times the small one (P5)."""

from datetime import UTC, datetime

import orjson
import pytest

from loadtests.bench.curve import Curve, CurveName, curve_verdicts
from loadtests.bench.curve_points import SIZES
from loadtests.bench.curves import curves_document, curves_page, sizes_of
from loadtests.bench.measure import Measurement
from loadtests.traffic.samples import Figures


def turn(gateway_us: int, postgres_us: int = 200, errors: int = 0) -> Measurement:
    figures = Figures(10.0, 100, {"HTTP 500": errors} if errors else {}, [80.0] * 100)
    each = {"gateway": gateway_us, "PostgreSQL": postgres_us, "simulators": 5_000, "generator": 9_000}
    return Measurement(figures, {name: 100 * us for name, us in each.items()}, 0)


def curve(largest_us: int) -> Curve:
    rounds = {"0": [turn(700)], "100": [turn(790), turn(810)], "10,000": [turn(largest_us)]}
    return Curve(CurveName.CAMPAIGNS, rounds, small_case="100")


def test_simulators_and_generator_are_not_ours() -> None:
    assert curve(900).ours_us("100") == 1_000


@pytest.mark.parametrize(("largest_us", "met"), [(1_099, True), (1_101, False)])
def test_the_largest_case_is_held_against_the_small_one_and_not_against_none(largest_us: int, met: bool) -> None:
    judged = {each.what: each for each in curve_verdicts([curve(largest_us)])}
    assert judged["campaigns: 10,000 against 100, all processes"].met is met
    assert judged["campaigns: 10,000 against 100, gateway"].measured == pytest.approx(largest_us / 800)


def test_a_curve_without_a_small_case_is_shown_and_not_judged() -> None:
    shown = Curve(CurveName.CONCURRENCY, {"1": [turn(2_000)], "128": [turn(800)]})
    assert curve_verdicts([shown]) == []


def test_nothing_is_judged_by_smaller_sizes_or_another_load_than_is_asked_for() -> None:
    assert {each.met for each in curve_verdicts([curve(900)], as_asked=False)} == {None}


def test_a_small_case_in_which_much_went_wrong_judges_nothing() -> None:
    """What was completed seems dearer there, and so the largest case cheap."""
    found = curve(5_000)
    found.rounds["100"] = [turn(8_000, errors=50)]
    assert found.unsound == ["100"]
    assert {each.met for each in curve_verdicts([found])} == {None}


@pytest.mark.parametrize(("more_mib", "met"), [(60.0, True), (61.0, False)])
def test_a_hundred_thousand_rules_may_take_60_mib_more(more_mib: float, met: bool) -> None:
    rounds = {"1,000": [turn(800)], "100,000": [turn(900)]}
    found = Curve(CurveName.RULES, rounds, "1,000", gateway_mib={"1,000": 150.0, "100,000": 150.0 + more_mib})
    [memory] = [each for each in curve_verdicts([found]) if each.target == "P9"]
    assert memory.met is met
    assert not [each for each in curve_verdicts([curve(900)]) if each.target == "P9"]


def test_the_spread_is_that_of_the_rounds() -> None:
    assert curve(900).spread("100") == pytest.approx(20 / 1_000)
    assert curve(900).spread("0") is None, "one round says nothing"


def test_document_and_picture_have_every_point() -> None:
    document = curves_document([curve(900)], curve_verdicts([curve(900)]), {}, datetime.now(UTC))
    points = orjson.loads(orjson.dumps(document))["curves"]["campaigns"]
    assert list(points) == ["0", "100", "10,000"]
    assert points["10,000"]["ours_us"] == 1_100
    page = curves_page(document)
    assert page.count("<title>gateway: ") == 3
    assert "<title>all of ours: 1100 µs</title>" in page


def test_every_curve_grows_and_the_judged_ones_as_far_as_is_asked() -> None:
    for name in CurveName:
        assert sorted(set(SIZES[name])) == list(SIZES[name])
    largest = {name: SIZES[name][-1] for name in CurveName}
    assert largest[CurveName.CAMPAIGNS] == 10_000
    assert largest[CurveName.RULES] == largest[CurveName.MERCHANTS] == 100_000
    assert largest[CurveName.STORED] == 10_000_000
    assert sizes_of(CurveName.STORED, small=True) == [0, 100_000, 1_000_000]
    assert sizes_of(CurveName.CONCURRENCY, small=True) == [1, 8, 32, 128, 512]
