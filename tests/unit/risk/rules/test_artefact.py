"""A compiled set survives being written in pieces and read again, whole or not at all."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from loadtests.traffic.risk_rules import document_of, payments_of
from risk.engine import decide
from risk.rules import artefact, compiled
from risk.rules.artefact import ArtefactBroken, let_go, pieces_of, read
from risk.rules.compiled import CompiledSet, joined, parts_of
from risk.rules.document import parse
from risk.values import values_of

RULES = 1_200


@cache
def in_force() -> CompiledSet:
    """Enough rules that some stand under keys and some in blocks."""
    return CompiledSet.of(parse(document_of(RULES), lists=None, models=None), 3)


def next_of(pieces: tuple[bytes, ...]) -> Callable[[], bytes]:
    return iter((*pieces, b"")).__next__


def same_decisions(one: CompiledSet, other: CompiledSet) -> bool:
    for facts, features in payments_of(200):
        values = values_of(one, facts, features)
        if decide(one, values, facts) != decide(other, values, facts):
            return False
    return True


@pytest.fixture(params=[128, 4_096])
def part_rules(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rules are a part: such a set has several of each kind, or one."""
    monkeypatch.setattr(compiled, "PART_RULES", request.param)
    monkeypatch.setattr("gateway.kernel.expressions.index.PART_ROWS", request.param)


@pytest.mark.usefixtures("part_rules")
@pytest.mark.parametrize("piece_bytes", [1, 77, 10_000_000])
def test_what_is_read_decides_as_what_was_written(monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    if piece_bytes == 1 and compiled.PART_RULES < RULES:
        pytest.skip("a piece for each byte: once is enough")
    monkeypatch.setattr(artefact, "PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(artefact, "PAUSE_S", 0)
    again = read(9, next_of(pieces_of(in_force())))
    assert (again.version, again.codes, again.effects) == (9, in_force().codes, in_force().effects)
    assert (again.priorities, again.needs, again.thresholds) == (
        in_force().priorities,
        in_force().needs,
        in_force().thresholds,
    )
    assert same_decisions(in_force(), replace(again, version=3))


def test_what_rules_share_they_share_again() -> None:
    again = read(3, next_of(pieces_of(in_force())))
    checks = [check for some in again.matcher.shared() for check in some]
    assert len(checks) > RULES / 2
    assert len(checks) == len(set(checks))
    assert len({id(effect) for effect in again.effects}) == len(set(again.effects))


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_part_of_it_is_refused(kept: int) -> None:
    whole = b"".join(pieces_of(in_force()))
    with pytest.raises(ArtefactBroken, match="not whole"):
        read(3, next_of((whole[:kept],)))


def test_the_garbage_collector_is_as_it_was_whatever_happens() -> None:
    assert gc.isenabled()
    with pytest.raises(ArtefactBroken):
        read(3, next_of(()))
    assert gc.isenabled()
    gc.disable()
    try:
        read(3, next_of(pieces_of(in_force())))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_reading_lets_others_run_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("risk.rules.artefact.time.sleep", pauses.append)
    pieces = pieces_of(in_force())
    thread = threading.Thread(target=read, args=(3, next_of(pieces)))
    thread.start()
    thread.join()
    size = sum(map(len, pieces))
    assert size // (128 * 1024) <= len(pauses) <= size // (32 * 1024)


def test_what_is_let_go_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefact, "PAUSE_S", 0)
    held = [read(3, next_of(pieces_of(in_force())))]
    gc.collect()
    before = len(gc.get_objects())
    let_go(held)
    assert held == []
    assert before - len(gc.get_objects()) > RULES


def test_the_parts_of_a_set_make_the_same_set() -> None:
    again = joined(parts_of(in_force()), 3)
    assert again.codes == in_force().codes
    assert same_decisions(in_force(), again)


def test_other_code_has_another_format(monkeypatch: pytest.MonkeyPatch) -> None:
    assert artefact._format() == artefact.FORMAT
    monkeypatch.setattr(artefact, "_SOURCES", artefact._SOURCES[:-1])
    assert artefact._format() != artefact.FORMAT
