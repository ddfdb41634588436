"""What a channel is sent of a traced payment: nothing of the trace."""

from __future__ import annotations

from gateway.kernel.recording import Recording, record_into
from routing.channels.base import CallLimits
from routing.channels.transport import HttpTransport
from tests.unit.channels.peer import answers_ok, listening


async def test_a_channel_is_sent_no_header_of_the_trace() -> None:
    """Their protocols are signed and read strictly."""
    record_into(Recording(0xABCD, 0xEF))
    transport = HttpTransport()
    try:
        async with listening(answers_ok) as peer:
            await transport.send("POST", f"{peer.url}/pay", {"Accept": "application/json"}, b"{}", CallLimits(5.0))
            [request] = peer.requests
    finally:
        await transport.aclose()
    names = {line.partition(b":")[0].lower() for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    assert names == {b"host", b"accept", b"content-length"}
