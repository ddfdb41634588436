"""Success from decayed evidence: priors where there is little, old evidence that fades, outages that are forgiven."""

from __future__ import annotations

import pytest

from routing.health.evidence import Evidence
from routing.health.settings import HealthSettings

SETTINGS = HealthSettings()


def seen(oks: int, faults: int) -> Evidence:
    evidence = Evidence(SETTINGS)
    for _ in range(oks):
        evidence.ok()
    for _ in range(faults):
        evidence.fault()
    return evidence


def test_without_evidence_the_prior_speaks_and_is_unsure() -> None:
    mean, spread, weight = Evidence(SETTINGS).posterior()
    assert mean == pytest.approx(0.97)
    assert spread == pytest.approx((0.97 * 0.03 / 21) ** 0.5)
    assert weight == 0


def test_a_new_account_with_one_failure_is_not_written_off() -> None:
    assert 0.88 < seen(0, 1).posterior()[0] < 0.95


def test_much_evidence_is_believed_and_sure() -> None:
    mean, spread, weight = seen(700, 300).posterior()
    assert mean == pytest.approx(0.70, abs=0.01)
    assert spread == pytest.approx((0.7 * 0.3 / 1_020) ** 0.5, rel=0.02)
    assert weight == 1_000


def test_a_route_that_was_bad_for_minutes_does_not_look_perfect_after_a_pause() -> None:
    evidence = seen(700, 300)
    before = evidence.posterior()[1]
    evidence.decay(0.5**9, 0.5**0.6)  # three minutes
    mean, spread, weight = evidence.posterior()
    assert weight < 2
    assert mean == pytest.approx(0.70, abs=0.03)
    assert spread > 2 * before


def test_an_account_that_did_well_for_long_is_not_written_off_for_its_first_fault_after_an_absence() -> None:
    evidence = seen(9_900, 100)
    evidence.decay(0.5**15, 0.5)  # five minutes
    evidence.fault()
    assert evidence.posterior()[0] == pytest.approx(0.99, abs=0.002)


def test_what_others_saw_counts_like_ones_own() -> None:
    own, split = seen(90, 10), seen(45, 5)
    split.peers.add(seen(45, 5).own)
    assert split.posterior() == pytest.approx(own.posterior())


def test_an_outage_that_is_forgiven_leaves_the_faults_before_it() -> None:
    evidence = seen(90, 10)
    evidence.looks_well()
    before = evidence.posterior()
    for _ in range(12):
        evidence.fault()
    evidence.outage_ended(forgiven=True)
    assert evidence.posterior() == pytest.approx(before)


def test_an_outage_that_is_not_forgiven_counts() -> None:
    evidence = seen(90, 0)
    for _ in range(12):
        evidence.fault()
    evidence.outage_ended(forgiven=False)
    assert evidence.own.fault == 12
    evidence.outage_ended(forgiven=True)
    assert evidence.own.fault == 12, "it is over, and later ones do not bring it back"
