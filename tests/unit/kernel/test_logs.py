"""Log lines: one JSON object each, with the fields given, on one line whatever the content."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.kernel import logs
from gateway.kernel.logs import HoldingHandler, JsonFormatter, TerminalFormatter, log_event


def record(message: str, *arguments: Any, level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    made = logging.getLogger("mashang.test").makeRecord(
        "mashang.test", level, "file.py", 1, message, arguments, None, extra=fields
    )
    made.created = 1_700_000_000.25
    return made


def test_a_json_line_holds_time_level_logger_event_and_the_fields() -> None:
    line = JsonFormatter().format(record("payment %s", "taken", payment_id="pay_1", ms=12.5))
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250+00:00",
        "level": "info",
        "logger": "mashang.test",
        "event": "payment taken",
        "payment_id": "pay_1",
        "ms": 12.5,
    }


@pytest.mark.parametrize("text", ['a\nb\r"level": "error"', "\u2028 \0 \x1b[31m", "码上付"])
def test_nothing_that_is_logged_begins_a_new_line(text: str) -> None:
    line = JsonFormatter().format(record(text, note=text))
    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line)["note"] == text


def test_an_exception_stays_on_its_line() -> None:
    made = record("failed", level=logging.ERROR)
    try:
        int("why")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_a_value_that_json_does_not_know_is_written_as_text() -> None:
    assert json.loads(JsonFormatter().format(record("x", at=frozenset({1}))))["at"] == "frozenset({1})"


def test_a_terminal_line_leaves_out_what_is_not_there() -> None:
    line = TerminalFormatter().format(record("payment", status="succeeded", failure=None))
    assert line.endswith("info    payment status=succeeded")


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[HoldingHandler]:
    """A handler whose clock does not run."""
    monkeypatch.setattr(logs, "_HELD_S", 3_600)
    made = HoldingHandler(stream, JsonFormatter())
    yield made
    made.close()


def test_lines_are_held_back_until_there_are_many_or_one_is_a_warning(
    handler: HoldingHandler, stream: io.StringIO
) -> None:
    handler.handle(record("first"))
    assert stream.getvalue() == ""
    handler.handle(record("look", level=logging.WARNING))
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["first", "look"]
    for number in range(200):
        handler.handle(record(f"line {number}"))
    assert len(stream.getvalue().splitlines()) == 202


def test_a_stream_that_nobody_reads_any_more_stops_nothing(handler: HoldingHandler, stream: io.StringIO) -> None:
    stream.close()
    handler.handle(record("look", level=logging.ERROR))


@pytest.fixture
def alone(handler: HoldingHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens but our handler."""
    root = logging.getLogger("alone")
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(logs, "_ROOT", root)
    monkeypatch.setattr(logging.getLogger("mashang.test"), "level", logging.INFO)


@pytest.mark.usefixtures("alone")
def test_an_event_of_the_hot_path_is_the_line_that_the_logging_package_would_write(
    handler: HoldingHandler, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs.time, "time", lambda: 1_700_000_000.25)
    log_event(logging.getLogger("mashang.test"), "payment", {"payment_id": "pay_1", "failure": None, "ms": 12.5})
    handler.handle(record("payment", payment_id="pay_1", failure=None, ms=12.5))
    handler.flush()
    ours, packages = stream.getvalue().splitlines()
    assert ours == packages


def test_an_event_reaches_every_other_handler_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_event(logging.getLogger("mashang.test"), "payment", {"payment_id": "pay_1"})
    assert [(one.getMessage(), vars(one)["payment_id"]) for one in caplog.records] == [("payment", "pay_1")]


@pytest.mark.usefixtures("alone")
def test_an_event_below_the_level_is_no_line(handler: HoldingHandler, stream: io.StringIO) -> None:
    logging.getLogger("mashang.quiet").setLevel(logging.WARNING)
    log_event(logging.getLogger("mashang.quiet"), "payment", {"payment_id": "pay_1"})
    handler.flush()
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("alone")
def test_an_event_that_cannot_be_written_is_told_and_stops_nothing(
    handler: HoldingHandler, stream: io.StringIO
) -> None:
    log_event(logging.getLogger("mashang.test"), "payment", {"note": "\ud800"})
    handler.flush()
    assert json.loads(stream.getvalue())["event"] == "a line could not be written"


@pytest.mark.parametrize("way", ["event", "record"])
@pytest.mark.usefixtures("alone")
def test_a_line_that_is_being_made_while_others_are_written_is_not_lost(
    handler: HoldingHandler, stream: io.StringIO, way: str
) -> None:
    class Written:
        """A value whose text takes so long that the other thread has its turn."""

        def __str__(self) -> str:
            handler.flush()
            return "late"

    handler.handle(record("first"))
    if way == "event":
        log_event(logging.getLogger("mashang.test"), "payment", {"note": Written()})
    else:
        handler.handle(record("payment", note=Written()))
    handler.flush()
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["first", "payment"]
