"""Every failure code means something to the till, and every code of an error answer is documented."""

from __future__ import annotations

import pytest

from gateway.kernel.errors import (
    ApiError,
    Conflict,
    InvalidRequest,
    NotAuthenticated,
    RateLimited,
    Unavailable,
    not_found,
)
from gateway.kernel.failures import FAILURES, FailureCode


def test_every_failure_code_has_one_meaning_and_every_meaning_a_code() -> None:
    assert set(FAILURES) == set(FailureCode)
    assert len({meaning.message for meaning in FAILURES.values()}) == len(FAILURES)


@pytest.mark.parametrize("code", FailureCode)
def test_a_meaning_is_a_sentence_for_the_tills_operator(code: FailureCode) -> None:
    message = FAILURES[code].message
    assert message[0].isupper()
    assert message.endswith(".")
    assert len(message) < 100


def test_a_new_order_number_cannot_help_where_the_answer_would_be_the_same() -> None:
    final = {code for code, meaning in FAILURES.items() if not meaning.retryable}
    assert {FailureCode.RISK_DECLINED, FailureCode.NO_CHANNEL, FailureCode.WALLET_UNSUPPORTED} <= final
    assert FailureCode.CHANNEL_UNAVAILABLE not in final


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [(InvalidRequest, 400, "invalid_request"), (NotAuthenticated, 401, "authentication"), (Conflict, 409, "conflict"),
     (RateLimited, 429, "rate_limited"), (Unavailable, 503, "unavailable")],
)  # fmt: skip
def test_an_error_has_the_status_and_type_of_the_contract(kind: type[ApiError], status: int, name: str) -> None:
    error = kind("not_found", "What to do.", param="amount", retry_after_s=2)
    assert (error.http_status, error.type, error.code, error.param, error.retry_after_s) == (
        status,
        name,
        "not_found",
        "amount",
        2,
    )


def test_what_is_not_there_is_a_404_that_names_it() -> None:
    error = not_found("payment")
    assert (error.http_status, error.code, error.param) == (404, "not_found", "id")
    assert "payment" in error.message
