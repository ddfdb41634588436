"""The examples of the refund API are requests and answers that it really takes and gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.kernel.failures import FAILURES, FailureCode
from gateway.refunds import examples
from gateway.refunds.schemas import RefundList, RefundObject, RefundRequest


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (RefundRequest, examples.REFUND_REQUEST),
        (RefundObject, examples.REFUND),
        (RefundObject, examples.FAILED_REFUND),
        (RefundList, examples.REFUND_LIST),
    ],
)
def test_an_example_is_of_its_kind(model: type[BaseModel], example: dict[str, Any]) -> None:
    model.model_validate_json(json.dumps(example), strict=True)


def test_the_parts_of_an_example_add_up() -> None:
    refund = examples.REFUND
    assert refund["returned_to_customer"] + refund["discount_returned"] == refund["amount"]
    assert sum(share["amount"] for share in refund["funding"]) == refund["discount_returned"]


def test_the_failure_of_an_example_is_the_tables() -> None:
    failure = examples.FAILED_REFUND["failure"]
    meaning = FAILURES[FailureCode(failure["code"])]
    assert (failure["message"], failure["retryable"]) == (meaning.message, meaning.retryable)
