"""Requests that were made before: they wait for the first one, are compared with it field by field, get its payment."""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Conflict, Unavailable, not_found
from gateway.kernel.looking import look
from gateway.kernel.secrets import Vault
from gateway.payments.payment import Payment, PaymentOrder, first_difference
from gateway.payments.store import PaymentStore

_POLL_S: Final = (0.02, 0.05, 0.1, 0.2)
"""Pauses between looks at a payment that another process is taking; the last one repeats."""
_PATIENCE_S: Final = 1.0
"""An intent is durable within milliseconds of its claim: a claim without one for so long is tried again."""


class Replays:
    """One per process."""

    def __init__(self, store: PaymentStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def find(self, order: PaymentOrder) -> Payment | None:
        """The payment that has the order's number; raises Conflict where it is for another request."""
        payment = await self._store.find_by_order_no(*order.key)
        if payment is not None:
            await self.check_same(order, payment)
        return payment

    async def replay(self, order: PaymentOrder, deadline: Deadline) -> Payment:
        """The payment of an earlier request, with its answer if that comes within the deadline."""
        payment = await self.find(order)
        if payment is None:
            await self._raise_what_stands_in_the_way(order)
            raise Unavailable("try_again", "Send the same request again: it is safe.", retry_after_s=1)
        return await self.await_answer(payment, deadline)

    async def await_winner(self, order: PaymentOrder, deadline: Deadline) -> Payment | None:
        """The payment of the request that holds the claim; None after a second without one (claim again)."""
        tries = 0
        patience = Deadline.after(min(_PATIENCE_S, deadline.left_s))
        while (payment := await look(self.find(order), deadline, None)) is None:
            if patience.passed:
                return None
            await _pause(tries, patience)
            tries += 1
        return await self.await_answer(payment, deadline)

    async def await_answer(self, payment: Payment, deadline: Deadline) -> Payment:
        """A payment once it is decided or its code is to be shown, or as it stands at the deadline."""
        tries = 0
        while not (payment.status.is_answer or deadline.passed):
            await _pause(tries, deadline)
            tries += 1
            found = await look(self._store.find(payment.merchant_id, payment.id), deadline, None)
            payment = found or payment
        return payment

    async def await_end_of_replaced(self, merchant_id: str, payment_id: str, deadline: Deadline) -> Payment:
        """An earlier payment once it is decided, or as it stands at the deadline.  Raises the 404 where there is none.

        A code on display is waited for too: it can still be paid.
        """
        tries = 0
        while True:
            payment = await self._store.find(merchant_id, payment_id)
            if payment is None:
                raise not_found("payment", "replaces")
            if payment.status.is_final or deadline.passed:
                return payment
            await _pause(tries, deadline)
            tries += 1

    async def check_same(self, order: PaymentOrder, payment: Payment) -> None:
        """Raises Conflict naming the first field in which the order differs from the payment's own request."""
        if await self._store.request_fingerprint(payment) != self._vault.keyed_hash(order.canonical()):
            theirs = await self._store.request_fields(payment)
            raise different_request(order, None if theirs is None else first_difference(order.comparable(), theirs))
        if order.idempotency_key is not None:
            bound_to = await self._store.bind_key(order.merchant_id, order.idempotency_key, payment.id)
            if bound_to != payment.id:
                raise key_taken()

    async def _raise_what_stands_in_the_way(self, order: PaymentOrder) -> None:
        """The number is of a payment long gone; or free: it was the key, or another one replaces the same payment."""
        if await self._store.outlived(*order.key):
            raise Conflict(
                "order_no_reused",
                f"merchant_order_no {order.request.merchant_order_no} belongs to a payment of long ago, which is no "
                "longer stored. Use a new number.",
                param="merchant_order_no",
            )
        key, replaced = order.idempotency_key, order.request.replaces
        if key is not None and await self._store.payment_of_key(order.merchant_id, key) is not None:
            raise key_taken()
        if replaced is not None and (by := await self._store.replacement_of(order.merchant_id, replaced)) is not None:
            raise Conflict(
                "already_replaced",
                f"{by} replaces that payment already; nothing was charged. Replace {by} instead.",
                param="replaces",
            )


def different_request(order: PaymentOrder, param: str | None) -> Conflict:
    """The 409 for a number that is bound to another request."""
    where = f": “{param}” differs" if param else ""
    return Conflict(
        "order_no_reused",
        f"merchant_order_no {order.request.merchant_order_no} belongs to another request{where}. Use a new number.",
        param=param or "merchant_order_no",
    )


def key_taken() -> Conflict:
    """The 409 for an idempotency key that is bound to another order."""
    return Conflict(
        "idempotency_key_reused",
        "This Idempotency-Key belongs to a request with another merchant_order_no.",
        param="merchant_order_no",
    )


async def _pause(tries: int, deadline: Deadline) -> None:
    await asyncio.sleep(min(_POLL_S[min(tries, len(_POLL_S) - 1)], deadline.left_s + 0.001))
