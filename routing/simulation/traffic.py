"""The payments of a play: drawn by a seed, or read from a file of recorded ones."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.kernel.clock import BEIJING
from routing.channels.base import Wallet
from routing.sale import Method, Sale
from routing.simulation.channels import Luck, draw
from routing.simulation.scenario import Scenario, ScenarioError

BEGINNING: Final = datetime(2026, 11, 11, 10, 0, tzinfo=BEIJING)
"""The wall clock at second 0 of every play with payments that were drawn."""
_SPREAD: Final = 0.8
"""Of the logarithm of amounts."""
_AMOUNT_FEN_MAX: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One payment: when (seconds from the beginning), what, and its luck."""

    at_s: float
    sale: Sale
    luck: Luck


def drawn(scenario: Scenario, seed: int) -> Iterator[Arrival]:
    """Payments that come by chance (Poisson), as many a second as the scenario says."""
    rng = random.Random(f"{scenario.name}:{seed}")  # noqa: S311  to be repeated, not to be unforeseeable
    at_s, number = 0.0, 0
    while (at_s := at_s + rng.expovariate(scenario.per_s)) < scenario.duration_s:
        number += 1
        amount_fen = max(1, min(_AMOUNT_FEN_MAX, round(scenario.amount_median_fen * math.exp(rng.gauss(0, _SPREAD)))))
        yield Arrival(at_s, _sale(f"{seed}:{number}", at_s, amount_fen), draw(rng))


def recorded(path: Path, seed: int) -> Iterator[Arrival]:
    """Payments of a CSV with `at` (RFC 3339) and `amount` (fen), in order; the luck is drawn.  Raises ScenarioError."""
    rng = random.Random(f"{path.name}:{seed}")  # noqa: S311
    first: datetime | None = None
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines), start=1):
                at, amount_fen = datetime.fromisoformat(row["at"]).astimezone(UTC), int(row["amount"])
                first = first or at
                at_s = (at - first).total_seconds()
                if at_s < 0 or not 0 < amount_fen <= _AMOUNT_FEN_MAX:
                    raise ScenarioError(f"{path}: line {number + 1} is out of order, or its amount is none")
                yield Arrival(at_s, _sale(f"{seed}:{number}", at_s, amount_fen), draw(rng))
    except (OSError, UnicodeDecodeError, KeyError, TypeError, csv.Error) as error:
        raise ScenarioError(f"{path}: needs the columns at and amount ({type(error).__name__})") from error
    except ValueError as error:
        raise error if isinstance(error, ScenarioError) else ScenarioError(f"{path}: {error}") from error
    if first is None:
        raise ScenarioError(f"{path}: holds no payment; the first line names the columns at and amount")


def _sale(seed: str, at_s: float, amount_fen: int) -> Sale:
    return Sale(
        seed=seed,
        merchant_id="mer_simulated",
        amount_fen=amount_fen,
        wallet=Wallet.WECHAT,
        method=Method.BARCODE,
        at=BEGINNING + timedelta(seconds=at_s),
    )
