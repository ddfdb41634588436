"""docs/campaigns.md tells all that there is: fields, benefits, examples; and what it shows is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from promotions.campaigns.benefits import BENEFIT_FIELDS
from promotions.campaigns.campaign import FUNDERS_MAX, Mode, Scope
from promotions.campaigns.document import FIELDS as DOCUMENT_FIELDS
from promotions.campaigns.document import parse
from promotions.campaigns.fields import (
    FIELDS,
    HIGH_VALUE_ORDERS,
    HIGH_VALUE_SPENT_FEN,
    SLEEPING_AFTER_DAYS,
    Segment,
    condition,
)
from promotions.examples import names
from tests.support.campaign_documents import DOCUMENT, changed, problems_of

PAGE = (Path(__file__).parents[4] / "docs" / "campaigns.md").read_text("utf-8")
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> dict[str, str]:
    """By what stands in the first cell, between backticks."""
    return {
        name: line
        for line in section(title).splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def test_the_fields_are_those_that_are_declared() -> None:
    assert FIELDS.table() in section("Conditions")


def test_every_field_of_a_document_is_explained() -> None:
    assert rows("What a campaign is").keys() == set(DOCUMENT_FIELDS)


def test_every_benefit_is_explained_with_its_fields() -> None:
    told = rows("Benefits")
    assert told.keys() - {"type"} == BENEFIT_FIELDS.keys()
    for kind, fields in BENEFIT_FIELDS.items():
        named = set(re.findall(r"`(\w+)`", told[kind].split("|")[2]))
        assert named - {"spend", "off"} == set(fields) - {"spend"}, kind


def test_every_limit_scope_and_mode_is_explained() -> None:
    assert rows("Limits").keys() >= {f"per_{scope}" for scope in Scope}
    assert all(f"`{mode}`" in section("Stacking") for mode in Mode)


def test_the_segments_are_those_that_are_derived() -> None:
    told = rows("Conditions")
    assert [name for name in told if name in set(Segment)] == list(Segment)
    assert f"{SLEEPING_AFTER_DAYS} days" in told["sleeping"]
    assert f"at least {HIGH_VALUE_ORDERS} payments and ¥{HIGH_VALUE_SPENT_FEN / 100:,.2f}" in told["high_value"]


def test_the_campaign_shown_is_products_and_can_be_sent() -> None:
    shown = SHOWN[0]
    assert {k: v for k, v in shown.items() if k not in {"starts_at", "ends_at", "limits"}} == {
        k: v for k, v in DOCUMENT.items() if k not in {"starts_at", "ends_at", "limits"}
    }
    assert parse(shown).limits.budget_fen == 1_000_000


def test_the_limits_and_the_funding_shown_are_ones() -> None:
    limits = next(block for block in SHOWN if "per_region" in block)
    funding = next(block for block in SHOWN if isinstance(block, list))
    assert problems_of(changed(limits=limits, funding=funding)) == []
    assert FUNDERS_MAX == 5
    assert "One to five sponsors" in section("Funding")


WISHES = re.findall(r"^\| [^|`]+ \| `((?:payment|customer|known|')[^|]*)` \|$", section("Conditions"), re.MULTILINE)


def test_the_page_has_its_wishes() -> None:
    assert len(WISHES) == 8


@pytest.mark.parametrize("text", WISHES)
def test_every_wish_is_a_condition(text: str) -> None:
    assert condition(text).names


IMPOSSIBLE = [
    condition
    for line in section("What a campaign is").splitlines()
    if line.startswith("| ") and "`payment." in line
    for condition in re.findall(r"`((?:payment|customer)\.[^`]+)`", line.split("|")[2])
]


def test_what_is_said_to_be_refused_is() -> None:
    """With a campaign that ends in November."""
    assert len(IMPOSSIBLE) >= 7
    for text in IMPOSSIBLE:
        assert [path for path, _ in problems_of(changed(condition=text))] == ["condition"], text


def test_every_example_is_told_of() -> None:
    assert tuple(sorted(rows("Ready examples"))) == names()
