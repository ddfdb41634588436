"""What gateway/http does in uvicorn's place is what this uvicorn does; where one fails, compare, and then change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_AFTER_AN_ANSWER = {
    "server_state", "total_requests", "transport", "is_closing", "_unset_keepalive_if_required", "flow",
    "resume_reading", "pipeline", "pop", "_start_asgi_task", "loop", "call_later", "timeout_keep_alive",
    "timeout_keep_alive_handler", "timeout_keep_alive_task",
}  # fmt: skip
_FOR_A_BODY = {
    "waiting_for_100_continue", "transport", "is_closing", "write", "disconnected", "response_complete", "flow",
    "resume_reading", "message_event", "wait", "clear", "bytes", "body", "more_body", "bytearray",
}  # fmt: skip


@pytest.mark.parametrize(
    ("done_by_uvicorn", "names"),
    [(HttpToolsProtocol.on_response_complete, _AFTER_AN_ANSWER), (RequestResponseCycle.receive, _FOR_A_BODY)],
    ids=["gateway/http/protocol.py", "gateway/http/whole.py"],
)
def test_uvicorn_touches_what_it_touched_when_ours_was_written(
    done_by_uvicorn: Callable[..., Any], names: set[str]
) -> None:
    assert set(done_by_uvicorn.__code__.co_names) == names
