"""One call of an endpoint, in curl and in Python: with `gateway.client` where it has the call, else with httpx."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pprint import pformat
from typing import Any, Final
from urllib.parse import urlencode

from gateway.client import calls, coupon_calls, webhook_calls
from gateway.client.call import Call
from gateway.reference.operations import JsonObject, Operation

URL: Final = "http://127.0.0.1:8000"
_PLACES: Final[Mapping[str, str]] = {
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "refund_id": "ref_01JD60A1B2M0Q9C6R1T2X4Y7KC",
    "code_id": "cod_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "coupon_id": "cpn_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "campaign_id": "cam_01JD3R2V8W3M0Q9C6R1T2X4Y7C",
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "endpoint_id": "we_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "event_id": "evt_01JD5ZV8X9N1S4D7F2G5H8J3KM",
    "review_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "case_id": "case_01JD60A1B2M0Q9C6R1T2X4Y7KC",
    "key_id": "key_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "import_id": "imp_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "entry_id": "ip-8f14e45fceea167a",
    "account_id": "wechat_direct",
    "account": "wechat_direct",
    "channel": "wechat",
    "wallet": "wechat",
    "store_id": "s-1",
    "customer_id": "c-42",
    "name": "vip",
    "version": "7",
    "against": "6",
    "kind": "svg",
    "token": "Zr3mXc0q9vT1",
}
"""What stands in a path, or in a query that cannot do without."""
_BUILDERS: Final[Mapping[tuple[str, str], Callable[..., Call[Any]]]] = {
    ("POST", "/v1/payments"): calls.pay,
    ("GET", "/v1/payments"): calls.payments,
    ("GET", "/v1/payments/{payment_id}"): calls.payment,
    ("POST", "/v1/payments/{payment_id}/cancel"): calls.cancel,
    ("GET", "/v1/payments/{payment_id}/receipt"): calls.receipt,
    ("POST", "/v1/refunds"): calls.refund,
    ("GET", "/v1/refunds"): calls.refunds,
    ("GET", "/v1/refunds/{refund_id}"): calls.find_refund,
    ("POST", "/v1/quotes"): calls.quote,
    ("POST", "/v1/codes"): calls.create_code,
    ("GET", "/v1/codes"): calls.codes,
    ("GET", "/v1/codes/{code_id}"): calls.find_code,
    ("POST", "/v1/codes/{code_id}/revoke"): calls.revoke_code,
    ("POST", "/v1/coupons"): coupon_calls.claim_coupon,
    ("GET", "/v1/coupons"): coupon_calls.coupons,
    ("GET", "/v1/coupons/{coupon_id}"): coupon_calls.find_coupon,
    ("GET", "/v1/shift_report"): calls.shift_report,
    ("POST", "/v1/webhook_endpoints"): webhook_calls.create_webhook_endpoint,
    ("GET", "/v1/webhook_endpoints"): webhook_calls.webhook_endpoints,
    ("GET", "/v1/webhook_endpoints/{endpoint_id}"): webhook_calls.find_webhook_endpoint,
    ("PATCH", "/v1/webhook_endpoints/{endpoint_id}"): webhook_calls.change_webhook_endpoint,
    ("DELETE", "/v1/webhook_endpoints/{endpoint_id}"): webhook_calls.delete_webhook_endpoint,
    ("POST", "/v1/webhook_endpoints/{endpoint_id}/rotate_secret"): webhook_calls.rotate_webhook_secret,
    ("POST", "/v1/webhook_endpoints/{endpoint_id}/test"): webhook_calls.test_webhook_endpoint,
    ("GET", "/v1/events"): webhook_calls.events,
    ("GET", "/v1/events/{event_id}"): webhook_calls.find_event,
    ("POST", "/v1/events/{event_id}/resend"): webhook_calls.resend_event,
}
"""The calls that the client has; a test holds that it has no other."""
_SHORT_CHARACTERS: Final = 90
"""A body up to so long stands in curl's line."""
_WIDTH_CHARACTERS: Final = 100


