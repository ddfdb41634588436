"""The examples of the refund API are requests and answers that it really takes and gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.kernel.failures import FAILURES, FailureCode
from gateway.refunds import examples
from gateway.refunds.refund import Share
from gateway.refunds.schemas import RefundList, RefundObject, RefundRequest
from tests.unit.refunds.refunds import refund


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


def test_a_funder_of_two_campaigns_is_told_once() -> None:
    shares = (Share("bank", 104, "cam_a"), Share("merchant", 44, "cam_a"), Share("bank", 104, "cam_b"))
    shown = refund(discount_returned=252, funding=(*shares, Share("bank", 9, "cam_c", of_fee=True))).to_json()
    assert shown["funding"] == [{"sponsor": "bank", "amount": 208}, {"sponsor": "merchant", "amount": 44}]
