"""How the newest payments would match a policy's rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg

from gateway.database.pool import Connection, named_statements
from routing.channels.base import Wallet
from routing.policy.compiled import CompiledPolicy
from routing.sale import Method, Sale

SQL: Final = named_statements("gateway.admin.routing", "statements.sql")


async def recent_sales(database: asyncpg.Pool | Connection, limit: int) -> Sequence[Sale]:
    """The newest payments of all merchants as sales, at most `limit`; those without a wallet are left out.

    What is kept of a payment says nothing of the card or of the page in the wallet.
    """
    records = await database.fetch(SQL["recent_sales"], limit)
    return [sale_of(record) for record in records if record["wallet"] in frozenset(Wallet)]


def sale_of(record: asyncpg.Record) -> Sale:
    """The sale of a payment's row, at the time at which it was made."""
    return Sale(
        seed=record["id"],
        merchant_id=record["merchant_id"],
        amount_fen=record["amount"],
        wallet=Wallet(record["wallet"]),
        method=Method(record["method"]),
        at=record["created_at"].astimezone(ZoneInfo(record["timezone"])),
        store_id=record["store_id"],
        terminal_id=record["terminal_id"],
        operator_id=record["operator_id"],
        is_static_code=record["code_id"] is not None,
    )


def matches_of(policy: CompiledPolicy, sales: Sequence[Sale]) -> dict[str, Any]:
    """PolicyMatches: the rules that are enabled, in their order."""
    matched: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for sale in sales:
        guidance = policy.guide(sale)
        matched.update(guidance.rules)
        decided.update([] if guidance.steer is None else [guidance.steer.name])
    names = [rule.name for rule in policy.document.rules if rule.enabled]
    return {
        "looked_at": len(sales),
        "undecided": len(sales) - decided.total(),
        "rules": [{"name": name, "matched": matched[name], "decided": decided[name]} for name in names],
    }
