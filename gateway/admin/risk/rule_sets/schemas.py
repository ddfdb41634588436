"""What the endpoints of the risk rules take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Body, Path, Query
from pydantic import BaseModel, Field

from gateway.admin.access import AdminRequest, example
from gateway.admin.risk.rule_sets.document import DOCUMENT, RULE, RiskRule, RiskThresholds, RuleSetHead
from risk.rules.store import VERSION_MAX, Status

INLINE_RULES_MAX: Final = 1_000
"""A version with more of them is shown without; they come page by page."""
PAGE_RULES_MAX: Final = 1_000

_SUMMARY: Final[dict[str, Any]] = {
    "object": "risk_rule_set",
    "version": 7,
    "status": "live",
    **{name: value for name, value in DOCUMENT.items() if name != "rules"},
    "rule_count": 1,
    "test_count": 1,
    "failed_tests": [],
    "created_at": "2026-11-22T04:58:03.120Z",
    "published_at": "2026-11-22T04:59:10.004Z",
}
_PROBLEM: Final[dict[str, Any]] = {
    "path": "rules.1.when",
    "message": "unknown: payment.amout",
    "line": 1,
    "column": 1,
    "hint": "did you mean payment.amount?",
}
_FAILED: Final[dict[str, Any]] = {
    "path": "rules.0.tests.0.verdict",
    "message": "the set says review, not decline",
    "line": None,
    "column": None,
    "hint": "what hits: R_FAST; score 40",
}
_DIFF: Final[dict[str, Any]] = {
    "object": "risk_rule_set_diff",
    "version": 7,
    "against": 6,
    "note": {"before": "", "after": "Cards are being tested in the stations."},
    "thresholds": None,
    "model": None,
    "added": 0,
    "removed": 0,
    "changed": 1,
    "rules": [
        {
            "code": "R_FAST",
            "change": "changed",
            "fields": {"mode": {"before": "shadow", "after": "live"}},
            "rule": RULE,
        }
    ],
    "has_more": False,
}


class RuleSetProblem(BaseModel):
    """What is wrong, and where; line and column (from 1) in a condition."""

    model_config = example(_PROBLEM)

    path: str
    message: str
    line: int | None
    column: int | None
    hint: str


class RuleSetSummary(RuleSetHead):
    """A version without its rules."""

    model_config = example(_SUMMARY)

    object: Literal["risk_rule_set"]
    version: int
    status: Annotated[
        Status, Field(description="`draft` until it is published, `live` while in force, `retired` after that.")
    ]
    rule_count: int
    test_count: int
    failed_tests: Annotated[
        list[RuleSetProblem],
        Field(description="Of the tests that are attached to its rules: with one it stays a draft."),
    ]
    created_at: datetime
    published_at: Annotated[datetime | None, Field(description="When it last came into force.")]


class RuleSetObject(RuleSetSummary):
    """A version."""

    model_config = example({**_SUMMARY, "rules": [RULE]})

    rules: Annotated[
        list[RiskRule] | None,
        Field(description=f"Null with `rules=false`, and above {INLINE_RULES_MAX} of them: they come page by page."),
    ]


class RuleSetList(BaseModel):
    """Versions, the newest first."""

    model_config = example({"object": "list", "data": [_SUMMARY], "has_more": False})

    object: Literal["list"]
    data: list[RuleSetSummary]
    has_more: bool


class RuleList(BaseModel):
    """Rules of a version, in the order in which they were written."""

    model_config = example({"object": "list", "data": [RULE], "has_more": True})

    object: Literal["list"]
    data: list[RiskRule]
    has_more: bool


class PublishRequest(AdminRequest):
    """On which version the decision to publish was made."""

    model_config = example({"base_version": 6})

    base_version: Annotated[
        int | None,
        Field(
            strict=True,
            ge=0,
            le=VERSION_MAX,
            description="Refused with `rule_set_changed` where another version is in force.",
        ),
    ] = None


class RuleSetCheckObject(BaseModel):
    """Whether a rule set would be saved, and whether its tests would let it be published."""

    model_config = example(
        {
            "object": "risk_rule_set_check",
            "valid": False,
            "problems": [_PROBLEM],
            "rule_count": None,
            "test_count": None,
            "failed_tests": [],
        }
    )

    object: Literal["risk_rule_set_check"]
    valid: bool
    problems: Annotated[list[RuleSetProblem], Field(description="The first hundred.")]
    rule_count: int | None
    test_count: int | None
    failed_tests: list[RuleSetProblem]


class TextChange(BaseModel):
    """A text before and after."""

    before: str
    after: str


class ThresholdsChange(BaseModel):
    """Thresholds before and after."""

    before: RiskThresholds
    after: RiskThresholds


class ModelChange(BaseModel):
    """The model before and after."""

    before: int | None
    after: int | None


class FieldChange(BaseModel):
    """A rule's field before and after."""

    before: Any
    after: Any


class RuleChange(BaseModel):
    """A rule that one of the versions has otherwise, or not at all."""

    code: str
    change: Literal["added", "removed", "changed"]
    fields: Annotated[
        dict[str, FieldChange], Field(description="What has changed of it, by field; empty where it is new, or gone.")
    ]
    rule: Annotated[RiskRule, Field(description="As it is in this version; one that is gone, as it was.")]


class RuleSetDiff(BaseModel):
    """What a version has otherwise than another; null where there is no difference."""

    model_config = example(_DIFF)

    object: Literal["risk_rule_set_diff"]
    version: int
    against: int
    note: TextChange | None
    thresholds: ThresholdsChange | None
    model: ModelChange | None
    added: int
    removed: int
    changed: int
    rules: Annotated[list[RuleChange], Field(description="By code.")]
    has_more: bool


RuleSetVersion = Annotated[int, Path(ge=0, le=VERSION_MAX)]
BelowVersion = Annotated[int | None, Query(ge=0, le=VERSION_MAX, description="Versions below this one.")]
AgainstVersion = Annotated[
    int | None, Query(ge=0, le=VERSION_MAX, description="Compared with this one; with that in force, without it.")
]
WithRules = Annotated[bool, Query(description="Whether to show the rules.")]
FirstRule = Annotated[int, Query(ge=0, le=10**6, description="The position of the first one, from 0.")]
PageOfRules = Annotated[int, Query(ge=1, le=PAGE_RULES_MAX)]
AfterCode = Annotated[str | None, Query(max_length=64, description="Rules whose codes come after this one.")]
Publish = Annotated[PublishRequest | None, Body(examples=[{"base_version": 6}])]
