"""What the gateway adds to the channel's time is judged against the commit that was measured beside it (P4)."""

import pytest

from loadtests.bench.latency import Latency, latency_verdicts
from loadtests.bench.measure import CORES, Measurement
from loadtests.bench.outcome import Verdict
from loadtests.traffic.samples import Figures


def latency(
    *answers_ms: float, commit_ms: float = 2.0, others_us: int = 0, late: int = 0, refused: int = 0, errors: int = 0
) -> Latency:
    figures = Figures(
        10.0, len(answers_ms), {"no answer": errors}, list(answers_ms), {"HTTP 503": refused}, late_ms=[20.0] * late
    )
    return Latency(Measurement(figures, {"gateway": 1_000}, others_us), commit_ms, channel_ms=75)


def verdict(what: str, half: Latency, lone: Latency) -> Verdict:
    return next(each for each in latency_verdicts(half, lone) if what in each.what)


@pytest.mark.parametrize(("answer_ms", "met"), [(81.9, True), (82.1, False)])
def test_two_commits_and_three_milliseconds_are_allowed(answer_ms: float, met: bool) -> None:
    half = latency(*[answer_ms] * 100)
    assert verdict("half load: the gateway's own p50", half, half).met is met
    assert verdict("a lone payment", half, half).met is met


def test_each_is_allowed_the_commit_of_its_own_seconds() -> None:
    half, lone = latency(*[84.0] * 100, commit_ms=4.0), latency(*[84.0] * 100, commit_ms=2.0)
    assert verdict("half load: the gateway's own p50", half, lone).met is True
    assert verdict("a lone payment", half, lone).met is False


def test_one_in_a_hundred_may_take_longer_than_25_ms_and_no_more() -> None:
    assert verdict("own p99", latency(*[80.0] * 995, *[300.0] * 5), latency(80.0)).met is True
    assert verdict("own p99", latency(*[80.0] * 980, *[300.0] * 20), latency(80.0)).met is False


@pytest.mark.parametrize("lost", [{"refused": 2}, {"errors": 2}])
def test_a_payment_that_was_refused_or_went_wrong_took_for_ever(lost: dict[str, int]) -> None:
    half, lone = latency(*[80.0] * 98, **lost), latency(80.0)  # type: ignore[arg-type]
    assert verdict("own p99", half, lone).met is False
    assert verdict("half load: the gateway's own p50", half, lone).met is True
    assert verdict("refused or went wrong", half, lone).measured == 2


def test_another_load_than_half_of_the_capacity_is_not_judged() -> None:
    calm = latency(*[80.0] * 100)
    assert {each.met for each in latency_verdicts(calm, calm, as_asked=False)} == {None}


def test_what_falls_short_while_strangers_use_the_machine_is_not_judged() -> None:
    disturbed = latency(*[120.0] * 100, others_us=2_000_000 * CORES)
    assert verdict("half load: the gateway's own p50", disturbed, disturbed).met is None
    calm = latency(*[80.0] * 100, others_us=2_000_000 * CORES)
    assert verdict("half load: the gateway's own p50", calm, calm).met is True


def test_late_arrivals_are_shown() -> None:
    half = latency(*[80.0] * 100, late=4)
    assert verdict("left late", half, half).measured == pytest.approx(4.0)
