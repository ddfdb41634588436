"""The model of the rules in force stays at hand, whatever old decisions somebody has explained."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from gateway.campaigns import Campaigns
from gateway.database.valkey import Valkey
from gateway.kernel.clock import utc_now
from gateway.risk import Risk
from risk.decision import Verdict
from risk.facts import CodeType, Facts, Tolerance
from risk.model.model import Model
from risk.model.store import save
from tests.support.analyst import Analyst
from tests.support.rows import settings
from tests.support.rule_sets import rule

_LEAF: Final = {
    "split_type": [0],
    "left_children": [-1],
    "right_children": [-1],
    "split_conditions": [0.1],
    "split_indices": [0],
    "default_left": [0],
}
_TREES: Final = {
    "gradient_booster": {"model": {"trees": [_LEAF]}},
    "learner_model_param": {"num_feature": "1", "base_score": "5E-1"},
    "objective": {"name": "binary:logistic"},
}
_MODEL: Final[dict[str, Any]] = {"format": 1, "features": ["payment.amount"], "trees": {"learner": _TREES}}
"""It gives every payment more than one half."""
OLD: Final = 6
"""More than a book of models keeps."""


async def scored(analyst: Analyst) -> int:
    """The version of rules, in force, that go by a model of their own."""
    async with analyst.pool.acquire() as connection, connection.transaction():
        model = await save(connection, Model.of(_MODEL))
    return await analyst.published(rule("R_MODEL", "model.score > 0.5"), model=model)


async def test_explaining_decisions_of_other_models_leaves_the_rules_in_force_theirs(
    analyst: Analyst, pool: asyncpg.Pool, database_url: str, redis_url: str
) -> None:
    old = [await scored(analyst) for _ in range(OLD)]
    await scored(analyst)
    chosen = settings(database_url, redis_url)
    valkey = Valkey(chosen)
    risk = Risk.of(chosen, (pool, pool), valkey, analyst.vault, Campaigns.of(chosen, pool, pool, valkey, analyst.vault))
    await risk.load()
    payment = Facts("mer_1", "mer_1:1", 1_000, "barcode", CodeType.BARCODE, utc_now(), "Asia/Shanghai")
    for version in old:
        await risk.past_sets.get(version)
    decision = await risk.desk.decide(risk.desk.begin(payment, Tolerance(None)))
    assert (decision.verdict, decision.reasons) == (Verdict.REVIEW, ("R_MODEL",))
    await valkey.aclose()
