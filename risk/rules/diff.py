"""What differs between two versions: the head field by field, rules by their code and field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from risk.rules.store import Difference, DifferingRule, StoredRuleSet


def diff_json(after: StoredRuleSet, before: StoredRuleSet, difference: Difference) -> dict[str, Any]:
    """The difference as JSON: how many rules, which, and what of them."""
    return {
        "version": after.version,
        "against": before.version,
        **{name: _change(before.head.get(name), after.head.get(name)) for name in ("note", "thresholds", "model")},
        "added": difference.added,
        "removed": difference.removed,
        "changed": difference.changed,
        "rules": [*map(_rule_json, difference.rules)],
    }


def _rule_json(rule: DifferingRule) -> dict[str, Any]:
    before, after = rule.before, rule.after
    if before is None or after is None:
        return {
            "code": rule.code,
            "change": "added" if before is None else "removed",
            "fields": {},
            "rule": after or before,
        }
    return {"code": rule.code, "change": "changed", "fields": _fields(before, after), "rule": after}


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    changes = ((name, _change(before.get(name), value)) for name, value in after.items())
    return {name: change for name, change in changes if change is not None}


def _change(before: object, after: object) -> dict[str, Any] | None:
    return None if before == after else {"before": before, "after": after}
