"""A till's calls under Locust, in a process of its own, for Locust patches much, against a gateway that is played."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).parents[3]
PAYMENT = {
    "id": "pay_1", "object": "payment", "status": "succeeded", "merchant_order_no": "L-1", "amount": 100,
    "payable": 100, "amount_refunded": 0, "failure": None, "reversal": None,
}  # fmt: skip
CALL = """
import json, random, sys
from pathlib import Path
import locust
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook
from loadtests.load.book import Book
from loadtests.load.desk import Desk, GivenUp, Process, Wrong
from loadtests.load.plan import Shop
from loadtests.load.tally import Kind, Tally

url, folder = sys.argv[1], Path(sys.argv[2])
seen = EventHook()
failed = []
seen.add_listener(lambda exception=None, **_: failed.append(str(exception)) if exception else None)
process = Process(None, None, Tally(), Book(folder), random.Random(1))
desk = Desk(process, FastHttpSession(url, seen, None))
try:
    end = desk.post(Kind.PAY, Shop("mer_1", "sk_1"), "/v1/payments", {"merchant_order_no": "L-1", "amount": 100}).status
except GivenUp:
    end = "given up"
except Wrong as wrong:
    end = str(wrong)
process.book.close()
total = process.tally.total()
told = {"end": end, "refused": total.refused, "errors": total.errors, "failed": failed}
print(json.dumps({**told, "ms": total.percentile_ms(50)}))
"""
VISIT = """
import json, random, sys
from pathlib import Path
import gevent
import locust
from gevent.event import Event
from locust.event import EventHook
from types import SimpleNamespace
from loadtests.load.book import Book
from loadtests.load.desk import Desk, Process
from loadtests.load.mix import Drawer, Journey
from loadtests.load.tally import Tally
from loadtests.load.visits import Visit

def never():
    started.set()
    gevent.sleep(600)

started = Event()
market = SimpleNamespace(sale=never) if sys.argv[2] == "cut off" else None
process = Process(None, market, Tally(), Book(Path(sys.argv[1])), random.Random(1), Drawer({Journey.SALE: 1}))
visit = gevent.spawn(Visit(process, Desk(process, SimpleNamespace(request_event=EventHook()))).serve)
if market:
    started.wait()
    visit.kill()
visit.join()
print(json.dumps({"errors": process.tally.errors, "open": process.tally.open}))
"""


class Played(BaseHTTPRequestHandler):
    """Answers what the test has laid down, one after the other, the last one for ever."""

    script: ClassVar[list[tuple[int, dict[str, str], dict[str, Any]]]] = []
    asked: ClassVar[list[bytes]] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
        status, headers, document = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if status == 0:
            self.close_connection = True
            return
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        return


@pytest.fixture
def gateway() -> Iterator[str]:
    Played.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Played)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def call(gateway: str, folder: Path, *script: tuple[int, dict[str, str], dict[str, Any]]) -> dict[str, Any]:
    """What came of one call."""
    return timed_call(gateway, folder, *script)[0]


def timed_call(
    gateway: str, folder: Path, *script: tuple[int, dict[str, str], dict[str, Any]]
) -> tuple[dict[str, Any], float]:
    """The same, and the answer time that was counted, in ms."""
    Played.script[:] = list(script)
    told = printed(CALL, gateway, str(folder))
    return told, told.pop("ms")


def printed(program: str, *arguments: str) -> dict[str, Any]:
    """What a program of its own process printed."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def booked(folder: Path) -> list[int | None]:
    [book] = folder.glob("book-*.jsonl")
    return [json.loads(line)["http_status"] for line in book.read_bytes().splitlines()]


def test_a_refusal_is_no_error_and_is_asked_again_under_the_same_number(gateway: str, tmp_path: Path) -> None:
    busy = (503, {"Retry-After": "0"}, {"error": {"code": "busy"}})
    told = call(gateway, tmp_path, busy, (429, {"Retry-After": "0"}, {}), (201, {}, PAYMENT))
    assert told == {"end": 201, "refused": {"503": 1, "429": 1}, "errors": 0, "failed": []}
    assert len(Played.asked) == 3
    assert len(set(Played.asked)) == 1
    assert booked(tmp_path) == [503, 429, 201]


def test_who_is_refused_five_times_gives_up_which_is_no_error(gateway: str, tmp_path: Path) -> None:
    told = call(gateway, tmp_path, (429, {"Retry-After": "0"}, {}))
    assert told == {"end": "given up", "refused": {"429": 5}, "errors": 0, "failed": []}


def test_a_refusal_without_retry_after_is_an_error(gateway: str, tmp_path: Path) -> None:
    told = call(gateway, tmp_path, (429, {}, {}))
    assert told["end"] == "pay by bar code: HTTP 429 without Retry-After"
    assert told["failed"] == ["HTTP 429 without Retry-After"]
    assert told["refused"] == {}


def test_no_answer_is_an_error_and_is_asked_again_under_the_same_number(gateway: str, tmp_path: Path) -> None:
    told = call(gateway, tmp_path, (0, {}, {}), (201, {}, PAYMENT))
    assert (told["end"], told["errors"], told["failed"]) == (201, 1, ["no answer"])
    assert len(set(Played.asked)) == 1
    assert booked(tmp_path) == [None, 201]


def test_another_status_than_expected_is_wrong_by_name(gateway: str, tmp_path: Path) -> None:
    told = call(gateway, tmp_path, (500, {}, {"error": {"code": "internal"}}))
    assert told["end"] == "pay by bar code: HTTP 500 internal instead of 201"
    assert len(Played.asked) == 1


def test_an_answer_is_timed_from_the_first_try_on_with_the_wait_that_a_refusal_asked_for(
    gateway: str, tmp_path: Path
) -> None:
    told, ms = timed_call(gateway, tmp_path, (503, {"Retry-After": "1"}, {}), (201, {}, PAYMENT))
    assert (told["end"], told["refused"]) == (201, {"503": 1})
    assert ms > 960, "a second, and the buckets are right to 2 %"


def test_what_nobody_thought_of_is_an_error_and_not_a_line_in_locusts_log(tmp_path: Path) -> None:
    told = printed(VISIT, str(tmp_path), "nothing there")
    [text] = told["errors"]
    assert text.startswith("sale: AttributeError: ")
    assert told["open"] == 0


def test_a_customer_who_is_cut_off_is_an_error(tmp_path: Path) -> None:
    assert printed(VISIT, str(tmp_path), "cut off") == {"errors": {"sale: cut off before its end": 1}, "open": 0}
