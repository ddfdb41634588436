"""What the conditions of one set may look up together, and what a condition of risk can say."""

from __future__ import annotations

import pytest

from risk.rules.document import RuleSetError, parse
from risk.rules.rule import RuleSet
from tests.support.rule_sets import rule


def read(*conditions: str, lists: tuple[str, ...] | None = ("block",), model: int | None = None) -> RuleSet:
    rules = [rule(f"R{number}", when) for number, when in enumerate(conditions)]
    return parse({"rules": rules, "model": model}, lists=lists, models=None)


def told(*conditions: str, lists: tuple[str, ...] | None = ("block",)) -> list[tuple[str, int | None, int | None, str]]:
    with pytest.raises(RuleSetError) as refused:
        read(*conditions, lists=lists)
    return [(each.path, each.line, each.column, each.message) for each in refused.value.problems]


def test_a_share_is_compared_with_decimals_and_a_count_with_whole_numbers() -> None:
    assert len(read("velocity('fraud_share', 'terminal', '28d') > 0.3 && velocity('count', 'ip', '1h') > 3").rules) == 1
    assert told("velocity('fraud_share', 'terminal', '28d') > 3") == [
        ("rules.0.when", 1, 44, "> does not apply to (double, int)")
    ]
    assert told("velocity('count', 'ip', '1h') > 0.5") == [("rules.0.when", 1, 31, "> does not apply to (int, double)")]


@pytest.mark.parametrize(
    ("condition", "line", "column", "message"),
    [
        ("payment.amout > 1", 1, 1, "unknown: payment.amout"),
        ("payment.amount > 1 &&\n  listed('blok', 'ip')", 2, 11, "there is no list “blok”"),
        ("payment.amount > 1 && model.score > 0.5", 1, 23, "the rule set names no model, so there is no score"),
        ("payment.amount > 5 && payment.amount < 3", 1, 1, "can never be true"),
        ("payment.wallet == 'wechat' && payment.wallet == 'alipay'", 1, 1, "can never be true"),
        ("false", 1, 1, "can never be true"),
        ("payment.amount > 1 && 2 < 1", 1, 1, "can never be true"),
        ("payment.amount", 1, 1, "a condition is true or false; this is int"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused_at_its_place(
    condition: str, line: int, column: int, message: str
) -> None:
    assert told(condition) == [("rules.0.when", line, column, message)]


def test_a_list_is_not_looked_at_where_lists_are_not_known() -> None:
    assert len(read("listed('anything', 'ip')", lists=None).rules) == 1


def test_a_score_is_there_where_the_set_names_a_model() -> None:
    assert read("model.score > 0.5", model=1).model == 1


def velocities(count: int) -> list[str]:
    return [f"velocity('count', 'ip', '{hours}h') > 3" for hours in range(1, count + 1)]


def test_a_set_counts_at_most_64_different_velocities() -> None:
    assert len(read(*velocities(64), *velocities(64)).rules) == 128
    assert told(*velocities(65)) == [("rules.64.when", 1, 1, "more than 64 different velocities in one rule set")]


def test_a_pair_is_the_same_velocity_in_either_order() -> None:
    same = ["velocity('count', 'merchant+ip', '1d') > 3", "velocity('count', 'ip+merchant', '24h') > 3"]
    assert len(read(*velocities(63), *same).rules) == 65


def test_a_set_looks_up_at_most_64_different_entries_of_lists() -> None:
    names = tuple(f"list-{number}" for number in range(65))
    conditions = [f"listed('{name}', 'ip')" for name in names]
    assert len(read(*conditions[:64], *conditions[:64], lists=names).rules) == 128
    assert told(*conditions, lists=names) == [
        ("rules.64.when", 1, 1, "more than 64 different look-ups in lists in one rule set")
    ]


def test_a_set_works_out_a_thousand_terms_for_each_payment_at_most() -> None:
    apart = [f"payment.amount % {number} == 1" for number in range(2, 1_003)]
    assert len(read(*apart[:1_000], *[f"payment.amount % 2 == {number}" for number in range(100)]).rules) == 1_100
    assert told(*apart, *apart) == [("rules.1000.when", 1, 1, "more than 1000 different computations in one rule set")]


def test_a_set_has_64_different_patterns_at_most() -> None:
    patterns = [f"payment.operator_id.matches('a{number}b')" for number in range(65)]
    assert len(read(*patterns[:64], *patterns[:64]).rules) == 128
    assert told(*patterns) == [("rules.64.when", 1, 1, "more than 64 different patterns in one rule set")]


def test_the_patterns_of_a_set_are_bounded_together_as_each_is_by_itself() -> None:
    large = [f"payment.operator_id.matches('a{{200}}b{number:02}')" for number in range(6)]
    assert len(read(*large[:5]).rules) == 5
    assert told(*large) == [("rules.5.when", 1, 1, "the patterns of the rule set are too large together")]


def test_what_a_few_long_conditions_work_out_is_bounded_as_what_many_short_ones_do() -> None:
    worked_out = ", ".join(f"payment.hour + {number}" for number in range(200))
    long = [f"payment.amount + {number} in [{worked_out}]" for number in range(40)]
    assert len(read(*long[:20]).rules) == 20
    assert told(*long) == [("rules.24.when", 1, 1, "more than 10000 steps of computations in one rule set")]


def test_a_literal_in_a_list_is_no_step() -> None:
    listed = ", ".join(str(number) for number in range(1_000))
    assert len(read(*(f"payment.amount % {number} in [{listed}]" for number in range(2, 62))).rules) == 60


def test_a_nul_is_written_as_an_escape_as_no_database_could_tell_of_it() -> None:
    assert told("payment.region != 'a\0b'") == [
        ("rules.0.when", None, None, "has a NUL character: in a text it is written as \\x00")
    ]
    assert len(read("payment.region != 'a\\x00b'").rules) == 1
    tested = rule("R", "payment.region == 'a'", tests=[{"given": {"payment.region": "a\0"}, "hits": False}])
    with pytest.raises(RuleSetError, match="takes a text, or null"):
        parse({"rules": [tested]}, lists=None, models=None)


def test_any_number_of_rules_compares_fields_with_literals() -> None:
    conditions = [f"payment.merchant_id == 'mer_{number}' && payment.amount > {number}" for number in range(3_000)]
    assert len(read(*conditions).rules) == 3_000
