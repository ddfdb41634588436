"""docs/risk.md tells all that there is of rules: fields, actions, bounds; and what it shows is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from risk.decision import Action
from risk.fields import FIELDS
from risk.rules.checking import LISTED_MAX, PATTERNS_MAX, PATTERNS_SIZE_MAX, STEPS_MAX, TERMS_MAX
from risk.rules.compiled import CompiledSet
from risk.rules.document import RULE_FIELDS, SET_FIELDS, parse
from risk.rules.trying import failures
from risk.velocity.spec import VELOCITIES_MAX

PAGE = (Path(__file__).parents[4] / "docs" / "risk.md").read_text("utf-8")
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def names(text: str) -> set[str]:
    """What stands in the first cells of its tables, between backticks."""
    return {name for line in text.splitlines() for name in re.findall(r"^\| `([^`]+)` \|", line)}


def test_the_fields_are_those_that_are_declared() -> None:
    assert FIELDS.table() in section("Fields")


def test_every_field_of_a_document_and_every_action_is_explained() -> None:
    assert names(section("A rule set")) == RULE_FIELDS | SET_FIELDS
    assert names(section("Actions")) == set(Action)


def test_the_bounds_are_those_that_hold() -> None:
    bounds = re.findall(r"^\| ([\d,]+) \|", section("What is refused"), re.MULTILINE)
    told = [int(bound.replace(",", "")) for bound in bounds]
    assert told == [VELOCITIES_MAX, LISTED_MAX, TERMS_MAX, STEPS_MAX, PATTERNS_MAX]
    assert f"of {PATTERNS_SIZE_MAX:,} characters together" in section("What is refused")


def test_what_is_shown_is_a_rule_set_whose_tests_hold() -> None:
    assert len(SHOWN) == 1
    rule_set = parse(SHOWN[0], lists=[], models=[])
    assert failures(rule_set, CompiledSet.of(rule_set, 1)) == ()


def test_every_page_that_is_named_is_there() -> None:
    pages = set(re.findall(r"\]\((risk-[a-z]+\.md)\)", PAGE))
    assert {page for page in pages if not (Path(__file__).parents[4] / "docs" / page).exists()} == set()
