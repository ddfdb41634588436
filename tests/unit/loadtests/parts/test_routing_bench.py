"""The benchmark of routing measures what it says: accounts with limits of which some are down, rules that match."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from loadtests.parts import routing
from routing.choice import Reason
from routing.sale import Prices


def test_the_sales_meet_accounts_that_are_down_limits_and_rules() -> None:
    router, _ = routing._router(20, 100)
    sales = routing._sales()
    choices = [router.choose(sale, Prices.full(sale.amount_fen)) for sale in sales]
    assert {len(choice.candidates) for choice in choices} == {20}
    assert sum(choice.account is None for choice in choices) < len(sales) / 100
    reasons = Counter(candidate.reason for choice in choices for candidate in choice.candidates)
    assert reasons[Reason.OUTAGE] > 1.5 * len(sales)
    assert reasons[Reason.STATIC_CODE_LIMIT] > 0
    assert sum(bool(choice.rules) for choice in choices) > len(sales) / 10
    assert len({choice.account.id for choice in choices if choice.account is not None}) > 3


def test_every_figure_is_written_down(tmp_path: Path) -> None:
    routing.main(rounds=3, results=tmp_path)
    [path] = tmp_path.iterdir()
    document = json.loads(path.read_text())
    costs = document["costs"]
    assert {(cost["accounts"], cost["rules"]) for cost in costs} >= {(2, 0), (20, 0), (20, 100)}
    assert all(0 < cost["best_us"] <= cost["median_us"] for cost in costs)
