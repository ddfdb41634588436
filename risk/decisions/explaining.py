"""Why a decision was made: the rules that hit as they were written, and the values that they saw."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from gateway.kernel.expressions import Value
from risk.cases.masks import masked_bin, masked_ip
from risk.decision import Decision
from risk.decisions.store import Database, rules_named
from risk.facts import Facts
from risk.model.book import ModelBook
from risk.model.scorer import Reason
from risk.rules.compiled import CompiledSet
from risk.rules.rule import Mode
from risk.values import replayed


class ExplainedRule(NamedTuple):
    """A rule that hit, and as what: a live one beyond its roll-out is counted as in shadow."""

    code: str
    mode: Mode
    action: str | None
    score: int | None
    priority: int | None
    when: str | None
    description: str | None


class Seen(NamedTuple):
    """Values by the names of fields and calls; masked what names a person."""

    seen: Mapping[str, Value | None]
    masked: Mapping[str, Value | None]


async def rules_hit(database: Database, decision: Decision) -> list[ExplainedRule]:
    """The live ones first, each by priority."""
    hits = [(code, Mode.LIVE) for code in decision.reasons] + [(code, Mode.SHADOW) for code in decision.shadow]
    written = await rules_named(database, decision.version, [code for code, _ in hits]) if hits else {}
    return [_explained(code, mode, written.get(code, {})) for code, mode in hits]


def values_seen(decision: Decision, compiled: CompiledSet, facts: Facts | None) -> Seen:
    """What the rules saw; without the facts (the request was erased) only what was stored with the decision."""
    if facts is None:
        seen = dict(zip(compiled.seen, orjson.loads(decision.features or "[]"), strict=True))
    else:
        seen = replayed(compiled, facts, decision.features or "[]")
    masked = {name: _MASKS[name](value) if name in _MASKS and value else value for name, value in sorted(seen.items())}
    return Seen(seen, masked)


async def model_reasons(models: ModelBook, version: int | None, seen: Mapping[str, Value | None]) -> Sequence[Reason]:
    """What moved the model's score most; nothing without a model."""
    scorer = await models.load(version)
    return () if scorer is None else await asyncio.to_thread(scorer.reasons, seen)


def _explained(code: str, mode: Mode, written: Mapping[str, Any]) -> ExplainedRule:
    known = [written.get(field) for field in ("action", "score", "priority", "when", "description")]
    return ExplainedRule(code, mode, *known)


_MASKS: Final = {"payment.ip": masked_ip, "payment.card_bin": masked_bin}
