"""A small town whose payments are made up: customers with their usual amounts, and two kinds of fraud among them."""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path
from typing import NamedTuple

DAY_S = 86_400
HEADINGS = ("transaction_id", "tx_time", "customer_id", "terminal_id", "amount_cents", "fraud", "scenario")
DAYS = 60
HIGH_FEN = 30_000
"""Nobody pays as much but fraudsters."""
_CUSTOMERS = 60
_TERMINALS = 40
_A_DAY = 150


class Sold(NamedTuple):
    """One line of the file."""

    number: int
    at_s: int
    customer: int
    terminal: int
    amount_fen: int
    fraud: bool


def payments(seed: int = 1, days: int = DAYS) -> list[Sold]:
    """High amounts are fraud, and so is everything at a terminal for three weeks after it was broken into."""
    chance = random.Random(seed)
    usual = [chance.randrange(2_000, 8_000) for _ in range(_CUSTOMERS)]
    broken = {terminal: chance.randrange(days) for terminal in range(0, _TERMINALS, 3)}
    found = []
    for day in range(days):
        for at_s in sorted(chance.randrange(DAY_S) for _ in range(_A_DAY)):
            customer, terminal = chance.randrange(_CUSTOMERS), chance.randrange(_TERMINALS)
            amount = max(100, round(chance.gauss(usual[customer], usual[customer] / 3)))
            high = chance.random() < 0.005
            fraud = high or (terminal in broken and 0 <= day - broken[terminal] < 21)
            amount = HIGH_FEN + amount if high else amount
            found.append(Sold(len(found), day * DAY_S + at_s, customer, terminal, amount, fraud))
    return found


def write(path: Path, sold: list[Sold]) -> Path:
    """As the handbook's file is; gzipped where the name says so."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(HEADINGS)
    for each in sold:
        rows.writerow((each.number, each.at_s, each.customer, each.terminal, each.amount_fen, int(each.fraud), 0))
    plain = text.getvalue().encode()
    path.write_bytes(gzip.compress(plain) if path.suffix == ".gz" else plain)
    return path
