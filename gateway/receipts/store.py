"""Reads what a receipt is made of."""

from __future__ import annotations

from typing import Final

import asyncpg

from gateway.database.pool import named_statements
from gateway.kernel.secrets import Vault
from gateway.ledger.postings import funding_of
from gateway.payments.payment import Payment
from gateway.payments.store import PaymentStore
from gateway.receipts.receipt import Receipt, Shop, ShownDiscounts
from gateway.receipts.tokens import payment_of_token, receipt_token
from gateway.refunds.store import RefundStore

SQL: Final = named_statements("gateway.receipts", "statements.sql")


class ReceiptStore:
    """One per process."""

    def __init__(
        self, pool: asyncpg.Pool, vault: Vault, payments: PaymentStore, refunds: RefundStore, public_url: str
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._payments = payments
        self._refunds = refunds
        self._public_url = public_url

    async def of_payment(self, payment: Payment) -> Receipt | None:
        """The receipt of a payment; None where no money was ever taken for it."""
        facts = await self._pool.fetchrow(SQL["facts"], payment.id, payment.merchant_id, payment.attempt_seq)
        if facts is None or facts["paid_at"] is None:
            return None
        shop = Shop(facts["name"], facts["timezone"], ShownDiscounts(facts["receipt_discounts"]))
        funding = funding_of(await self._payments.booked(payment))
        refunds = await self._refunds.of_payment(payment.id, payment.merchant_id) if payment.refund_held else ()
        url = f"{self._public_url}/r/{receipt_token(self._vault, payment.id)}"
        return Receipt.of(shop, payment, paid_at=facts["paid_at"], funding=funding, refunds=refunds, url=url)

    async def by_token(self, token: str) -> Receipt | None:
        """The receipt behind a public link; a token that is not of our making is not looked up."""
        payment_id = payment_of_token(self._vault, token)
        if payment_id is None:
            return None
        merchant_id = await self._pool.fetchval(SQL["merchant_of"], payment_id)
        payment = None if merchant_id is None else await self._payments.find(merchant_id, payment_id)
        return None if payment is None else await self.of_payment(payment)
