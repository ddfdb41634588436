"""Samples become the figures of a window."""

from pathlib import Path

from loadtests.traffic.samples import Figures, Sample, figures_of, read_samples, write_samples

SAMPLES = [
    Sample(9.9, 50.0, 201, succeeded=True),
    Sample(10.0, 10.0, 201, succeeded=True),
    Sample(10.5, 30.0, 201, succeeded=True),
    Sample(11.0, 20.0, 201, succeeded=False),
    Sample(11.2, 45.0, 503, succeeded=False, late_ms=40.0),
    Sample(11.2, 5.0, 429, succeeded=False),
    Sample(11.2, 6.0, 500, succeeded=False, late_ms=3.0),
    Sample(11.3, 5.0, 0, succeeded=False),
    Sample(11.4, 7.0, 201, succeeded=False, declined=True),
    Sample(12.0, 70.0, 201, succeeded=True),
]


def test_only_what_was_answered_inside_the_window_counts() -> None:
    figures = figures_of(SAMPLES, 10.0, 12.0)
    assert figures.completed == 2
    assert figures.per_second == 1.0
    assert figures.latencies_ms == [10.0, 30.0]


def test_every_kind_of_failure_is_named_and_none_counts_as_completed() -> None:
    assert figures_of(SAMPLES, 10.0, 12.0).errors == {"not succeeded": 1, "HTTP 500": 1, "no answer": 1}


def test_refusals_are_counted_apart_and_timed_from_the_moment_at_which_they_left() -> None:
    figures = figures_of(SAMPLES, 10.0, 12.0)
    assert figures.refusals == {"HTTP 503": 1, "HTTP 429": 1}
    assert figures.refused == 2
    assert figures.refusals_ms == [5.0, 5.0]
    assert figures.answered == 8


def test_a_payment_that_a_rule_declines_is_neither_completed_nor_an_error() -> None:
    figures = figures_of(SAMPLES, 10.0, 12.0)
    assert figures.declined == 1
    assert (figures + figures).declined == 2


def test_figures_are_sound_where_something_was_completed_and_hardly_anything_went_wrong() -> None:
    assert Figures(10.0, 99, {"HTTP 500": 1}, []).is_sound
    assert not Figures(10.0, 98, {"HTTP 500": 2}, []).is_sound
    assert not Figures(10.0, 0, {}, []).is_sound
    assert Figures(10.0, 10, {}, [], {"HTTP 503": 900}).is_sound, "refusals are what they should be"


def test_what_left_late_is_told_as_a_share_of_all_requests() -> None:
    figures = figures_of(SAMPLES, 10.0, 12.0)
    assert figures.late_ms == [40.0]
    assert figures.late_share == 1 / 8


def test_windows_add_up() -> None:
    both = figures_of(SAMPLES, 9.0, 10.2) + figures_of(SAMPLES, 11.9, 12.1)
    assert both.completed == 3
    assert round(both.seconds, 3) == 1.4


def test_percentiles_are_of_completed_payments() -> None:
    figures = figures_of([Sample(1.0, float(ms), 201, succeeded=True) for ms in range(1, 101)], 0, 2)
    assert (figures.percentile_ms(50), figures.percentile_ms(99)) == (51.0, 100.0)
    assert figures_of([], 0, 2).percentile_ms(99) == 0.0


def test_samples_survive_the_file(tmp_path: Path) -> None:
    write_samples(tmp_path / "samples", SAMPLES)
    assert read_samples(tmp_path / "samples") == SAMPLES


def test_a_row_without_lateness_was_not_late(tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("11.500000 12.250 201 1\n")
    assert read_samples(tmp_path / "samples") == [Sample(11.5, 12.25, 201, succeeded=True, late_ms=0.0)]
