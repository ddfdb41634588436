"""Guides that are followed one after the other on one stack do not get into each other's way."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.support.markdown import SHELLS, Block, blocks, documents, name_of

ORDER_NO = re.compile(r"(?:merchant_(?:order|refund)_no\"?[=:] ?|--order-no )\"?([\w-]+)")
SIMULATOR = re.compile(r"127\.0\.0\.1:810[1-4]")
FOLLOWED = [
    block
    for path in documents()
    for block in blocks(path)
    if block.language in SHELLS | {"python"} and block.not_run is None and path.parent.name != "api"
]


def _guides_by_number(followed: list[Block]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for block in followed:
        for number in ORDER_NO.findall(block.text):
            found[number].add(name_of(block.path))
    return found


def test_an_order_number_is_used_by_one_guide() -> None:
    guides = _guides_by_number(FOLLOWED)
    assert {"TILL-000001", "POS7-000123", "CAFE-1"} <= set(guides)
    assert {number: names for number, names in guides.items() if len(names) > 1} == {}


def test_no_guide_names_the_port_of_a_simulator_which_may_be_anothers() -> None:
    assert [block.place for block in FOLLOWED if SIMULATOR.search(block.text)] == []
