"""A large document is made in a process of its own, to the same version as a small one in a thread."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from risk.rules import apart
from risk.rules.apart import IN_A_THREAD_BYTES_MAX, MakersBusy, make_apart
from risk.rules.document import RuleSetError
from risk.rules.making import PIECE_RULES, Known, NoDocument, make
from tests.support.rule_sets import rule

KNOWN = Known(["block"], None)
MANY = [rule(f"R_{number}", f"payment.amount > {number}", tests=[]) for number in range(1_100)]
FAILING = [{"given": {}, "hits": True}]


def body_of(*rules: object) -> bytes:
    body = orjson.dumps({"note": "n", "rules": rules})
    assert len(body) > IN_A_THREAD_BYTES_MAX
    return body


async def test_a_large_document_becomes_what_it_becomes_here() -> None:
    body = body_of(*MANY, rule("R_LAST", tests=FAILING))
    made, here = await make_apart(body, KNOWN), make(body, KNOWN)
    assert (made.head, made.rule_count, made.test_count) == (here.head, 1_101, 1)
    assert made.failures == here.failures != ()
    assert made.pieces == here.pieces
    assert [len(orjson.loads(piece)) for piece in made.pieces] == [PIECE_RULES, PIECE_RULES, 101]
    assert made.artefact


async def test_what_is_wrong_with_it_is_told_as_here() -> None:
    body = body_of(*MANY, rule("R_1"), rule("R_L", "listed('blok', 'ip')"))
    with pytest.raises(RuleSetError) as refused:
        await make_apart(body, KNOWN)
    with pytest.raises(RuleSetError) as here:
        make(body, KNOWN)
    assert refused.value.problems == here.value.problems
    assert [problem.path for problem in refused.value.problems] == ["rules.1100.code", "rules.1101.when"]


@pytest.mark.parametrize("body", [b"{" + b" " * IN_A_THREAD_BYTES_MAX, b"[]" + b" " * IN_A_THREAD_BYTES_MAX, b"5", b""])
async def test_what_is_no_object_is_told(body: bytes) -> None:
    with pytest.raises(NoDocument):
        await make_apart(body, KNOWN)


async def test_so_many_are_made_at_a_time_and_none_stays_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    body = body_of(*MANY)
    under_way = [asyncio.create_task(make_apart(body, KNOWN)) for _ in range(apart.AT_A_TIME_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(MakersBusy):
        await make_apart(body, KNOWN)
    under_way[0].cancel()
    results = await asyncio.gather(*under_way, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert not isinstance(results[1], BaseException)
    assert (await make_apart(body, KNOWN)).rule_count == 1_100
    assert list(tmp_path.iterdir()) == []
