"""The client knows every field that the API answers and every parameter that it takes: neither side is ahead."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from pydantic import BaseModel

from gateway.client import AsyncClient, Client, calls, coupon_calls, objects, quotes, reports, webhook_calls
from gateway.client.call import Call
from gateway.codes.schemas import CodeObject, CodeRequest
from gateway.coupons.schemas import CouponObject
from gateway.payments.schemas import PaymentObject, PaymentRequest
from gateway.quotes.schemas import QuoteObject, QuoteRequest
from gateway.receipts.schemas import ReceiptObject
from gateway.refunds.schemas import RefundObject, RefundRequest
from gateway.reports.schemas import ShiftReportObject
from gateway.webhooks.schemas import (
    EndpointObject,
    EventObject,
    EventWithDeliveries,
    MessageObject,
    NewEndpointObject,
    NewEndpointRequest,
)

ANSWERS: Final[dict[Any, type[BaseModel]]] = {
    objects.Payment: PaymentObject,
    objects.Refund: RefundObject,
    objects.Code: CodeObject,
    objects.Coupon: CouponObject,
    objects.Receipt: ReceiptObject,
    objects.WebhookEndpoint: EndpointObject,
    objects.NewWebhookEndpoint: NewEndpointObject,
    objects.Message: MessageObject,
    objects.Event: EventObject,
    objects.EventWithDeliveries: EventWithDeliveries,
    reports.ShiftReport: ShiftReportObject,
    quotes.Quote: QuoteObject,
}
REQUESTS: Final[list[tuple[Callable[..., Any], type[BaseModel], set[str]]]] = [
    (calls.pay, PaymentRequest, {"method"}),
    (calls.refund, RefundRequest, set()),
    (calls.quote, QuoteRequest, set()),
    (
        calls.create_code,
        CodeRequest,
        {"type", "currency", *("merchant_order_no", "expires_in", "customer", "coupons", "notify_url")},
    ),
    (webhook_calls.create_webhook_endpoint, NewEndpointRequest, set()),
]
"""A call, what it sends, and the fields that it fills in by itself or leaves to another call."""


def calls_of(module: types.ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions of a module that build a call."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }


CALLS: Final = calls_of(calls) | calls_of(coupon_calls) | calls_of(webhook_calls)


def parts(hint: Any) -> Iterator[Any]:
    """A type, or the types in an optional one, in a union, or in a list."""
    if get_origin(hint) in {Union, types.UnionType, list}:
        for inner in get_args(hint):
            yield from parts(inner)
    elif hint is not type(None):
        yield hint


def values(hint: Any) -> frozenset[str] | None:
    """The words that a field may hold, where that is a closed set."""
    words: set[str] = set()
    for kind in parts(hint):
        if get_origin(kind) is Literal:
            words.update(get_args(kind))
        elif inspect.isclass(kind) and issubclass(kind, StrEnum):
            words.update(kind)
        else:
            return None
    return frozenset(words)


def differences(mine: Any, documented: type[BaseModel], path: str = "") -> list[str]:
    """Where a typed dictionary and a model differ: names, closed sets of words, and what stands under them."""
    fields = {field.alias or name: field.annotation for name, field in documented.model_fields.items()}
    hints = get_type_hints(mine)
    found = [f"{path}{name}" for name in hints.keys() ^ fields.keys()]
    for name in hints.keys() & fields.keys():
        words = values(hints[name]), values(fields[name])
        if None not in words and words[0] != words[1]:
            found.append(f"{path}{name}: {words}")
        models = [kind for kind in parts(fields[name]) if inspect.isclass(kind) and issubclass(kind, BaseModel)]
        for inner, model in zip([kind for kind in parts(hints[name]) if is_typeddict(kind)], models, strict=False):
            found += differences(inner, model, f"{path}{name}.")
    return found


@pytest.mark.parametrize(("mine", "documented"), ANSWERS.items(), ids=lambda kind: kind.__name__)
def test_an_object_has_the_fields_that_the_api_documents(mine: Any, documented: type[BaseModel]) -> None:
    assert differences(mine, documented) == []


@pytest.mark.parametrize(("call", "sent", "apart"), REQUESTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_request_has_the_fields_that_the_api_takes(
    call: Callable[..., Any], sent: type[BaseModel], apart: set[str]
) -> None:
    assert set(inspect.signature(call).parameters) - {"wait_s", "idempotency_key"} == sent.model_fields.keys() - apart


@pytest.mark.parametrize("name", CALLS)
def test_both_clients_have_every_call_with_its_description(name: str) -> None:
    assert inspect.signature(CALLS[name], eval_str=False).return_annotation.startswith(Call.__name__)
    for client in (Client, AsyncClient):
        assert getattr(client, name).__doc__ == CALLS[name].__doc__
