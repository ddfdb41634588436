"""The exact computation, on histories that can be added up by hand."""

from __future__ import annotations

from datetime import timedelta

from risk.facts import Location
from risk.velocity.exact import ExactVelocities, entity_of
from risk.velocity.spec import LABEL_DELAY_S, Metric, Series
from tests.support.velocities import NOON, compiled, name_of, payment

EVERYTHING = compiled(*((metric, "customer", "1h") for metric in Metric), needs_travel=True)


def _exact() -> ExactVelocities:
    return ExactVelocities(EVERYTHING.velocities, needs_travel=True)


def test_the_values_of_a_short_history() -> None:
    exact = _exact()
    who = {"customer": "ab" * 16}
    exact.ask(payment(-3_600, 1, **who))  # a window older
    exact.ask(payment(-3_599, 100, device="d1", location=Location(31.0, 121.0), **who))
    refunded = payment(-10, 201, device="d2", merchant_id="mer_b", **who)
    exact.ask(refunded)
    exact.tell(Series.REFUNDS, refunded, "r1", 50, NOON - timedelta(seconds=5))
    exact.tell(Series.REFUNDS, refunded, "r1", 50, NOON - timedelta(seconds=4))
    exact.tell(Series.FRAUDS, refunded, "f1", 201, NOON - timedelta(seconds=4))
    values = exact.ask(payment(0, 50, device="d2", location=Location(31.0, 122.0), **who))
    got = {str(metric): values[name_of(metric, "customer", "1h")] for metric in Metric}
    assert got == {
        "count": 3,
        "sum_amount": 351,
        "min_amount": 50,
        "max_amount": 201,
        "mean_amount": 117,
        "seconds_since_last": 10,
        "distinct_customers": 1,
        "distinct_devices": 2,
        "distinct_merchants": 2,
        "distinct_terminals": 0,
        "distinct_cards": 0,
        "distinct_ips": 0,
        "decline_count": 0,
        "refund_count": 1,
        "refund_amount": 50,
        "complaint_count": 0,
        "fraud_count": 1,
        "fraud_share": None,
    }
    assert 95 < float(str(values["travel.distance_km"])) < 96


def test_a_mean_is_rounded_half_up() -> None:
    exact = ExactVelocities(compiled(("mean_amount", "customer", "1h")).velocities)
    first = payment(0, 1)
    exact.ask(first)
    assert list(exact.ask(payment(1, 2, customer=first.customer)).values()) == [2]


def test_a_share_is_of_what_fell_due_within_the_window() -> None:
    exact = ExactVelocities(compiled(("fraud_share", "merchant", "1d")).velocities)
    for at_s in (0, 43_200, 86_400):
        exact.ask(payment(at_s))
    exact.tell(Series.FRAUDS, payment(), "f", 1, NOON + timedelta(seconds=LABEL_DELAY_S))
    now_s = LABEL_DELAY_S + 43_200
    assert list(exact.ask(payment(now_s), look=True).values()) == [0.5]


def test_a_retry_and_a_look_are_told_the_same_and_count_nothing() -> None:
    exact = _exact()
    facts = payment()
    looked = exact.ask(facts, look=True)
    assert exact.ask(facts) == exact.ask(facts) == looked
    assert exact.ask(payment(1, customer=facts.customer))[name_of("count", "customer", "1h")] == 2


def test_at_most_64_values_are_told_apart() -> None:
    exact = ExactVelocities(compiled(("distinct_ips", "merchant", "1h")).velocities)
    told = [next(iter(exact.ask(payment(number, ip=f"10.0.0.{number}")).values())) for number in range(70)]
    assert told == [*range(1, 65), *[64] * 6]


def test_an_entity_is_named_by_all_its_dimensions() -> None:
    facts = payment(terminal_id="t1")
    assert entity_of(("merchant", "terminal"), facts) == ("mer_a", "mer_a\nt1")
    assert entity_of(("customer", "device"), facts) is None
