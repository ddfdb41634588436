"""Why a condition does not hold, in a sentence."""

from __future__ import annotations

import pytest

from promotions.campaigns.explaining import TEXT_LENGTH_MAX, explain_condition
from promotions.campaigns.fields import condition, values_of
from promotions.facts import Facts
from tests.support.campaigns import SHANGHAI, payment


def why(text: str, facts: Facts | None = None) -> str | None:
    return explain_condition(condition(text), values_of(payment() if facts is None else facts, SHANGHAI))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("payment.wallet == 'wechat' && payment.hour >= 7", None),
        ("payment.wallet == 'wechat' && payment.hour >= 17", "“payment.hour >= 17” is not true: payment.hour is 12."),
        (
            "payment.card_bin.startsWith('62') && payment.hour >= 7",
            "“payment.card_bin.startsWith('62')” is not true: payment.card_bin is not known.",
        ),
        (
            "payment.hour < 7 || payment.wallet == 'jd'",
            "“payment.hour < 7 || payment.wallet == 'jd'” is not true: payment.hour is 12, payment.wallet is wechat.",
        ),
        ("!customer.known", "“!customer.known” is not true: customer.known is true."),
        ("'vip' in customer.segments", "“'vip' in customer.segments” is not true: customer.segments is empty."),
        ("false", "“false” is not true."),
    ],
)
def test_the_part_that_is_not_true_is_told_with_what_was_seen(text: str, sentence: str | None) -> None:
    assert why(text) == sentence


def test_a_part_that_is_false_is_told_before_one_that_is_unknown() -> None:
    said = why("payment.card_bin == '622202' && payment.amount > 99999")
    assert said == "“payment.amount > 99999” is not true: payment.amount is 2599."


def test_without_a_condition_there_is_nothing_to_explain() -> None:
    assert explain_condition(None, values_of(payment(), SHANGHAI)) is None


def test_a_long_part_is_cut() -> None:
    stores = ", ".join(f"'s-{number}'" for number in range(200))
    said = why(f"payment.store_id in [{stores}]", payment(store_id="x" * 500))
    assert said is not None
    assert said.startswith("“payment.store_id in ['s-0', 's-1', ")
    assert len(said) < 2 * TEXT_LENGTH_MAX + 50
