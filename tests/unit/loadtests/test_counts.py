"""The gateway's metrics become batch sizes and signed calls of a stretch of load."""

import pytest

from loadtests.counts import Signing, read_counts

BEFORE = """\
# HELP mashang_batch_rows Rows in one batch.
# TYPE mashang_batch_rows histogram
mashang_batch_rows_bucket{batch="intent",le="+Inf"} 10.0
mashang_batch_rows_sum{batch="intent"} 40.0
mashang_batch_rows_count{batch="intent"} 10.0
# HELP mashang_payments_total Payments.
# TYPE mashang_payments_total counter
mashang_payments_total{status="succeeded",wallet="wechat"} 40.0
# HELP mashang_channel_calls_total Calls.
# TYPE mashang_channel_calls_total counter
mashang_channel_calls_total{account="wechat_direct",call="charge"} 40.0
mashang_channel_calls_total{account="unionpay_keyed",call="charge"} 5.0
mashang_channel_calls_total{account="unionpay_front",call="charge"} 3.0
# HELP mashang_risk_decisions_total Decisions.
# TYPE mashang_risk_decisions_total counter
mashang_risk_decisions_total{verdict="approve"} 20.0
mashang_risk_decisions_total{verdict="review"} 1.0
# HELP mashang_risk_features_missed_total Decisions without features.
# TYPE mashang_risk_features_missed_total counter
mashang_risk_features_missed_total{reason="deadline"} 2.0
# HELP mashang_rsa_signatures_total Signatures.
# TYPE mashang_rsa_signatures_total counter
mashang_rsa_signatures_total{way="openssl"} 7.0
mashang_rsa_signatures_total{way="multibuffer"} 32.0
# HELP mashang_rsa_calls_total Calls.
# TYPE mashang_rsa_calls_total counter
mashang_rsa_calls_total 6.0
"""
AFTER = (
    BEFORE.replace(" 10.0", " 15.0")
    .replace('_sum{batch="intent"} 40.0', '_sum{batch="intent"} 140.0')
    .replace('wallet="wechat"} 40.0', 'wallet="wechat"} 80.0')
    .replace('call="charge"} 40.0', 'call="charge"} 120.0')
    .replace('call="charge"} 5.0', 'call="charge"} 9.0')
    .replace('call="charge"} 3.0', 'call="charge"} 8.0')
    .replace('verdict="approve"} 20.0', 'verdict="approve"} 49.0')
    .replace('verdict="review"} 1.0', 'verdict="review"} 2.0')
    .replace('reason="deadline"} 2.0', 'reason="deadline"} 5.0')
    .replace('way="openssl"} 7.0', 'way="openssl"} 27.0')
    .replace('way="multibuffer"} 32.0', 'way="multibuffer"} 92.0')
    .replace("calls_total 6.0", "calls_total 16.0")
)


def test_what_happened_in_between_is_the_difference() -> None:
    between = read_counts(AFTER) - read_counts(BEFORE)
    assert between.payments == 40
    assert between.rows_per_batch == {"intent": pytest.approx(20.0)}


def test_calls_with_a_keyed_hash_are_not_signed_calls() -> None:
    between = read_counts(AFTER) - read_counts(BEFORE)
    assert between.signed_calls_per_payment == pytest.approx(2.0)


def test_decisions_are_those_of_all_verdicts_and_those_without_features_a_share_of_them() -> None:
    between = read_counts(AFTER) - read_counts(BEFORE)
    assert between.decisions_per_payment == pytest.approx(0.75)
    assert between.missed_share == pytest.approx(0.1)


def test_signatures_are_told_by_the_way_in_which_they_were_made() -> None:
    signing = (read_counts(AFTER) - read_counts(BEFORE)).signing_per_payment
    assert signing.alone == pytest.approx(0.5)
    assert signing.together == pytest.approx(1.5)
    assert signing.per_call == pytest.approx(6.0)


def test_without_payments_there_are_no_calls_per_payment() -> None:
    assert (read_counts(BEFORE) - read_counts(BEFORE)).signed_calls_per_payment == 0.0
    assert (read_counts(BEFORE) - read_counts(BEFORE)).rows_per_batch == {}
    assert (read_counts(BEFORE) - read_counts(BEFORE)).signing_per_payment == Signing()
    assert Signing().per_call == 0.0
