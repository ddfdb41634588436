"""The demo's risk rules: the lists for everybody; and at a kiosk of their own, bonus hunters who lose their discount.

At the demo merchant itself nothing but a list decides: whoever tries things out there is not to meet rules that he has
not made.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import orjson

from gateway.kernel.secrets import Vault
from risk.packs import pack
from risk.rules import store
from risk.rules.lifecycle import publish
from risk.rules.making import make

NOTE: Final = "The demo's: the lists, and bonus hunting at the kiosk"
_LISTS: Final = ("starter.block", "starter.allow", "starter.watch")
_HUNTING: Final = "bonus_hunting.device_of_many_today"


async def seed_rules(connection: asyncpg.Connection, vault: Vault, kiosk_id: str) -> bool:
    """Publish them where nobody has saved any rules yet; whether they are in force."""
    [newest] = await store.history(connection, 1)
    if newest.version == 0:
        async with connection.transaction():
            made = make(orjson.dumps(_document(kiosk_id)), await store.known(connection))
            await publish(connection, await store.save(connection, vault, made))
    return (await store.in_force(connection)).note == NOTE


def _document(kiosk_id: str) -> dict[str, Any]:
    rules = {rule["code"]: rule for name in ("starter", "bonus_hunting") for rule in pack(name)["rules"]}
    at_kiosk = {**rules[_HUNTING], "merchants": [kiosk_id]}
    return {"note": NOTE, "rules": [*(rules[code] for code in _LISTS), at_kiosk]}
