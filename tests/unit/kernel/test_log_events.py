"""What the service logs: constant events with fields of a closed set, all of them in docs/logs.md and nothing else."""

from __future__ import annotations

import logging
import re
from collections import defaultdict

import pytest

from tests.support.log_calls import ROOT, LogCall, log_calls

_CALLS = log_calls()
_ROW = re.compile(r"^\| (?P<event>[^|]+?) \| (?P<levels>[A-Z, ]+?) \| (?P<fields>[^|]*?) \|$", re.MULTILINE)
_LOGGER = re.compile(r"^### `(mashang\.[a-z.]+)`$", re.MULTILINE)
_FORBIDDEN = {"auth_code", "authorization", "body", "customer", "customer_id", "headers", "key", "merchant_order_no",
              "merchant_refund_no", "payer", "secret", "signature", "token", "url"}  # fmt: skip
_ONE_LINE = {"payment", "a customer pays at a static code", "refund"}
"""What is told at INFO of a payment or a refund: the one line when it is answered, and that of a refund's own."""


def documented() -> dict[tuple[str, str], tuple[set[str], set[str]]]:
    """Levels and fields by logger and event, as docs/logs.md has them."""
    parts = _LOGGER.split((ROOT / "docs/logs.md").read_text("utf-8"))[1:]
    return {
        (logger, row["event"]): (_listed(row["levels"]), _listed(row["fields"]))
        for logger, text in zip(parts[::2], parts[1::2], strict=True)
        for row in _ROW.finditer(text)
    }


def _listed(cell: str) -> set[str]:
    return {one.strip("` ") for one in cell.split(",")} - {""}


def test_there_are_calls_to_look_at() -> None:
    assert len(_CALLS) > 100
    assert len({call.logger for call in _CALLS}) > 20


@pytest.mark.parametrize("call", _CALLS, ids=lambda call: call.place)
def test_an_event_is_a_constant_and_what_varies_is_a_field(call: LogCall) -> None:
    assert call.event is not None
    assert call.arguments == 1
    assert "%" not in call.event
    assert not call.fields & set(vars(logging.makeLogRecord({})))


def test_no_field_is_of_what_must_not_be_logged() -> None:
    assert not _FORBIDDEN & {name for call in _CALLS for name in call.fields}


def test_a_payment_has_one_line_at_info() -> None:
    told = {call.event for call in _CALLS if call.level == "INFO" and "payment_id" in call.fields}
    assert told == _ONE_LINE


def test_the_catalogue_has_every_event_and_no_other() -> None:
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for call in _CALLS:
        levels, fields = found[call.logger, str(call.event)]
        levels.add(call.level)
        fields |= call.fields
    assert documented() == dict(found)
