"""Hands coupons out: the rows of all waiting claims go to PostgreSQL in one statement (function `take_coupons`).

Stock and the customers' limits are guarded there, exactly and in order of arrival; nothing here counts anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

import asyncpg

from gateway.database.batches import Batch
from gateway.kernel.secrets import Vault
from promotions.coupons.campaigns import SQL, CouponCampaign
from promotions.coupons.coupon import Source

SETTLE_WITHIN_S: Final = 8.0
"""How long rows whose commit is of unknown fate are sent again: by their ids they are taken once."""


class Refusal(StrEnum):
    """Why PostgreSQL hands no coupon out."""

    CHANGED = "changed"
    """The campaign is not what the row's terms say (any more): read it again."""
    NOT_OPEN_YET = "not_open_yet"
    OVER = "over"
    SOLD_OUT = "sold_out"
    LIMIT = "limit"
    """The customer has claimed as many as one may."""


class Receiver(NamedTuple):
    """Who gets a coupon: the keyed hash of realm and customer id, and through which merchant."""

    customer: bytes
    merchant_id: str
    realm: str

    @classmethod
    def of(cls, vault: Vault, merchant_id: str, realm: str, customer_id: str) -> Self:
        """A customer by the till's own id."""
        return cls(customer_key(vault, realm, customer_id), merchant_id, realm)


def customer_key(vault: Vault, realm: str, customer_id: str) -> bytes:
    """What stands for a customer: the same keyed hash as in payments (promotions/desk.py)."""
    return vault.keyed_hash(f"{realm}\n{customer_id}".encode())


class TakeRow(NamedTuple):
    """One coupon to be handed out: a tuple, for the fields stand in the order of the function's arguments.

    `claim_key` is the customer's idempotency key; `earned_by`, `reward_of` and `number` belong to a reward.  What
    follows are the campaign's terms, at `version`.
    """

    id: str
    campaign_id: str
    customer: bytes
    merchant_id: str
    realm: str
    source: str
    claim_key: str | None
    earned_by: str | None
    reward_of: str | None
    number: int | None
    version: int
    stock: int | None
    per_customer: int | None
    opens: datetime | None
    closes: datetime | None
    valid_hours: int | None

    @classmethod
    def claimed(cls, coupon_id: str, campaign: CouponCampaign, receiver: Receiver, key: str | None) -> Self:
        """By the customer, within the time for claims."""
        terms = campaign.terms
        return cls(
            coupon_id, campaign.id, *receiver, Source.CLAIMED, key, None, None, None,
            campaign.version, terms.stock, terms.per_customer, terms.claim_from, terms.claim_until,
            campaign.valid_hours,
        )  # fmt: skip

    @classmethod
    def granted(cls, coupon_id: str, campaign: CouponCampaign, receiver: Receiver) -> Self:
        """By the manager: within the stock, at any time before the campaign's end."""
        return cls(
            coupon_id, campaign.id, *receiver, Source.GRANTED, None, None, None, None,
            campaign.version, campaign.terms.stock, None, None, None, campaign.valid_hours,
        )  # fmt: skip

    @classmethod
    def issued(cls, coupon_id: str, campaign: CouponCampaign, receiver: Receiver, reward: tuple[str, str, int]) -> Self:
        """For a payment: (its id, the campaign that rewards it, the number of the coupon)."""
        return cls(
            coupon_id, campaign.id, *receiver, Source.ISSUED, None, *reward,
            campaign.version, campaign.terms.stock, None, None, None, campaign.valid_hours,
        )  # fmt: skip


class TakeResult(NamedTuple):
    """What became of a row: the coupon, or why there is none.  `at` is the database's time, read under the locks.

    `campaign_id` is the coupon's, which differs from the row's where its key was used for another campaign.
    """

    refusal: Refusal | None
    replayed: bool
    id: str | None
    campaign_id: str | None
    created_at: datetime | None
    expires_at: datetime | None
    at: datetime


def take_arguments(rows: Sequence[TakeRow]) -> Sequence[Any]:
    """The arrays of the statement `take`."""
    return list(zip(*rows, strict=True))


def take_result(record: asyncpg.Record) -> TakeResult:
    """A record of the statement `take`."""
    refusal, *rest = record.values()
    return TakeResult(None if refusal is None else Refusal(refusal), *rest)


class Taking:
    """The statement, for the group commit of claims: in order, whatever meets in a batch."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._batch = Batch(
            pool,
            SQL["take"],
            take_arguments,
            take_result,
            meeting=lambda _: (),
            settle_within_s=SETTLE_WITHIN_S,
        )

    async def flush(self, rows: Sequence[TakeRow]) -> Sequence[TakeResult | Exception]:
        """One result or one exception for each row, in order."""
        results: list[TakeResult | Exception] = []
        for part in _parts(rows):
            results.extend(await self._batch.flush(part))
        return results


def _parts(rows: Sequence[TakeRow]) -> Sequence[Sequence[TakeRow]]:
    """All rows at once, nearly always; a customer's second claim under the same key begins another statement.

    (The waves of Batch would let it, and the stock, wait for those who came after it.)
    """
    keys = [(row.customer, row.claim_key) for row in rows if row.claim_key is not None]
    if len(set(keys)) == len(keys):
        return [rows]
    parts: list[list[TakeRow]] = [[]]
    seen: set[tuple[bytes, str]] = set()
    for row in rows:
        if row.claim_key is not None:
            if (row.customer, row.claim_key) in seen:
                parts.append([])
                seen.clear()
            seen.add((row.customer, row.claim_key))
        parts[-1].append(row)
    return parts
