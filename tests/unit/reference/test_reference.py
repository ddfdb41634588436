"""The reference in docs/ is what the code says, and its sample calls are the calls that they claim to be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.client.client import Client
from gateway.kernel.error_codes import ERRORS
from gateway.kernel.failures import FAILURES
from gateway.reference import samples
from gateway.reference.__main__ import DOCS, reference
from gateway.reference.document import openapi_document
from gateway.reference.fields import Schemas
from gateway.reference.operations import Operation, operations

DOCUMENT = openapi_document()
OPERATIONS = {f"{operation.method} {operation.path}": operation for _, operation in operations(DOCUMENT)}
NO_CALLS = {"run", "each", "await_payment", "await_refund", "close"}


def test_the_committed_pages_are_those_that_the_code_makes() -> None:
    texts = reference()
    written = {str(path.relative_to(DOCS)) for path in (DOCS / "api").glob("*.md")} | {"errors.md", "settings.md"}
    assert written == set(texts)
    stale = [name for name, text in texts.items() if (DOCS / name).read_text("utf-8") != text]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_call_of_the_client_sends_what_curl_sends(operation: Operation) -> None:
    body = Schemas(DOCUMENT).example(operation.body)
    call = samples.client_call(operation, body)
    if call is None:
        assert "httpx." in samples.python(operation, body)
        return
    assert (call.method, call.target) == (operation.method, samples.target_of(operation))
    assert (json.loads(call.body) if call.body else None) == body
    compile(samples.python(operation, body), "sample", "eval")


def test_the_client_has_no_call_that_the_reference_does_not_show() -> None:
    shown = "\n".join((DOCS / "api" / name).read_text("utf-8") for name in ("payments.md", "codes.md", "coupons.md"))
    shown += "\n".join((DOCS / "api" / name).read_text("utf-8") for name in ("reports.md", "webhooks.md"))
    offered = {name for name in vars(Client) if not name.startswith("_")} - NO_CALLS
    assert {name for name in offered if f"mashang.{name}(" not in shown} == set()


def test_every_code_has_its_row_and_its_anchor() -> None:
    text = (DOCS / "errors.md").read_text("utf-8")
    assert [code for code in (*ERRORS, *FAILURES) if f'<a id="{code}"></a>`{code}`' not in text] == []


def test_a_body_that_curl_sends_is_the_schemas_example() -> None:
    operation = OPERATIONS["POST /admin/v1/campaigns"]
    body: Any = Schemas(DOCUMENT).example(operation.body)
    sent = samples.curl(operation, body).split("<<'JSON'\n")[1].removesuffix("\nJSON")
    assert json.loads(sent) == body
    assert "payment.wallet == 'wechat'" in sent
