"""Who is let in: fair shares, quotas, repetitions; and nobody's place is ever lost or given twice."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.admission.admission import UNPROVEN, Admission, Capacity, Refusal, Ticket
from gateway.admission.limit import Bounds
from gateway.admission.sharing import fraction_of
from gateway.kernel.errors import RateLimited, Unavailable
from gateway.merchants.quota import NO_QUOTA, Quota
from gateway.merchants.store import Merchant


def admission_of(limit: int = 20, top: int = 1_000, quota: Quota = NO_QUOTA) -> Admission:
    return Admission(Capacity(Bounds(1, 1_000, limit, 0.1), top, 10, quota))


def merchant_of(name: str, quota: Quota = NO_QUOTA) -> Merchant:
    return Merchant(name, name, "Asia/Shanghai", quota=quota)


def admit(admission: Admission, merchant: Merchant, now: float = 0.0) -> Ticket | Refusal:
    return admission.admit(merchant.id, merchant, now)


def admitted(admission: Admission, merchant: Merchant, now: float = 0.0) -> Ticket:
    ticket = admit(admission, merchant, now)
    assert isinstance(ticket, Ticket), ticket
    return ticket


STORM, QUIET = merchant_of("storm"), merchant_of("quiet")


def test_a_merchant_alone_has_the_whole_process_and_no_more() -> None:
    admission = admission_of(limit=20)
    tickets = [admit(admission, STORM) for _ in range(50)]
    assert sum(isinstance(ticket, Ticket) for ticket in tickets) == 20
    assert tickets[20:] == [Refusal.BEGINNING] * 30


def test_what_is_durable_makes_room_however_long_its_channel_takes() -> None:
    admission = admission_of(limit=5)
    for _ in range(100):
        admitted(admission, STORM).bound()
    assert (admission.beginning, admission.in_flight) == (0, 100)


def test_a_storm_leaves_a_quiet_merchant_its_share() -> None:
    admission = admission_of(limit=20)
    while isinstance(admit(admission, STORM), Ticket):
        pass
    ticket = admit(admission, QUIET)
    assert isinstance(ticket, Ticket)
    assert admit(admission, STORM) is Refusal.SHARE


@pytest.mark.parametrize("merchants", [2, 5, 40])
def test_however_many_merchants_storm_what_begins_at_once_is_bounded(merchants: int) -> None:
    admission = admission_of(limit=20)
    for _ in range(30):
        for number in range(merchants):
            admit(admission, merchant_of(f"m{number}"))
    assert admission.beginning <= 25


@pytest.mark.parametrize("seed", range(5))
def test_under_a_storm_a_quiet_merchants_payments_are_all_begun_and_the_storm_gets_the_rest(seed: int) -> None:
    """One wants 10 times what the process can begin, the other 20 % of it; each beginning takes 20 steps."""
    dice, admission = random.Random(seed), admission_of(limit=20)
    done: list[tuple[int, Ticket]] = []
    counts = {"storm": [0, 0], "quiet": [0, 0]}
    for step in range(4_000):
        while done and done[0][0] <= step:
            ticket = done.pop(0)[1]
            ticket.bound()
            ticket.close()
        wanted = [STORM] * 10 + [QUIET] * (dice.random() < 0.2)
        dice.shuffle(wanted)
        for merchant in wanted:
            ticket = admit(admission, merchant)
            counts[merchant.id][isinstance(ticket, Refusal)] += 1
            if isinstance(ticket, Ticket):
                done.append((step + 20, ticket))
        if step % 100 == 0:
            admission.turn(float(step))
    assert counts["quiet"][1] <= 0.02 * counts["quiet"][0], counts
    assert counts["storm"][0] >= 0.7 * 4_000, counts


def test_a_slow_channels_payments_leave_others_room_below_the_hard_top() -> None:
    admission = admission_of(top=100)
    while isinstance(ticket := admit(admission, STORM), Ticket):
        ticket.bound()
        if admission.in_flight == 60:
            admitted(admission, QUIET).bound()
    assert ticket is Refusal.SHARE
    assert admission.in_flight < 80
    for _ in range(20):
        admitted(admission, QUIET).bound()


def test_the_hard_top_holds_for_everybody() -> None:
    admission = admission_of(limit=1_000, top=10)
    for _ in range(10):
        admitted(admission, STORM).bound()
    assert admit(admission, STORM) is Refusal.IN_FLIGHT
    assert admit(admission, QUIET) is Refusal.IN_FLIGHT


def test_a_rate_is_kept_and_says_when_to_come_again() -> None:
    admission, merchant = admission_of(limit=500), merchant_of("m", Quota(payments_per_s=2, payments_burst=3))
    told = [admit(admission, merchant, 100.0) for _ in range(5)]
    assert [isinstance(each, Ticket) for each in told] == [True] * 3 + [False] * 2
    assert told[3] is Refusal.RATE
    assert admission.retry_after_s(Refusal.RATE, admission.standings["m"], 100.0) == 1
    assert isinstance(admit(admission, merchant, 100.6), Ticket)


def test_a_concurrency_counts_what_is_not_answered_yet() -> None:
    admission, merchant = admission_of(), merchant_of("m", Quota(payments_in_flight_max=2))
    first, second = admitted(admission, merchant), admitted(admission, merchant)
    first.bound()
    assert admit(admission, merchant) is Refusal.CONCURRENCY
    second.close()
    admitted(admission, merchant)


def test_a_changed_quota_holds_with_the_next_payment() -> None:
    admission = admission_of(limit=100)
    admitted(admission, merchant_of("m"))
    tight = merchant_of("m", Quota(payments_per_s=1))
    admitted(admission, tight)
    assert admit(admission, tight) is Refusal.RATE
    admitted(admission, merchant_of("m"))


def test_a_merchants_own_quota_goes_over_the_installations() -> None:
    default = Quota(payments_per_s=10, payments_burst=30, payments_in_flight_max=7)
    assert NO_QUOTA.over(default) == default
    assert Quota(payments_per_s=50).over(default) == Quota(50, 50, 7)
    assert Quota(payments_burst=5).over(default) == Quota(10, 5, 7)
    assert Quota(payments_in_flight_max=1).over(NO_QUOTA) == Quota(None, None, 1)


def test_a_forged_signature_takes_nothing_of_the_merchant_it_names() -> None:
    merchant = merchant_of("m", Quota(payments_per_s=1, payments_in_flight_max=1))
    admission = admission_of(limit=100)
    forged = [admission.admit(f"{UNPROVEN}m", None, 0.0) for _ in range(50)]
    assert all(isinstance(each, Ticket) for each in forged)
    admitted(admission, merchant)


def test_whose_a_payment_is_counts_as_soon_as_it_is_proved() -> None:
    merchant = merchant_of("m", Quota(payments_in_flight_max=1))
    admission = admission_of()
    first, second = (admission.admit(UNPROVEN, None, 0.0) for _ in range(2))
    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    first.identify(merchant)
    with pytest.raises(RateLimited) as refused:
        second.identify(merchant)
    assert refused.value.code == "merchant_concurrency"
    second.close()
    assert (admission.standings["m"].in_flight, admission.standings[UNPROVEN].in_flight) == (1, 0)


def test_a_storm_of_signed_requests_leaves_a_quiet_merchant_its_share() -> None:
    """Each counts under a name of its own until its signature is verified: what is verified counts beside it."""
    admission = admission_of(limit=20)
    admitted(admission, QUIET).close()
    for _ in range(40):
        ticket = admission.admit(f"{UNPROVEN}{STORM.id}", None, 0.0)
        if isinstance(ticket, Ticket):
            ticket.identify(STORM)
    assert admission.beginning == 20
    assert admission.admit(f"{UNPROVEN}{STORM.id}", None, 0.0) is Refusal.SHARE
    admitted(admission, QUIET)


def test_a_storm_of_signed_requests_leaves_room_below_the_hard_top() -> None:
    admission = admission_of(limit=1_000, top=100)
    admitted(admission, QUIET).close()
    while isinstance(ticket := admission.admit(f"{UNPROVEN}{STORM.id}", None, 0.0), Ticket):
        ticket.identify(STORM)
        ticket.bound()
    assert ticket is Refusal.SHARE
    admitted(admission, QUIET)


def test_nobody_makes_others_shares_smaller_by_naming_merchants() -> None:
    admission = admission_of(limit=20)
    for number in range(30):
        admission.admit(f"{UNPROVEN}m{number}", None, 0.0)
    assert admission.active == 1


def test_while_a_body_is_on_its_way_it_takes_no_place_and_is_no_measure_of_our_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, told = [100.0], list[float]()
    monkeypatch.setattr("gateway.admission.admission.time", SimpleNamespace(monotonic=lambda: clock[0]))
    admission = admission_of(limit=5)
    monkeypatch.setattr(admission.limit, "observe", lambda own_s, _: told.append(own_s))
    for _ in range(50):
        late = admitted(admission, STORM)
        late.aside()
    assert (admission.beginning, admission.in_flight) == (0, 50)
    clock[0] += 7.0
    late.body_came()
    assert admission.beginning == 1
    clock[0] += 0.25
    late.bound()
    assert told == [0.25]


def test_bodies_that_all_come_at_once_find_the_limit_and_the_merchant_keeps_its_tokens() -> None:
    admission, merchant = admission_of(limit=5), merchant_of("m", Quota(payments_per_s=1, payments_burst=20))
    late = [admitted(admission, merchant, time.monotonic()) for _ in range(5)]
    for ticket in late:
        ticket.aside()
    for _ in range(5):
        admitted(admission, merchant, time.monotonic())
    bucket = admission.standings["m"].bucket
    assert bucket is not None
    for ticket in late:
        before = bucket.remaining(0.0)
        with pytest.raises(Unavailable) as refused:
            ticket.body_came()
        assert (refused.value.code, bucket.remaining(0.0)) == ("busy", before + 1)
        ticket.close()
    assert (admission.beginning, admission.in_flight) == (5, 5)


def test_repetitions_too_have_a_top_and_one_merchants_leave_the_others_room() -> None:
    admission = admission_of(top=100)
    admitted(admission, QUIET)
    joined = [admission.join(STORM.id) for _ in range(300)]
    assert len([ticket for ticket in joined if ticket is not None]) == 74
    for _ in range(25):
        assert admission.join(QUIET.id) is not None
    assert admission.in_flight == 100
    assert admission.join(QUIET.id) is None


def test_a_repetition_begins_nothing_and_is_no_measure_of_our_time() -> None:
    admission = admission_of(limit=1)
    admitted(admission, STORM)
    joined = admission.join(STORM.id)
    assert joined is not None
    assert joined.joins_only
    joined.body_came()
    joined.bound()
    joined.close()
    assert (admission.beginning, admission.in_flight) == (1, 1)


def test_other_requests_are_bounded_by_themselves() -> None:
    admission = admission_of()
    assert [admission.begin_completing() for _ in range(12)] == [True] * 10 + [False] * 2


def test_who_has_spent_tokens_is_not_forgotten_and_who_has_not_is() -> None:
    admission = admission_of(limit=100)
    for merchant in (merchant_of("m", Quota(payments_per_s=1, payments_burst=100)), QUIET):
        for _ in range(30):
            admitted(admission, merchant).close()
    for turn in range(30):
        admission.turn(turn / 2)
    assert set(admission.standings) == {"m"}
    for turn in range(30, 90):
        admission.turn(turn / 2)
    assert not admission.standings


@given(st.lists(st.floats(0, 1_000), min_size=1, max_size=20))
def test_the_processes_parts_of_a_quota_add_up_to_one(weights: list[float]) -> None:
    parts = [fraction_of(weight, sum(weights), len(weights)) for weight in weights]
    assert sum(parts) == pytest.approx(1.0)
    assert min(parts) >= 0.1 / len(weights) - 1e-9


class Places(RuleBasedStateMachine):
    """Tickets of several merchants go through their steps in any order, twice or not at all."""

    @initialize(limit=st.integers(1, 12), top=st.integers(1, 30))
    def open(self, limit: int, top: int) -> None:
        self.admission = admission_of(limit, top)
        self.limit, self.top = limit, top
        self.open_tickets: list[Ticket] = []

    @rule(name=st.sampled_from(["a", "b", "c", UNPROVEN]))
    def asks(self, name: str) -> None:
        ticket = self.admission.admit(name, None if name == UNPROVEN else merchant_of(name), 0.0)
        if isinstance(ticket, Ticket):
            self.open_tickets.append(ticket)

    @rule(name=st.sampled_from(["a", "b"]))
    def repeats(self, name: str) -> None:
        joined = self.admission.join(name)
        if joined is not None:
            self.open_tickets.append(joined)

    @rule(data=st.data(), step=st.sampled_from(["bound", "aside", "body_came", "identify", "close"]))
    def goes_on(self, data: Any, step: str) -> None:
        if not self.open_tickets:
            return
        ticket = data.draw(st.sampled_from(self.open_tickets))
        if step == "identify":
            ticket.identify(merchant_of("c"))
        else:
            with suppress(Unavailable):
                getattr(ticket, step)()
        if step == "close":
            self.open_tickets.remove(ticket)

    @rule()
    def time_passes(self) -> None:
        self.admission.turn(0.0)

    @invariant()
    def counts_are_those_of_the_open_tickets(self) -> None:
        if not hasattr(self, "admission"):
            return
        standings = self.admission.standings.values()
        assert self.admission.in_flight <= self.top
        assert self.admission.in_flight == len(self.open_tickets) == sum(each.in_flight for each in standings)
        assert self.admission.beginning == sum(each.beginning for each in standings)
        assert min([0, *(each.beginning for each in standings)]) == 0
        assert self.admission.beginning <= self.limit + max(4, self.limit // 4)


TestPlaces = Places.TestCase
TestPlaces.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
