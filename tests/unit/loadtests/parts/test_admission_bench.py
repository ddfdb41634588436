"""The benchmark of refusals counts refusals: another answer costs something else, and says so."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtests.parts.admission import Answers, _is_whole, refusals
from loadtests.parts.admission_server import STATUSES


def test_answers_of_another_status_are_not_taken_for_refusals() -> None:
    Answers(statuses=Counter({503: 99, 204: 1})).require(503)
    with pytest.raises(RuntimeError, match="not HTTP 503"):
        Answers(statuses=Counter({503: 98, 204: 2})).require(503)


def test_an_answer_in_two_pieces_is_one_answer() -> None:
    head, body = b"HTTP/1.1 503 X\r\nContent-Length: 5\r\nRetry-After: 1\r\n\r\n", b"12345"
    assert [_is_whole(part) for part in (head[:20], head, head + body[:4], head + body)] == [False, False, False, True]
    assert _is_whole(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.mark.slow
def test_every_kind_is_served_as_the_gateway_would_and_costs_something() -> None:
    costs = refusals(rounds=1, count=3_200)
    assert [cost.what for cost in costs] == list(STATUSES)
    assert all(cost.best_us > 0 for cost in costs)
