"""What the endpoints of the routing policy take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field, SkipValidation

from gateway.admin.access import AdminRequest, example
from routing.policy.document import (
    ACCOUNTS_MAX,
    DESCRIPTION_LENGTH_MAX,
    EXPLORATION_MOST,
    NOTE_LENGTH_MAX,
    RULES_MAX,
    SUCCESS_VALUE_LEAST,
    TRIES_MOST,
    WHEN_LENGTH_MAX,
)
from routing.policy.rules import EXPLORATION, SPLIT_SUM, SUCCESS_VALUE, TRIES_MAX
from routing.policy.store import VERSION_MAX

PAYMENTS_MAX: Final = 1_000
"""A check looks at so many payments at most: a few milliseconds."""

_RULES: Final[list[dict[str, Any]]] = [
    {"name": "big-direct", "when": "payment.amount > 500000", "exclude": ["unionpay_front"]},
    {"name": "night", "when": "payment.hour < 6", "prefer": ["wechat_direct"], "within": "0.001"},
    {
        "name": "contract",
        "when": "payment.wallet == 'wechat'",
        "split": {"wechat_direct": 70, "unionpay_front": 30},
        "description": "Volume promised to the front until the end of the year.",
    },
    {"name": "fixed", "when": "payment.store_id == 's-1'", "order": ["alipay_direct", "unionpay_front"]},
]
_POLICY: Final[dict[str, Any]] = {
    "note": "The front gets its 30 %.",
    "success_value": "0.30",
    "exploration": "0.001",
    "tries_max": 3,
    "rules": _RULES,
}
_OBJECT: Final[dict[str, Any]] = {
    "object": "routing_policy",
    "version": 7,
    "in_force": True,
    "created_at": "2026-11-22T04:58:03.120Z",
    "published_at": "2026-11-22T04:58:03.120Z",
    "policy": _POLICY,
}
_SUMMARY: Final[dict[str, Any]] = {
    "object": "routing_policy_version",
    "version": 7,
    "in_force": True,
    "note": "The front gets its 30 %.",
    "rules": 4,
    "created_at": "2026-11-22T04:58:03.120Z",
    "published_at": "2026-11-22T04:58:03.120Z",
}
_CHECK: Final[dict[str, Any]] = {
    "object": "routing_policy_check",
    "valid": False,
    "problems": [
        {
            "path": "rules.1.when",
            "message": "there is no field payment.hours",
            "line": 1,
            "column": 1,
            "hint": "did you mean payment.hour?",
        }
    ],
    "payments": None,
}

_ACCOUNTS_OF_A_RULE: Final = Field(default=None, min_length=1, max_length=ACCOUNTS_MAX)


class PolicyRule(BaseModel):
    """A rule: a condition, and exactly one of `exclude`, `order`, `prefer`, `split`.

    Every exclusion that matches holds; of the other rules that match, the first in the list decides.
    """

    model_config = example(_RULES[2])

    name: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$", description="Unique in the policy.")]
    when: Annotated[str, Field(min_length=1, max_length=WHEN_LENGTH_MAX, description="CEL: docs/routing.md.")]
    enabled: bool = True
    description: Annotated[str, Field(max_length=DESCRIPTION_LENGTH_MAX)] = ""
    exclude: Annotated[list[str] | None, _ACCOUNTS_OF_A_RULE, Field(description="These accounts take no such sale.")]
    order: Annotated[
        list[str] | None, _ACCOUNTS_OF_A_RULE, Field(description="The first usable one takes it; others come after.")
    ]
    prefer: Annotated[
        list[str] | None, _ACCOUNTS_OF_A_RULE, Field(description="One of these, unless another is worth more.")
    ]
    within: Annotated[
        str, Field(description="With `prefer`: by so much of the amount may its value be below the best.")
    ] = "0"
    split: Annotated[
        dict[str, int] | None,
        Field(
            min_length=1,
            max_length=ACCOUNTS_MAX,
            description=f"Shares that add up to {SPLIT_SUM}: exact over every hundred payments of a process.",
        ),
    ] = None


class Policy(BaseModel):
    """A policy.  Shares are decimal strings."""

    model_config = example(_POLICY)

    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX, description="Why this version was made.")] = ""
    success_value: Annotated[
        str,
        Field(description=f"What a payment that succeeds is worth, of its amount: {SUCCESS_VALUE_LEAST} to 1."),
    ] = str(SUCCESS_VALUE)
    exploration: Annotated[
        str,
        Field(
            description=f"At most this share of the payments' worth is given up to explore: 0 to {EXPLORATION_MOST}."
        ),
    ] = str(EXPLORATION)
    tries_max: Annotated[
        int, Field(ge=1, le=TRIES_MOST, description="On so many accounts a payment is tried at most.")
    ] = TRIES_MAX
    rules: Annotated[list[PolicyRule], Field(max_length=RULES_MAX)]


class PolicyRequest(Policy):
    """A policy to be published, whole."""

    model_config = example({**_POLICY, "base_version": 6})

    base_version: Annotated[
        int | None,
        Field(ge=0, le=VERSION_MAX, description="Refused with `policy_changed` where another version is in force."),
    ] = None


GivenPolicy = Annotated[PolicyRequest, SkipValidation]
"""Documented as the model, and read by routing.policy, which finds every problem at once."""


class PolicyObject(BaseModel):
    """A version of the policy; `policy` is what can be put again."""

    model_config = example(_OBJECT)

    object: Literal["routing_policy"]
    version: int
    in_force: bool
    created_at: datetime
    published_at: Annotated[datetime, Field(description="When it last came into force.")]
    policy: Policy


class PolicySummary(BaseModel):
    """A version without its rules."""

    model_config = example(_SUMMARY)

    object: Literal["routing_policy_version"]
    version: int
    in_force: bool
    note: str
    rules: Annotated[int, Field(description="How many it has.")]
    created_at: datetime
    published_at: datetime


class PolicyVersions(BaseModel):
    """Versions, the newest first."""

    model_config = example({"object": "list", "data": [_SUMMARY], "has_more": False})

    object: Literal["list"]
    data: list[PolicySummary]
    has_more: bool


class RollBackRequest(AdminRequest):
    """Which version is to be in force again; without one, that which the present one replaced."""

    model_config = example({"version": 6})

    version: Annotated[int | None, Field(strict=True, ge=0, le=VERSION_MAX)] = None


class PolicyProblem(BaseModel):
    """What is wrong, and where; line and column (from 1) in a condition."""

    path: str
    message: str
    line: int | None
    column: int | None
    hint: str


class RuleMatches(BaseModel):
    """How many of the payments a rule matches, and for how many it decides."""

    name: str
    matched: int
    decided: Annotated[int, Field(description="0 for an exclusion, which holds beside the rule that decides.")]


class PolicyMatches(BaseModel):
    """How the newest payments would match; those whose wallet is not known are left out."""

    looked_at: int
    undecided: Annotated[int, Field(description="No order, preference or split matches: they go by value.")]
    rules: list[RuleMatches]


class PolicyCheckObject(BaseModel):
    """Whether a policy would be taken, and what it would do."""

    model_config = example(_CHECK)

    object: Literal["routing_policy_check"]
    valid: bool
    problems: list[PolicyProblem]
    payments: PolicyMatches | None


PolicyVersion = Annotated[int, Path(ge=0, le=VERSION_MAX)]
BelowVersion = Annotated[int | None, Query(ge=0, le=VERSION_MAX, description="Versions below this one.")]
PaymentsLookedAt = Annotated[int, Query(ge=0, le=PAYMENTS_MAX, description="How many of the newest payments to match.")]
