"""Ready packs: each is a good rule set, its rules' tests hold, and all of them fit into one set together."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from risk.packs import combined, names, pack
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.rules.rule import Mode, RuleSet
from risk.rules.trying import failures
from risk.velocity.spec import VELOCITIES_MAX

LISTS = ("block", "allow", "watch")
THE_SAME = "payment.amount >= 99999 && payment.amount % 10000 == 0"
"""No round amount lies between this bound and the one that is meant."""
DOCUMENTED = (Path(__file__).parents[4] / "docs" / "risk-packs.md").read_text(encoding="utf-8")


def rule_set(*chosen: str) -> RuleSet:
    return parse(combined(chosen), lists=LISTS, models=())


def test_there_is_a_pack_for_every_typical_pattern() -> None:
    assert set(names()) == {
        *("starter", "regulator_caps", "card_testing", "cash_out", "account_takeover", "impossible_travel"),
        *("bonus_hunting", "compromised_terminal", "merchant_collusion", "refund_abuse"),
    }


@pytest.mark.parametrize("name", names())
def test_a_packs_rules_hit_what_their_tests_say_and_nothing_else(name: str) -> None:
    rules = rule_set(name)
    assert failures(rules, CompiledSet.of(rules, 1)) == ()


@pytest.mark.parametrize("name", names())
def test_every_rule_is_tried_with_a_payment_that_it_hits_and_one_that_it_does_not(name: str) -> None:
    for rule in rule_set(name).rules:
        assert {example.hits for example in rule.examples} == {True, False}, rule.code


@pytest.mark.parametrize("name", names())
def test_the_tests_stand_at_both_sides_of_each_bound(name: str) -> None:
    """With any number of a condition a little higher, or a little lower, one of its tests fails."""
    for rule in pack(name)["rules"]:
        calls = [call.span() for call in re.finditer(r"'[^']*'", rule["when"])]
        for number in re.finditer(r"\d+(\.\d+)?", rule["when"]):
            if not any(start < number.start() < end for start, end in calls):
                for moved in _moved(number[0]):
                    when = f"{rule['when'][: number.start()]}{moved}{rule['when'][number.end() :]}"
                    rules = parse({"rules": [{**rule, "when": when}]}, lists=LISTS, models=())
                    assert failures(rules, CompiledSet.of(rules, 1)) or when.startswith(THE_SAME), when


def _moved(number: str) -> tuple[str, str]:
    if "." not in number:
        return str(int(number) + 1), str(int(number) - 1)
    value = float(number)
    step = 0.5 if value > 1 else value / 5
    return str(value + step), str(value - step)


@pytest.mark.parametrize("name", names())
def test_codes_begin_with_the_packs_name_and_everything_is_described(name: str) -> None:
    document = pack(name)
    assert document["note"]
    for rule in document["rules"]:
        assert rule["code"].startswith(f"{name}.")
        assert rule["description"].endswith(".")


@pytest.mark.parametrize("name", names())
def test_every_rule_is_in_the_guide(name: str) -> None:
    assert f"## `{name}`" in DOCUMENTED
    for rule in pack(name)["rules"]:
        assert f"`{rule['code'].partition('.')[2]}`" in DOCUMENTED, rule["code"]


def test_all_packs_together_are_one_rule_set_whose_tests_hold() -> None:
    rules = rule_set(*names())
    compiled = CompiledSet.of(rules, 1)
    assert failures(rules, compiled) == ()
    assert len(rules.rules) == sum(len(pack(name)["rules"]) for name in names())
    assert len(compiled.velocities) <= VELOCITIES_MAX - 16, "some room is left for rules of one's own"


@pytest.mark.parametrize("pair", list(combinations(names(), 2)), ids="+".join)
def test_no_order_of_packs_matters_to_what_they_say(pair: tuple[str, str]) -> None:
    one, other = rule_set(*pair), rule_set(*reversed(pair))
    assert {rule.code: rule for rule in one.rules} == {rule.code: rule for rule in other.rules}
    assert one.thresholds == other.thresholds


def test_the_regulators_caps_are_only_counted() -> None:
    assert {rule.mode for rule in rule_set("regulator_caps").rules} == {Mode.SHADOW}


def test_packs_can_be_tried_in_shadow_first() -> None:
    rules = parse(combined(names(), in_shadow=True), lists=LISTS, models=())
    assert {rule.mode for rule in rules.rules} == {Mode.SHADOW}
    assert failures(rules, CompiledSet.of(rules, 1)) == ()


def test_onto_other_rules_a_pack_adds_what_they_lack() -> None:
    tuned = {**pack("starter")["rules"][3], "when": "payment.amount > 100"}
    own = {"code": "OWN", "when": "payment.amount > 7", "action": "review", "mode": "live"}
    live = {"note": "mine", "thresholds": {"review": 33, "decline": None}, "model": 4, "rules": [own, tuned]}
    both = combined(["starter", "cash_out"], onto=live, in_shadow=True)
    by_code = {rule["code"]: rule for rule in both["rules"]}
    assert [by_code["OWN"], by_code["starter.very_large"]] == [own, tuned]
    assert by_code["cash_out.split"]["mode"] == "shadow"
    assert len(both["rules"]) == 1 + len(pack("starter")["rules"]) + len(pack("cash_out")["rules"])
    assert (both["thresholds"], both["model"]) == ({"review": 33, "decline": None}, 4)


def test_thresholds_come_from_a_pack_where_none_are_set() -> None:
    assert combined(["starter"])["thresholds"] == {"review": 60}
    unset = {"note": "", "thresholds": {"review": None, "decline": None}, "model": None, "rules": []}
    assert combined(["card_testing", "starter"], onto=unset)["thresholds"] == {"review": 60}
    assert combined(["card_testing"])["thresholds"] is None


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError):
        combined(["starter", "nothing"])
