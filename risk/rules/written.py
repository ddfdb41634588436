"""Writes rules as JSON, each field in its place: what is stored, shown and compared."""

from __future__ import annotations

from typing import Any

from risk.rules.rule import Example, Rule, RuleSet


def head_json(rule_set: RuleSet) -> dict[str, Any]:
    """A rule set without its rules."""
    thresholds = rule_set.thresholds
    return {
        "note": rule_set.note,
        "thresholds": {"review": thresholds.review, "decline": thresholds.decline},
        "model": rule_set.model,
    }


def rule_json(rule: Rule) -> dict[str, Any]:
    """A rule; reading it again gives the same one."""
    return {
        "code": rule.code,
        "when": rule.when.text,
        "action": rule.action,
        "score": rule.score,
        "mode": rule.mode,
        "rollout": rule.rollout,
        "priority": rule.priority,
        "description": rule.description,
        "merchants": list(rule.merchants),
        "tests": [_example_json(example) for example in rule.examples],
    }


def _example_json(example: Example) -> dict[str, Any]:
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in example.given.items()}
    return {"given": given, "hits": example.hits, "verdict": example.verdict}
