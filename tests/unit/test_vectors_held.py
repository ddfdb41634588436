"""No kind of golden vector drops out unseen: each side runs what docs/sdk-check.md says, and gaps have reasons."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import pytest

from tests.unit.channels import test_golden_vectors
from tests.unit.simulators import test_alipay_vectors, test_qra_vectors, test_unionpay_vectors, test_wechat_vectors

ROOT: Final = Path(__file__).parents[2]
CHANNELS: Final = ("wechat", "alipay", "unionpay")
SIDES: Final = {
    "adapter": (test_golden_vectors,),
    "simulator": (test_wechat_vectors, test_alipay_vectors, test_unionpay_vectors, test_qra_vectors),
}


class Row(NamedTuple):
    """One line of the table: how many vectors each side runs, and why not all."""

    adapter: str
    simulator: str
    reason: str


def kinds() -> dict[tuple[str, str], set[str]]:
    """The ids of all vectors, by channel and kind."""
    found: dict[tuple[str, str], set[str]] = {}
    for channel in CHANNELS:
        document = json.loads((ROOT / f"tests/data/channel-vectors/{channel}.json").read_text("utf-8"))
        for vector in document["vectors"]:
            found.setdefault((channel, vector["kind"]), set()).add(vector["id"])
    return found


def rows() -> dict[tuple[str, str], Row]:
    """The table, by channel and kind; the channel stands in the first of its lines only."""
    text = (ROOT / "docs/sdk-check.md").read_text("utf-8").partition("\n| Channel | Kind |")[2]
    listed: list[tuple[tuple[str, str], Row]] = []
    channel = ""
    for line in text.splitlines()[2:]:
        if not line.startswith("|"):
            break
        first, named, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        channel = first.lower() or channel
        listed += [((channel, kind.strip()), Row(*rest)) for kind in named.split(",")]
    assert max(Counter(key for key, _ in listed).values()) == 1
    return dict(listed)


def run_by(modules: tuple[ModuleType, ...]) -> dict[str, set[str]]:
    """The ids of the vectors that tests are given one by one, by kind and channel in one name."""
    given = [
        vector
        for module in modules
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "parametrize" and mark.args[0] == "vector"
        for vector in mark.args[1]
    ]
    found: dict[str, set[str]] = {}
    for vector in given:
        found.setdefault(f"{vector['id'].partition('-')[0]} {vector['kind']}", set()).add(vector["id"])
    return found


def test_every_kind_of_the_three_files_stands_in_the_table_and_nothing_else_does() -> None:
    assert rows().keys() == kinds().keys()


@pytest.mark.parametrize("side", SIDES)
def test_each_side_runs_as_many_vectors_of_a_kind_as_the_table_says(side: str) -> None:
    run, said, counted = run_by(SIDES[side]), rows(), {}
    for (channel, kind), ids in kinds().items():
        mine = run.get(f"{channel} {kind}", set())
        assert mine <= ids
        counted[channel, kind] = f"{len(mine)} of {len(ids)}" if mine else "none"
    assert counted == {key: getattr(row, side) for key, row in said.items()}


def test_a_vector_that_a_side_leaves_out_has_its_reason_in_the_table() -> None:
    def whole(cell: str) -> bool:
        held, _, of = cell.partition(" of ")
        return held == of

    gaps = {key: row for key, row in rows().items() if not (whole(row.adapter) and whole(row.simulator))}
    assert [key for key, row in gaps.items() if not row.reason] == []


def test_what_unionpay_speaks_is_held_by_both_sides() -> None:
    """There is no SDK to drive its simulator with, so these vectors are the only witness."""
    held: dict[str, Any] = {side: run_by(modules) for side, modules in SIDES.items()}
    for kind in ("sign", "response", "parse", "notification", "file", "qra_sign", "qra_response"):
        assert all(f"unionpay {kind}" in run for run in held.values()), kind
