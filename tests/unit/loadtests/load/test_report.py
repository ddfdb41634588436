"""The report says what came, what it cost and whether it passed; its page loads nothing and shows no key."""

from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import orjson
import pytest

from loadtests.load.book import Merged
from loadtests.load.charts import Line, chart
from loadtests.load.live import live_line
from loadtests.load.page import knee_sentence, page_of
from loadtests.load.plan import Plan
from loadtests.load.report import (
    Run,
    Verdict,
    best_in_words,
    best_per_s,
    cpu_per_payment,
    document_of,
    memory_in_words,
)
from loadtests.load.running import Reading, Readings
from loadtests.load.tally import End, Kind, Tally

_PASSED = Verdict(
    audit_passed=True,
    audit_output="The books <agree>.",
    locust_status=0,
    came_to_its_end=True,
    errors_allowed_percent=0.0,
    books_here=2,
)
_ABOUT = {
    "time": "2026-11-11T00:00:00+00:00",
    "machine": {"cores": 2},
    "versions": {},
    "revision": {"commit": "0123456789abcdef", "changed_files": 3},
}


def _tally() -> Tally:
    """Twenty seconds of ten payments each, thirty in the last five."""
    tally = Tally()
    for at in range(1_000, 1_020):
        second = tally.at(at)
        second.arrived = paid = 30 if at >= 1_015 else 10
        second.ends = Counter({End.PAID: paid})
        for _ in range(paid):
            tally.answered(at, Kind.PAY, 84.0)
    tally.sales = Counter({"wechat bar code": 3, "alipay code": 1})
    return tally


@pytest.fixture
def run(plan: Plan) -> Run:
    readings = Readings(
        [
            Reading(990.0, {"gateway": 1_000_000, "Locust": 0}, 20_000_000),
            Reading(1_000.0, {"gateway": 5_000_000, "Locust": 0}, 50_000_000, 120.0),
            Reading(1_010.0, {"gateway": 6_000_000, "Locust": 1_000_000}, 54_000_000),
            Reading(1_020.0, {"gateway": 8_000_000, "Locust": 2_000_000}, 60_000_000, 131.0),
        ]
    )
    return Run(_ABOUT, plan, 2, _tally(), readings, None, Merged(2, 321, 0), _PASSED)


def test_figures_are_those_of_the_whole_run(run: Run) -> None:
    document = orjson.loads(orjson.dumps(document_of(run)))
    assert document["passed"] is True
    assert (document["payments"], document["seconds"], document["payments_per_s"]) == (300, 20, 15.0)
    assert document["best_10_s_per_s"] == 20.0
    assert document["cpu_us_per_payment"] == {"gateway": 10_000.0, "Locust": 2_000_000 / 300}
    assert document["mix"] == {"alipay code": 25.0, "wechat bar code": 75.0}
    assert document["answers_ms"]["pay by bar code"]["count"] == 300
    assert document["answers_ms"]["pay by bar code"]["p99"] == pytest.approx(84, rel=0.021)
    assert len(document["by_second"]) == 20
    assert document["by_second"][-1]["payments"] == 30
    assert document["revision"]["commit"] == "0123456789abcdef"


def test_cores_are_what_was_used_between_two_readings(run: Run) -> None:
    assert run.readings.cores()["gateway"] == [(1_000.0, 0.4), (1_010.0, 0.1), (1_020.0, 0.2)]


def test_cpu_per_payment_is_of_the_seconds_in_which_payments_were_made(run: Run) -> None:
    """Before the first customer the gateway used four seconds: they are nobody's."""
    assert cpu_per_payment(run)["gateway"] == 3_000_000 / 300
    late = replace(run, readings=Readings(run.readings.all[2:]))
    # Of the last ten seconds alone: twice as much for 200 payments
    assert cpu_per_payment(late)["gateway"] == 2_000_000 / 200
    assert cpu_per_payment(replace(run, readings=Readings())) == {}


def test_payments_at_the_ends_of_the_readings_count_as_far_as_they_lie_between_them(run: Run) -> None:
    readings = [replace(each, at_s=each.at_s + 0.5) for each in run.readings.all[1:3]]
    # From 1,000.5 to 1,010.5 a second of CPU for 100 payments
    assert cpu_per_payment(replace(run, readings=Readings(readings)))["gateway"] == 1_000_000 / 100


def test_the_best_stretch_of_a_shorter_run_is_none() -> None:
    assert best_per_s(_tally(), 21) is None
    assert best_per_s(Tally(), 10) is None
    assert best_in_words(Tally()) == "the run was shorter than ten seconds"


def test_the_gateways_memory_is_told_over_the_time(run: Run) -> None:
    assert document_of(run)["gateway_mib"] == [{"at": 1_000, "mib": 120.0}, {"at": 1_020, "mib": 131.0}]
    assert memory_in_words(run.readings) == "120 MiB at first, 131 at last, 131 at most"
    assert "Memory of the gateway" in page_of(run)
    assert memory_in_words(Readings()) == "not read"


