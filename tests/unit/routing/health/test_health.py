"""Health as the router and the payments use it: calls, standings, probes, stalls, with a clock of the test's own."""

from __future__ import annotations

import math

import pytest

from routing.channels.base import Wallet
from routing.health.health import Health
from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState
from routing.health.verdicts import Verdict
from routing.sale import Cell, Method

WECHAT = Cell("front", Wallet.WECHAT, Method.BARCODE)
ALIPAY = Cell("front", Wallet.ALIPAY, Method.BARCODE)
ELSEWHERE = Cell("wechat_direct", Wallet.WECHAT, Method.BARCODE)


class Bench:
    """A Health and its clock."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.health = Health(HealthSettings(), lambda: self.now)

    def pass_(self, seconds: float) -> None:
        """Time passes, with a tick each tenth of a second."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.health.tick()

    def call(self, cell: Cell, verdict: Verdict, times: int = 1, seconds: float = 0.0) -> None:
        """Calls, one after the other, that take so long."""
        for _ in range(times):
            call = self.health.begin(cell)
            self.now += seconds
            call.end(verdict)
            self.health.tick()

    def state(self, cell: Cell) -> BreakerState:
        return self.health.standing(cell).state


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_standing_is_the_same_object_for_ever_and_knows_nothing_at_first(bench: Bench) -> None:
    standing = bench.health.standing(WECHAT)
    assert (standing.state, standing.in_flight, standing.probes_free) == (BreakerState.CLOSED, 0, 0)
    assert standing.success == pytest.approx(0.97)
    assert standing.weight == 0
    assert standing.p50_s == standing.p99_s == standing.p999_s == math.inf
    bench.call(WECHAT, Verdict.OK)
    bench.pass_(7_200)
    assert bench.health.standing(WECHAT) is standing
    assert not list(bench.health.active), "what time has forgotten costs nothing"
    bench.call(WECHAT, Verdict.FAULT)
    assert standing.success < 0.95


def test_customers_failures_change_no_estimate_and_open_nothing(bench: Bench) -> None:
    bench.call(WECHAT, Verdict.CUSTOMER, 500)
    standing = bench.health.standing(WECHAT)
    assert standing.success == pytest.approx(0.97)
    assert standing.state is BreakerState.CLOSED


def test_customers_failures_show_that_the_channel_works(bench: Bench) -> None:
    for _ in range(50):
        bench.call(WECHAT, Verdict.FAULT, 2)
        bench.call(WECHAT, Verdict.CUSTOMER)
    assert bench.state(WECHAT) is BreakerState.CLOSED


def test_calls_of_all_cells_of_an_account_count_as_under_way_there(bench: Bench) -> None:
    wechat, alipay = bench.health.standing(WECHAT), bench.health.standing(ALIPAY)
    calls = [bench.health.begin(WECHAT), bench.health.begin(ALIPAY)]
    assert (wechat.in_flight, alipay.in_flight, bench.health.standing(ELSEWHERE).in_flight) == (2, 2, 0)
    for call in calls:
        call.end(Verdict.OK)
        call.end(Verdict.FAULT)
    assert (wechat.in_flight, alipay.in_flight) == (0, 0)
    assert wechat.success > 0.97, "only the first end counts"


def test_a_call_that_is_left_without_a_word_teaches_nothing(bench: Bench) -> None:
    with pytest.raises(RuntimeError), bench.health.begin(WECHAT):
        raise RuntimeError
    standing = bench.health.standing(WECHAT)
    assert standing.in_flight == 0
    assert standing.success == pytest.approx(0.97)
    with bench.health.begin(WECHAT) as call:
        call.end(Verdict.OK)
    assert standing.weight == 1


def test_no_connection_closes_every_cell_of_the_account_and_no_other(bench: Bench) -> None:
    bench.health.standing(ALIPAY)
    bench.health.standing(ELSEWHERE)
    bench.call(WECHAT, Verdict.UNSENT, 12)
    assert (bench.state(WECHAT), bench.state(ALIPAY)) == (BreakerState.OPEN, BreakerState.OPEN)
    assert bench.state(ELSEWHERE) is BreakerState.CLOSED


def test_a_connection_that_failed_before_another_cell_was_well_says_nothing_of_that_one(bench: Bench) -> None:
    early = [bench.health.begin(WECHAT) for _ in range(12)]
    bench.now += 1.0
    bench.call(ALIPAY, Verdict.OK)
    for call in early:
        call.end(Verdict.UNSENT)
    assert (bench.state(WECHAT), bench.state(ALIPAY)) == (BreakerState.OPEN, BreakerState.CLOSED)


def test_faults_are_of_their_own_cell(bench: Bench) -> None:
    bench.health.standing(ALIPAY)
    bench.call(WECHAT, Verdict.FAULT, 12)
    assert (bench.state(WECHAT), bench.state(ALIPAY)) == (BreakerState.OPEN, BreakerState.CLOSED)


def test_what_is_decided_later_counts_then(bench: Bench) -> None:
    bench.call(WECHAT, Verdict.UNDECIDED)
    standing = bench.health.standing(WECHAT)
    assert standing.weight == 0
    bench.health.decide(WECHAT, Verdict.CUSTOMER)
    bench.health.decide(WECHAT, Verdict.ABANDONED)
    assert standing.weight == 0
    bench.health.decide(WECHAT, Verdict.OK)
    assert standing.weight == 1
    for _ in range(12):
        bench.health.decide(WECHAT, Verdict.FAULT)
    assert standing.state is BreakerState.OPEN


