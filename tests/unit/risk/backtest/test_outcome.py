"""A back-test counts what the engine decides: alerts, money, customers, subsidy, by rule, by day, against another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from risk.backtest.columns import Columns
from risk.backtest.history import History
from risk.backtest.outcome import Outcome, Wanted, back_test
from risk.backtest.table import TableForm, read_tables
from risk.decision import Decision, Verdict
from risk.engine import decide
from risk.facts import CodeType, Facts
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.rules.rule import RuleSet
from tests.support.risk_history import HIGH_FEN, payments, write

_HIGH = {"code": "HIGH", "when": f"payment.amount > {HIGH_FEN}", "action": "decline"}
_MANY = {"code": "MANY", "when": "velocity('count', 'customer', '1d') >= 4", "action": "review", "score": 30}
_SHADOW = {"code": "BROKEN", "when": "velocity('fraud_share', 'terminal', '3d') > 0.5", "action": "decline"}
_PLAIN = {"code": "PLAIN", "when": "payment.amount < 3000", "action": "no_discount"}
_SET = {"rules": [_HIGH, _MANY, {**_SHADOW, "mode": "shadow"}, _PLAIN]}
_FROM = 20


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Of sixty days; every payment has a discount of a tenth."""
    file = write(tmp_path_factory.mktemp("town") / "town.csv.gz", payments())
    read = read_tables([file], TableForm({}))
    return replace(read, discount_fen=read.amount_fen // 10)


def _set(document: Mapping[str, Any]) -> tuple[RuleSet, CompiledSet]:
    rule_set = parse(document, lists=None, models=None)
    return rule_set, CompiledSet.of(rule_set, 1)


def _played(history: History, document: Mapping[str, Any], live: Mapping[str, Any] | None = None) -> Outcome:
    in_force = None if live is None else _set(live)[1]
    return back_test(Wanted(*_set(document), _FROM, in_force), history, Columns(history), lambda _: None)


def _decisions(history: History, document: Mapping[str, Any]) -> list[Decision]:
    """One by one."""
    compiled = _set(document)[1]
    rows = Columns(history).rows(sorted(compiled.names), 0, len(history))
    customers = history.keys["customer"]
    facts = [
        Facts("", str(place), 0, "", CodeType.BARCODE, None, "", customer=customers[place])
        for place in range(len(history))
    ]  # type: ignore[arg-type]
    return [decide(compiled, values, each) for values, each in zip(rows, facts, strict=True)]


def test_together_are_the_payments_that_the_engine_reviews_or_declines(history: History) -> None:
    outcome = _played(history, _SET)
    decisions = _decisions(history, _SET)
    chosen = [place for place in range(len(history)) if history.days[place] >= _FROM]
    alerted = [place for place in chosen if decisions[place].verdict is not Verdict.APPROVE]
    frauds = [place for place in alerted if history.fraud[place]]
    good = [place for place in alerted if not history.fraud[place]]
    together = outcome.together
    assert len(alerted) > len(frauds) > 0
    assert (together.alerts, together.frauds, together.good_payments) == (len(alerted), len(frauds), len(good))
    assert together.precision == len(frauds) / len(alerted)
    assert together.recall == len(frauds) / sum(bool(history.fraud[place]) for place in chosen)
    assert together.fraud_fen == sum(int(history.amount_fen[place]) for place in frauds)
    assert together.good_customers == len({history.keys["customer"][place] for place in good})
    unpaid = [each for each in chosen if decisions[each].verdict is Verdict.DECLINE or decisions[each].no_discount]
    assert together.subsidy_saved_fen == sum(int(history.discount_fen[place]) for place in unpaid) > 0
    assert outcome.whole.payments == len(chosen)
    assert outcome.warm_days == _FROM


def test_each_rule_is_counted_by_itself_and_a_shadow_rule_saves_nothing(history: History) -> None:
    rules = {each.code: each for each in _played(history, _SET).rules}
    late = history.days >= _FROM
    high = late & (history.amount_fen > HIGH_FEN)
    assert rules["HIGH"].tally.alerts == high.sum()
    assert rules["HIGH"].tally.precision == 1.0
    assert rules["HIGH"].tally.subsidy_saved_fen == history.discount_fen[high].sum()
    assert 0 < (rules["HIGH"].alone or 0) <= high.sum()
    assert rules["MANY"].tally.subsidy_saved_fen == 0
    assert rules["BROKEN"].tally.alerts > 0
    assert rules["BROKEN"].tally.subsidy_saved_fen == 0
    assert rules["BROKEN"].alone is None


def test_the_days_add_up_to_the_whole(history: History) -> None:
    outcome = _played(history, _SET)
    assert [each.day for each in outcome.days] == list(range(_FROM, 60))
    for name in ("payments", "frauds", "fraud_fen", "amount_fen", "subsidy_fen"):
        assert sum(getattr(each.whole, name) for each in outcome.days) == getattr(outcome.whole, name)
    for name in ("alerts", "frauds", "fraud_fen", "good_payments", "subsidy_saved_fen"):
        assert sum(getattr(each.tally, name) for each in outcome.days) == getattr(outcome.together, name)


def test_against_the_set_in_force_new_alerts_and_lost_ones_are_told_apart(history: History) -> None:
    outcome = _played(history, {"rules": [_HIGH]}, {"rules": [_MANY]})
    late = history.days >= _FROM
    column = Columns(history).of("velocity('count', 'customer', '1d')")
    assert column is not None
    high, many = late & (history.amount_fen > HIGH_FEN), late & (column.values >= 4)
    against = outcome.against
    assert against is not None
    assert against.together.alerts == many.sum()
    assert against.new.alerts == (high & ~many).sum() > 0
    assert against.gone.alerts == (many & ~high).sum() > 0


def test_a_rollout_applies_a_rule_to_its_share_of_the_customers_and_counts_the_others(history: History) -> None:
    half = _played(history, {"rules": [{**_MANY, "rollout": 50}]})
    whole = _played(history, {"rules": [_MANY]})
    assert half.rules[0].tally.alerts == whole.rules[0].tally.alerts
    assert 0 < half.together.alerts < whole.together.alerts


def test_a_rule_that_looks_at_what_the_history_lacks_says_so(history: History) -> None:
    rule = {"code": "LISTED", "when": "listed('block', 'customer') || payment.region == 'sh'", "action": "decline"}
    (found,) = _played(history, {"rules": [rule]}).rules
    assert found.missing == ("listed('block', 'customer')", "payment.region")
    assert found.tally.alerts == 0


def test_flipping_labels_changes_no_decision_before_they_are_known(history: History) -> None:
    cut_ms = history.day_zero_ms + 40 * 86_400_000
    flipped = replace(history, fraud=np.where(history.known_ms > cut_ms, ~history.fraud, history.fraud), _codes={})
    document = {"rules": [_SHADOW]}
    before, after = _decisions(history, document), _decisions(flipped, document)
    until = int(np.searchsorted(history.timeline.at_ms, cut_ms))
    assert before[:until] == after[:until]
    assert before[until:] != after[until:]
