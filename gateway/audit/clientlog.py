"""Reads the load clients' book: JSON lines of time, merchant_order_no, request, http_status, answer (docs/audit.md)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from gateway.audit.checks import Check
from gateway.audit.findings import CannotAudit, Findings
from gateway.audit.rows import ClientAnswer, RefundAnswer
from gateway.audit.scratch import Scratch
from gateway.payments.schemas import PaymentRequest

_CHUNK: Final = 5_000
_ERROR_FIELDS: Final = frozenset({"type", "code", "message", "param", "request_id", "docs_url"})
_DIGEST_BYTES: Final = 16
NO_ANSWER: Final = "none"
"""Stands for the HTTP status of a request that was never answered."""


@dataclass(slots=True)
class ClientLogSummary:
    """What the logs held; `http_statuses` counts answers, `none` those that never came."""

    lines: int = 0
    torn: int = 0
    """Last lines that a killed client could not finish."""
    answers: int = 0
    """Answers that told of a payment."""
    refunds: int = 0
    """Answers that told of a refund."""
    http_statuses: Counter[str] = field(default_factory=Counter)


def read_client_log(path: Path, scratch: Scratch, findings: Findings, summary: ClientLogSummary) -> None:
    """Put the log's answers into the scratch file, and check what one line alone can show.  Raises CannotAudit."""
    chunk: list[ClientAnswer | RefundAnswer] = []
    for number, line in _lines(path, summary):
        answer = _read_line(number, line, findings, summary)
        if answer is not None:
            chunk.append(answer)
        if len(chunk) == _CHUNK:
            _write(chunk, scratch)
            chunk.clear()
    _write(chunk, scratch)


def _write(chunk: Sequence[ClientAnswer | RefundAnswer], scratch: Scratch) -> None:
    scratch.add_answers([answer for answer in chunk if isinstance(answer, ClientAnswer)])
    scratch.add_refund_answers([answer for answer in chunk if isinstance(answer, RefundAnswer)])


def check_orders(scratch: Scratch, findings: Findings) -> None:
    """I5, as the clients saw it: one order number, one payment, one request."""
    orders = scratch.orders()
    findings.compare(Check.SAME_ORDER_SAME_PAYMENT, orders)
    findings.compare(Check.DIFFERENT_REQUEST, orders)
    for order, payments in scratch.orders_with_two_payments():
        findings.add(
            Check.SAME_ORDER_SAME_PAYMENT,
            f"answered with {payments}",
            merchant_order_no=_order_no_of(order),
        )
    for order, payment_id, requests in scratch.orders_with_two_requests():
        findings.add(
            Check.DIFFERENT_REQUEST,
            f"{requests} different requests were answered 201",
            merchant_order_no=_order_no_of(order),
            payment_id=payment_id,
        )


def _lines(path: Path, summary: ClientLogSummary) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines as documents; a last line without its line feed is one that a client died over."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.strip():
                    continue
                try:
                    document = orjson.loads(raw)
                except orjson.JSONDecodeError:
                    if raw.endswith(b"\n"):
                        raise CannotAudit(f"{path}, line {number}, is not JSON") from None
                    summary.torn += 1
                    continue
                if not isinstance(document, dict):
                    raise CannotAudit(f"{path}, line {number}, is not an object")
                summary.lines += 1
                yield number, document
    except OSError as error:
        raise CannotAudit(f"the client log cannot be read: {error}") from error


def _read_line(
    number: int, line: Mapping[str, Any], findings: Findings, summary: ClientLogSummary
) -> ClientAnswer | RefundAnswer | None:
    status = line.get("http_status", line.get("status"))
    summary.http_statuses[str(status) if status else NO_ANSWER] += 1
    answer = _document(line.get("answer"))
    if status == 409:
        _check_conflict(number, line, answer, findings)
    told_of = answer.get("object") if status in {200, 201} else None
    try:
        if told_of == "payment":
            summary.answers += 1
            return _client_answer(number, line, answer, created=status == 201)
        if told_of == "refund":
            summary.refunds += 1
            return _refund_answer(number, answer)
    except (KeyError, TypeError):
        check = Check.REFUND_TOLD if told_of == "refund" else Check.ACKNOWLEDGED_CHANGED
        findings.add(check, f"line {number}: not a whole {told_of} object", **_order(line))
        return None
    if status == 201:
        findings.add(Check.ACKNOWLEDGED_LOST, f"line {number}: a 201 without a payment in it", **_order(line))
    return None


def _refund_answer(number: int, answer: Mapping[str, Any]) -> RefundAnswer:
    return RefundAnswer(
        payment_id=_text(answer["payment_id"]),
        refund_id=_text(answer["id"]),
        status=_text(answer["status"]),
        amount=_whole(answer["amount"]),
        returned=_whole(answer["returned_to_customer"]),
        line=number,
    )


def _client_answer(number: int, line: Mapping[str, Any], answer: Mapping[str, Any], *, created: bool) -> ClientAnswer:
    request = _document(line.get("request"))
    order_no = str(line.get("merchant_order_no") or answer["merchant_order_no"])
    return ClientAnswer(
        payment_id=_text(answer["id"]),
        order_key=f"{line.get('merchant') or ''}\n{order_no}",
        merchant_order_no=order_no if answer["merchant_order_no"] == order_no else f"{answer['merchant_order_no']}",
        created=int(created),
        status=_text(answer["status"]),
        amount=_whole(answer["amount"]),
        payable=_whole(answer["payable"]),
        amount_refunded=_whole(answer["amount_refunded"]),
        asked_amount=_whole(request["amount"]) if created and "amount" in request else None,
        request_digest=_digest(request) if created and request else None,
        line=number,
    )


def _check_conflict(number: int, line: Mapping[str, Any], answer: Mapping[str, Any], findings: Findings) -> None:
    findings.compare(Check.CONFLICT_SHAPE)
    error = answer.get("error")
    if not isinstance(error, dict) or not error.keys() >= _ERROR_FIELDS or error["type"] != "conflict":
        findings.add(Check.CONFLICT_SHAPE, f"line {number}: {str(dict(answer))[:200]}", **_order(line))


def _digest(request: Mapping[str, Any]) -> bytes:
    """The validated fields, as the gateway compares them; the fields as they are where the log keeps only some."""
    try:
        fields = PaymentRequest.model_validate_json(orjson.dumps(request)).model_dump()
    except ValidationError:
        fields = {name: value for name, value in request.items() if value is not None}
    return hashlib.blake2b(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS), digest_size=_DIGEST_BYTES).digest()


def _document(value: object) -> Mapping[str, Any]:
    """A JSON object that the client logged as such, or as the text that came; empty for anything else."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def _order(line: Mapping[str, Any]) -> dict[str, str]:
    return {"merchant_order_no": str(line.get("merchant_order_no"))}


def _order_no_of(order_key: str) -> str:
    return order_key.partition("\n")[2]


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("an amount is a whole number of fen")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("an id is text")
    return value