def test_the_page_says_which_code_it_was(run: Run) -> None:
    assert "0123456 and 3 changed file(s)" in page_of(run)
    assert "of no checkout" in page_of(replace(run, about={**_ABOUT, "revision": None}))


@pytest.mark.parametrize("books", [Merged(1, 321, 0), Merged(2, 321, 1)])
def test_a_run_fails_where_a_clients_book_is_missing_or_torn(run: Run, books: Merged) -> None:
    assert replace(run, books=books).faults == [f"{books.books} of 2 clients' books are there, {books.torn} torn"]


def test_that_the_books_of_other_machines_were_not_compared_is_said(run: Run) -> None:
    remote = replace(run, books=Merged(0, 0, 0), verdict=replace(_PASSED, books_here=0))
    assert remote.passed
    assert "audit: without the books of clients on other machines" in page_of(remote)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (replace(_PASSED, audit_passed=False), "the books disagree, or could not be compared"),
        (replace(_PASSED, locust_status=1), "Locust ended with status 1"),
        (replace(_PASSED, locust_status=2), "Locust ended with status 2"),
        (replace(_PASSED, came_to_its_end=False), "Locust did not come to the end of the shape"),
        (replace(_PASSED, locust_status=-9), "Locust ended with status -9"),
    ],
)
def test_a_run_fails_by_the_audit_or_by_locust_itself(run: Run, verdict: Verdict, reason: str) -> None:
    failed = replace(run, verdict=verdict)
    assert not failed.passed
    assert failed.faults == [reason]
    assert reason in page_of(failed)
    assert '<b class="missed">failed</b>' in page_of(failed)


def test_a_run_fails_by_an_error_unless_so_many_are_allowed(run: Run) -> None:
    run.tally.failed(1_003.0, "paid: ended failed (channel_unavailable)")
    assert not run.passed
    assert run.faults == ["1 error(s)"]
    assert "channel_unavailable" in page_of(run)
    assert replace(run, verdict=replace(_PASSED, errors_allowed_percent=1.0, locust_status=1)).passed


def test_a_run_without_a_payment_fails_and_has_a_report(run: Run) -> None:
    empty = replace(run, tally=Tally(), readings=Readings())
    assert not empty.passed
    assert empty.faults == ["no payment was made"]
    assert document_of(empty)["payments"] == 0
    assert "failed" in page_of(empty)


def test_a_run_fails_where_customers_were_lost_sight_of(run: Run) -> None:
    run.tally.open = 3
    assert run.faults == ["3 customer(s) were not served to their end"]


class _Page(HTMLParser):
    """Notes what a page would load, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.charts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "img", "link", "iframe", "object"} or any(name in {"src", "href"} for name, _ in attrs):
            self.loads.append(tag)
        if tag != "meta":
            self.open.append(tag)
        self.charts += ("class", "wide chart") in attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(run: Run) -> None:
    text = page_of(run)
    read = _Page()
    read.feed(text)
    assert (read.open, read.loads, read.charts) == ([], [], 4)
    assert "url(" not in text
    assert "The books &lt;agree&gt;." in text
    assert '<b class="passed">passed</b>' in text


def test_no_key_of_a_shop_is_in_the_report(run: Run) -> None:
    assert "sk_test_secret" not in page_of(run) + orjson.dumps(document_of(run)).decode()


def test_a_chart_puts_the_highest_point_below_its_scale_and_time_from_left_to_right() -> None:
    drawn = chart("Rate", "a second", [Line("a", "payments", [(0, 0), (5, 40), (10, 20)])], 10)
    assert 'points="64.0,196.0 512.0,' in drawn
    assert "960.0," in drawn
    assert ">50</text>" in drawn
    assert "at most 40" in drawn
    assert ">50,000</text>" in chart("Answers", "ms", [Line("b", "p99", [(0, 31_234.5)])], 10)
    assert "at most 0.0441" in chart("CPU", "cores", [Line("b", "worker", [(0, 0.04413)])], 10)


def test_the_knee_is_told_in_words_and_in_a_table(run: Run) -> None:
    steps = [
        {"level": level, "paid_per_s": 9.0 * level, "p50_ms": 80, "p95_ms": 90, "p99_ms": 99, "refused_share": 0.0}
        for level in (10, 13)
    ]
    knee = {"knee": steps[0], "steps": steps, "bends": ["median answer 300 ms, at first 80 ms"]}
    assert knee_sentence(knee) == "Knee at 10 with 90.0 payments/s; beyond it: median answer 300 ms, at first 80 ms"
    assert "10 ◀ knee" in page_of(replace(run, knee=knee))
    assert "higher --level" in knee_sentence({**knee, "bends": []})
    assert "lower --level" in knee_sentence({**knee, "knee": None})


def test_the_live_line_shows_the_last_five_seconds_that_are_over() -> None:
    tally = _tally()
    tally.open = 12
    tally.at(1_003).refused["429"] = 4
    line = live_line(tally, 1_020.4, "50 tills")
    # Of 1,013 to 1,017: twice 10 and three times 30
    assert "22.0 payments/s" in line
    assert "open 12" in line
    assert "refused 4" in line
    assert line.split()[0] == "18"
