"""The worker's probes tell the truth: a loop that hangs is not alive, and what has not begun or stops is not ready."""

from __future__ import annotations

import httpx
import pytest

from gateway.metrics.exposition import Exposition
from gateway.workers import probes
from gateway.workers.probes import Loop, Turns, probes_app


async def get(turns: Turns, path: str) -> tuple[int, str]:
    transport = httpx.ASGITransport(probes_app(turns, Exposition()))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        answer = await client.get(path)
        return answer.status_code, answer.text


async def test_a_worker_that_waits_for_postgresql_is_alive_and_not_ready() -> None:
    turns = Turns()
    assert (await get(turns, "/livez"))[0] == 200
    assert (await get(turns, "/readyz"))[0] == 503
    assert (await get(turns, "/metrics"))[0] == 200


@pytest.mark.parametrize("hung", list(Loop))
async def test_a_loop_that_does_not_come_round_is_told_and_the_worker_is_not_alive(
    hung: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, now_s = Turns(), 1_000.0
    monkeypatch.setattr(probes.time, "monotonic", lambda: now_s)
    for loop in Loop:
        turns.turned(loop)
    now_s += probes._STALLED_S[hung] - 1
    for loop in set(Loop) - {hung}:
        turns.turned(loop)
    assert turns.stalled() == []
    now_s += 2
    assert turns.stalled() == [hung]


async def test_the_answer_names_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()
    monkeypatch.setattr(turns, "stalled", lambda: [Loop.TASKS])
    status, text = await get(turns, "/livez")
    assert (status, text) == (503, '{"status":"stalled","loops":["tasks"]}')
