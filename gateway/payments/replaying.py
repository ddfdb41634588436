"""Makes stored risk decisions again, page by page, and tells which come out otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.kernel.secrets import Vault
from gateway.merchants.stores import Place
from gateway.payments.payment import Payment
from gateway.payments.recalled import recalled
from gateway.payments.store import PaymentStore
from risk.decisions.replaying import CannotReplay, Difference, PastSets, differences
from risk.decisions.store import StoredDecision


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one replay; `differences` is None where the request was erased: then there is nothing to replay.

    Not `is_readable` are decisions of rules that this code cannot read: nobody knows whether they agree.
    """

    stored: StoredDecision
    differences: tuple[Difference, ...] | None
    is_readable: bool = True

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against it."""
        return self.is_readable and not self.differences


class Replaying:
    """Composed where somebody asks for it."""

    def __init__(self, store: PaymentStore, past_sets: PastSets, vault: Vault) -> None:
        self._store = store
        self._past_sets = past_sets
        self._vault = vault

    async def replay(self, page: Sequence[StoredDecision]) -> AsyncIterator[Replayed]:
        """Each of them, in their order."""
        keys = [(stored.payment_id, stored.merchant_id) for stored in page]
        found = await self._store.with_requests(keys)
        for stored in page:
            payment, fields = found[stored.payment_id]
            try:
                yield Replayed(stored, None if fields is None else await self._differences(stored, payment, fields))
            except CannotReplay:
                yield Replayed(stored, None, is_readable=False)

    async def _differences(
        self, stored: StoredDecision, payment: Payment, fields: Mapping[str, Any]
    ) -> tuple[Difference, ...]:
        compiled = await self._past_sets.get(stored.decision.version)
        # What rules saw of the place and the time stands with the decision, whatever the merchant is like today.
        nowhere = Place(payment.merchant_id, None, None)
        facts = recalled(payment, fields, nowhere, self._vault, stored.decision.at or payment.created_at)
        return differences(stored, compiled, facts)