def target_of(operation: Operation) -> str:
    """Path and query of the sample call."""
    path = operation.path
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", _PLACES[parameter["name"]])
    query = _query(operation)
    return f"{path}?{urlencode(query)}" if query else path


def curl(operation: Operation, body: object) -> str:
    """The call in curl; `$KEY` and `$ADMIN` are set as the reference's first page says."""
    method = f"-X {operation.method} " if operation.method not in {"GET", "POST"} or body is None else ""
    parts = [f"curl -s {method.replace('-X GET ', '')}'{URL}{target_of(operation)}'"]
    if not operation.is_public:
        parts.append(f'-H "Authorization: Bearer ${"ADMIN" if operation.is_admin else "KEY"}"')
    if body is None:
        return " \\\n  ".join(parts)
    parts.append("-H 'Content-Type: application/json'")
    text = json.dumps(body, ensure_ascii=False)
    if len(text) <= _SHORT_CHARACTERS and "'" not in text:
        return " \\\n  ".join([*parts, f"-d '{text}'"])
    return " \\\n  ".join([*parts, f"-d @- <<'JSON'\n{json.dumps(body, ensure_ascii=False, indent=2)}\nJSON"])


def python(operation: Operation, body: object) -> str:
    """The call in Python; `mashang` and `ADMIN` are set as the reference's first page says."""
    builder = _BUILDERS.get((operation.method, operation.path))
    return _with_httpx(operation, body) if builder is None else _with_client(operation, builder, body)


def client_call(operation: Operation, body: object) -> Call[Any] | None:
    """The call as the client makes it from the sample's arguments; None for one that it does not have."""
    builder = _BUILDERS.get((operation.method, operation.path))
    if builder is None:
        return None
    positional, named = _arguments(operation, builder, body)
    return builder(*positional, **named)


def _with_client(operation: Operation, builder: Callable[..., Call[Any]], body: object) -> str:
    positional, named = _arguments(operation, builder, body)
    arguments = [repr(value) for value in positional] + [f"{name}={_literal(value)}" for name, value in named.items()]
    return _called(f"mashang.{builder.__name__}", arguments)


def _with_httpx(operation: Operation, body: object) -> str:
    arguments = [f'"{URL}{target_of(operation)}"']
    if not operation.is_public:
        arguments.append("headers=ADMIN" if operation.is_admin else "headers=KEY")
    if body is not None:
        arguments.append(f"json={_literal(body)}")
    return _called(f"httpx.{operation.method.lower()}", arguments) + ".raise_for_status()"


def _called(name: str, arguments: list[str]) -> str:
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= _WIDTH_CHARACTERS and "\n" not in line:
        return line
    inner = "".join(f"    {argument},\n".replace("\n", "\n    ").rstrip(" ") for argument in arguments)
    return f"{name}(\n{inner})"


def _arguments(
    operation: Operation, builder: Callable[..., Call[Any]], body: object
) -> tuple[list[Any], dict[str, Any]]:
    """The sample's values by the builder's parameters."""
    values: dict[str, Any] = dict(_query(operation)) | (dict(body) if isinstance(body, dict) else {})
    if builder is coupon_calls.claim_coupon:
        customer = values.pop("customer")
        values |= {"customer_id": customer["id"]} | {key: customer[key] for key in ("card_bin",) if key in customer}
    positional = [_PLACES[item["name"]] for item in operation.parameters if item["in"] == "path"]
    parameters = inspect.signature(builder).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return positional, {name: value for name, value in values.items() if takes_all or name in parameters}


def _query(operation: Operation) -> dict[str, str]:
    """The parameters that the query cannot do without, and whose coupons are meant: the client asks for no others."""
    asked: list[JsonObject] = [item for item in operation.parameters if item["in"] == "query"]
    needed = [item["name"] for item in asked if item["required"] or item["name"] == "customer_id"]
    return {name: _PLACES[name] for name in needed}


def _literal(value: object) -> str:
    return pformat(value, width=_WIDTH_CHARACTERS - 4, sort_dicts=False)
