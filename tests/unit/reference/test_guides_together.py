"""Guides that are followed one after the other on one stack do not get into each other's way."""

from __future__ import annotations

import re
from collections import defaultdict

from gateway.payments.examples import CODE_REQUEST, PAYMENT_REQUEST
from tests.support.markdown import SHELLS, blocks, documents, name_of

ORDER_NO = re.compile(r"(?:merchant_(?:order|refund)_no\"?[=:] ?|--order-no )\"?([\w-]+)")
AUTH_CODE = re.compile(r"auth_code\"?[=:] ?\"(\d{16,24})\"")
REFERENCE = "docs/api"
SIMULATOR = re.compile(r"127\.0\.0\.1:810[1-4]")
FOLLOWED = [
    block
    for path in documents()
    for block in blocks(path)
    if block.language in SHELLS | {"python"} and block.not_run is None and path.parent.name != "api"
]


def _guides_by(pattern: re.Pattern[str], reference: dict[str, set[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set, reference)
    for block in FOLLOWED:
        for number in pattern.findall(block.text):
            found[number].add(name_of(block.path))
    return found


def test_an_order_number_is_used_by_one_guide_and_not_by_the_reference() -> None:
    examples = (PAYMENT_REQUEST, CODE_REQUEST)
    guides = _guides_by(ORDER_NO, {each["merchant_order_no"]: {REFERENCE} for each in examples})
    assert {"TILL-000001", "POS7-000123", "CAFE-1"} <= set(guides)
    assert {number: names for number, names in guides.items() if len(names) > 1} == {}


def test_a_payment_code_which_works_once_is_used_by_one_guide_and_not_by_the_reference() -> None:
    guides = _guides_by(AUTH_CODE, {PAYMENT_REQUEST["auth_code"]: {REFERENCE}})
    assert {"README.md", "docs/integrating.md"} <= {name for names in guides.values() for name in names}
    assert {code: names for code, names in guides.items() if len(names) > 1} == {}


def test_no_guide_names_the_port_of_a_simulator_which_may_be_anothers() -> None:
    assert [block.place for block in FOLLOWED if SIMULATOR.search(block.text)] == []
