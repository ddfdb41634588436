"""docs/routing.md tells all that there is: fields, reasons, and examples that are policies."""

from __future__ import annotations

import json
import re
from pathlib import Path

from routing.choice import Reason, Why
from routing.policy.document import RULES_MAX, parse
from routing.policy.fields import FIELDS
from routing.policy.rules import PolicyDocument

DOCUMENT = (Path(__file__).parents[4] / "docs" / "routing.md").read_text("utf-8")


def test_the_fields_are_those_that_are_declared() -> None:
    assert FIELDS.table() in DOCUMENT


def test_every_reason_and_every_why_is_explained() -> None:
    rows = "\n".join(line.split("|")[1] for line in DOCUMENT.splitlines() if line.startswith("| `"))
    for word in (*Reason, *Why):
        assert f"`{word}`" in rows, word


def test_the_policy_shown_is_one_and_has_the_defaults() -> None:
    [shown] = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    document = parse(json.loads(shown), {"wechat_direct", "unionpay_front"})
    assert PolicyDocument(document.rules, note=document.note) == document
    assert f"up to {RULES_MAX}" in DOCUMENT


def test_every_wish_is_a_rule() -> None:
    wishes = re.findall(r'^\|[^|]*\| `("when": .*)` *\|?.*$', DOCUMENT.replace("\\|", "\x00"), re.MULTILINE)
    rules = [wish.replace("\x00", "|").split("`")[0] for wish in wishes]
    assert len(rules) >= 8
    for number, rule in enumerate(rules):
        whole = rule.replace('"split": …', '"order": ["a"]').replace(", …", ', "order": ["a"]')
        parse({"rules": [json.loads(f'{{"name": "r{number}", {whole}}}')]}, None)
