"""What alerts came to, in payments, customers and money."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from risk.backtest.history import History
from risk.backtest.timeline import NOBODY, Bools, Ints

_CUSTOMER: Final = ("customer",)


class Whole(NamedTuple):
    """All payments that were looked at: what there was to catch."""

    payments: int
    frauds: int
    fraud_fen: int
    amount_fen: int
    subsidy_fen: int


class Tally(NamedTuple):
    """Of some alerts.  `precision` is None without alerts, `recall` without frauds.

    `good_customers` are those of whom a payment was alerted that was no fraud.  `subsidy_saved_fen` is the discount of
    payments that were declined or had none.
    """

    alerts: int
    frauds: int
    precision: float | None
    recall: float | None
    fraud_fen: int
    fraud_fen_share: float | None
    good_payments: int
    good_customers: int
    good_fen: int
    subsidy_saved_fen: int


def whole_of(history: History, begin: int, end: int | None = None) -> Whole:
    """Of the payments from one place to another."""
    part = slice(begin, end)
    fraud, amounts = history.fraud[part], history.amount_fen[part]
    return Whole(
        payments=len(fraud),
        frauds=int(fraud.sum()),
        fraud_fen=int(amounts[fraud].sum()),
        amount_fen=int(amounts.sum()),
        subsidy_fen=int(history.discount_fen[part].sum()),
    )


def tally_of(history: History, alerted: Ints, whole: Whole, saved: Bools | None = None) -> Tally:
    """Of the payments at these places; `saved` says of each whether its subsidy was not paid (none of them without)."""
    fraud = history.fraud[alerted]
    caught, good = alerted[fraud], alerted[~fraud]
    fraud_fen = int(history.amount_fen[caught].sum())
    customers = history.codes(_CUSTOMER)[good]
    return Tally(
        alerts=len(alerted),
        frauds=len(caught),
        precision=len(caught) / len(alerted) if len(alerted) else None,
        recall=len(caught) / whole.frauds if whole.frauds else None,
        fraud_fen=fraud_fen,
        fraud_fen_share=fraud_fen / whole.fraud_fen if whole.fraud_fen else None,
        good_payments=len(good),
        good_customers=len(np.unique(customers[customers != NOBODY])),
        good_fen=int(history.amount_fen[good].sum()),
        subsidy_saved_fen=0 if saved is None else int(history.discount_fen[alerted[saved]].sum()),
    )
