"""What a run of `make load` does, as one private file: every Locust process, here or on another machine, reads it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from gateway.devstack.files import write_private
from loadtests.load.shapes import ShapeName

PLAN_VARIABLE: Final = "MASHANG_LOAD_PLAN"
"""Names the plan's file in the environment of Locust, which takes no arguments of ours."""


class Model(StrEnum):
    """Who decides when the next customer comes."""

    CLOSED = "closed"
    """So many tills; each serves its next customer when the last one has left, so a slow gateway is asked less."""
    OPEN = "open"
    """So many customers a second, whatever the gateway does."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant, with a key of all scopes."""

    id: str
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole of it.  `level` is the highest of the shape: tills, or customers a second."""

    gateway: str
    scanners: dict[str, str]
    """The simulators by wallet, where its customers scan, and the bar-code front's."""
    shops: list[Shop]
    """By the trade that they do: the first has the most customers."""
    coupon_campaign_id: str
    customers: int
    displayed_percent: float
    """Of the payments: so many by a code on display, the others by the customer's bar code."""
    model: Model
    shape: ShapeName
    level: int
    seconds: float
    think_s: float
    """Between two customers of a till, on average."""
    by_hand: bool
    """The level is set on Locust's page, and no shape changes it."""
    run_number: int
    seed: int
    folder: Path
    """For the books of this machine's Locust processes, and for what the first of them counted."""


_ADAPTER: Final = TypeAdapter(Plan)


def write_plan(plan: Plan, path: Path) -> None:
    """Write it for this user only: it has the shops' keys."""
    write_private(path, _ADAPTER.dump_json(plan, indent=2).decode() + "\n")


def read_plan(path: Path) -> Plan:
    """Raises OSError and pydantic's ValidationError."""
    return _ADAPTER.validate_json(path.read_bytes())