def test_an_account_comes_back_by_a_query_and_three_payments(bench: Bench) -> None:
    bench.call(WECHAT, Verdict.FAULT, 12)
    assert not bench.health.reserve_probe(WECHAT)
    for _ in range(300):
        bench.pass_(1)
        bench.health.dead("front")
    assert bench.state(WECHAT) is BreakerState.OPEN
    bench.health.alive("front")
    bench.pass_(0.1)
    standing = bench.health.standing(WECHAT)
    assert (standing.state, standing.probes_free) == (BreakerState.HALF_OPEN, 1)
    assert bench.health.reserve_probe(WECHAT)
    assert standing.probes_free == 0
    assert not bench.health.reserve_probe(WECHAT)
    bench.call(WECHAT, Verdict.UNDECIDED)
    assert standing.probes_free == 3
    bench.call(WECHAT, Verdict.CUSTOMER)
    bench.call(WECHAT, Verdict.OK)
    assert standing.state is BreakerState.CLOSED
    assert standing.success > 0.96, "the outage is forgiven"


def test_what_began_before_an_outage_says_nothing_of_the_time_after_it(bench: Bench) -> None:
    late = [bench.health.begin(WECHAT) for _ in range(40)]
    bench.call(WECHAT, Verdict.FAULT, 12)
    bench.pass_(1)
    bench.health.alive("front")
    bench.pass_(0.1)
    bench.call(WECHAT, Verdict.OK, 3)
    before = bench.health.standing(WECHAT).success
    for call in late:
        call.end(Verdict.FAULT)
    assert bench.state(WECHAT) is BreakerState.CLOSED
    assert bench.health.standing(WECHAT).success == pytest.approx(before)
    assert bench.health.standing(WECHAT).in_flight == 0


def test_a_channel_that_falls_silent_is_left_within_a_second_of_p999_and_a_tick(bench: Bench) -> None:
    bench.call(WECHAT, Verdict.OK, 3_000, seconds=0.05)
    bench.pass_(1)
    slowest_s = bench.health.standing(WECHAT).p999_s
    calls = [bench.health.begin(WECHAT) for _ in range(3)]
    bench.pass_(slowest_s + 0.9)
    assert bench.state(WECHAT) is BreakerState.CLOSED
    bench.pass_(0.2)
    assert bench.state(WECHAT) is BreakerState.OPEN
    assert len(calls) == bench.health.standing(WECHAT).in_flight


def test_one_slow_call_is_no_stall_where_later_ones_are_answered(bench: Bench) -> None:
    slow = bench.health.begin(WECHAT)
    for _ in range(100):
        bench.call(WECHAT, Verdict.OK)
        bench.pass_(0.1)
    waiting = [bench.health.begin(WECHAT) for _ in range(3)]
    bench.pass_(1)
    assert bench.state(WECHAT) is BreakerState.CLOSED
    for call in (slow, *waiting):
        call.end(Verdict.OK)


def test_a_single_silent_call_takes_a_little_longer_to_be_believed(bench: Bench) -> None:
    bench.health.begin(WECHAT)
    limit_s = bench.health.cell_health(WECHAT).stalled_after_s
    assert limit_s == HealthSettings().latency_assumed_s + 1.0
    bench.pass_(limit_s + 1.4)
    assert bench.state(WECHAT) is BreakerState.CLOSED
    bench.pass_(0.2)
    assert bench.state(WECHAT) is BreakerState.OPEN


def test_a_pending_answer_is_an_answer(bench: Bench) -> None:
    waiting = [bench.health.begin(WECHAT) for _ in range(3)]
    for _ in range(100):
        bench.pass_(0.1)
        bench.call(WECHAT, Verdict.UNDECIDED)
    assert bench.state(WECHAT) is BreakerState.CLOSED
    assert len(waiting) == bench.health.standing(WECHAT).in_flight


def test_a_process_that_slept_does_not_take_its_own_sleep_for_a_silent_channel(bench: Bench) -> None:
    for _ in range(5):
        bench.health.begin(WECHAT)
    bench.now += 30.0
    bench.health.tick()
    assert bench.state(WECHAT) is BreakerState.CLOSED


def test_a_probe_that_is_not_answered_opens_the_breaker_again(bench: Bench) -> None:
    bench.call(WECHAT, Verdict.FAULT, 12)
    bench.pass_(1)
    bench.health.alive("front")
    bench.pass_(0.1)
    bench.health.begin(WECHAT)
    assert bench.state(WECHAT) is BreakerState.HALF_OPEN
    bench.pass_(5)
    assert bench.state(WECHAT) is BreakerState.OPEN


def test_news_of_an_unknown_account_is_no_trouble(bench: Bench) -> None:
    bench.health.alive("nobody")
    bench.health.dead("nobody")
    bench.health.asked("nobody")
    assert not bench.health.reserve_probe(Cell("nobody", Wallet.WECHAT, Method.PAGE))
    assert not list(bench.health.open_accounts())
