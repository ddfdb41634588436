"""The phases of a payment, and which of them a sampled stack of the gateway belongs to.

Of a stack the innermost frame of our own code decides: its function or its file says whose work it is.  What many use
(`gateway/kernel`, the standard library, libraries) counts for whoever called it.  A stack without a frame of ours goes
by its innermost library.  Tasks that go on beside the payments are told by any frame of theirs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple


class Phase(StrEnum):
    """In the order in which a payment goes through them, then what many payments share."""

    HTTP_IN = "HTTP in"
    VALIDATE = "authenticate, validate"
    FLOW = "flow, desk, tasks"
    CLAIM = "claim, replays"
    RISK = "risk"
    PRICING = "price, reservation, history"
    ROUTING = "route, health"
    INTENT = "intent: its row"
    CHANNEL = "channel: its messages"
    SIGN = "sign"
    TRANSPORT = "channel: transport"
    VERIFY = "verify"
    OUTCOME = "outcome: its row"
    ANSWER = "answer"
    TELEMETRY = "metrics, log"
    STATEMENTS = "statements, group commit"
    VALKEY = "Valkey pipelines"
    LOOP = "event loop, reading sockets"
    BACKGROUND = "beside the payments"
    OTHER = "other"


FUNCTIONS: Final[Mapping[str, Phase]] = {
    "sign_sha256": Phase.SIGN,
    "sign_sha256_alone": Phase.SIGN,
    "verify_sha256": Phase.VERIFY,
    "PaymentOrder.of": Phase.VALIDATE,
    "PaymentOrder.canonical": Phase.INTENT,
    "PaymentOrder.fields": Phase.VALIDATE,
    "Payment.to_json": Phase.ANSWER,
    "Redemption.to_json": Phase.ANSWER,
    "_Answering.send": Phase.ANSWER,
    "_observe": Phase.TELEMETRY,
}
"""Functions that are not of the phase that their file is of, by the end of their qualified name."""

FILES: Final[Mapping[str, Phase]] = {
    "gateway/http/": Phase.HTTP_IN,
    "gateway/http/answers.py": Phase.ANSWER,
    "gateway/http/protocol.py": Phase.ANSWER,
    "gateway/http/authentication.py": Phase.VALIDATE,
    "gateway/http/preferences.py": Phase.VALIDATE,
    "gateway/merchants/": Phase.VALIDATE,
    "gateway/payments/": Phase.FLOW,
    "gateway/payments/api.py": Phase.VALIDATE,
    "gateway/payments/schemas.py": Phase.VALIDATE,
    "gateway/payments/claims.py": Phase.CLAIM,
    "gateway/payments/replays.py": Phase.CLAIM,
    "gateway/payments/replaying.py": Phase.CLAIM,
    "gateway/payments/screening.py": Phase.RISK,
    "gateway/payments/counting.py": Phase.RISK,
    "gateway/payments/pricing.py": Phase.PRICING,
    "gateway/payments/recalled.py": Phase.PRICING,
    "gateway/payments/feedback.py": Phase.ROUTING,
    "gateway/payments/failing_over.py": Phase.ROUTING,
    "gateway/payments/intent.py": Phase.INTENT,
    "gateway/payments/charging.py": Phase.CHANNEL,
    "gateway/payments/settle.py": Phase.OUTCOME,
    "gateway/risk.py": Phase.RISK,
    "gateway/campaigns.py": Phase.PRICING,
    "gateway/codes/": Phase.FLOW,
    "gateway/webhooks/": Phase.FLOW,
    "gateway/ledger/": Phase.OUTCOME,
    "gateway/database/": Phase.STATEMENTS,
    "gateway/database/intents.py": Phase.INTENT,
    "gateway/database/decisions.py": Phase.INTENT,
    "gateway/database/redemptions.py": Phase.INTENT,
    "gateway/database/outcomes.py": Phase.OUTCOME,
    "gateway/database/valkey": Phase.VALKEY,
    "gateway/kernel/metrics.py": Phase.TELEMETRY,
    "gateway/kernel/hot_metrics.py": Phase.TELEMETRY,
    "gateway/payments/ending.py": Phase.TELEMETRY,
    "gateway/metrics/": Phase.TELEMETRY,
    "gateway/kernel/logs.py": Phase.TELEMETRY,
    "gateway/kernel/rsa/": Phase.SIGN,
    "promotions/": Phase.PRICING,
    "promotions/budget/rows.py": Phase.INTENT,
    "risk/": Phase.RISK,
    "risk/decisions/row.py": Phase.INTENT,
    "routing/": Phase.ROUTING,
    "routing/metered.py": Phase.TELEMETRY,
    "routing/channels/": Phase.CHANNEL,
    "routing/channels/transport.py": Phase.TRANSPORT,
    "routing/channels/connection.py": Phase.TRANSPORT,
    "routing/channels/slots.py": Phase.TRANSPORT,
}
"""Files by the beginning of their path; the longest that fits decides."""

BACKGROUND: Final = (
    "gateway/app.py",
    "gateway/database/revision.py",
    "routing/health/running.py",
    "routing/health/sharing.py",
    "promotions/budget/following.py",
    "promotions/budget/beating.py",
    "promotions/budget/keeping.py",
    "promotions/pacing/keeping.py",
    "promotions/pacing/book.py",
    "risk/lists/keeping.py",
)
"""Tasks of their own that no payment waits for."""
_BACKGROUND_FUNCTIONS: Final = ("Usage.run", "Usage.flush")

LIBRARIES: Final[Mapping[str, Phase]] = {
    "uvicorn/": Phase.HTTP_IN,
    "asyncpg/": Phase.STATEMENTS,
    "redis/": Phase.VALKEY,
    "logging/": Phase.TELEMETRY,
    "prometheus_client/": Phase.TELEMETRY,
    "asyncio/": Phase.LOOP,
    "_weakrefset.py": Phase.LOOP,
}
"""Packages, for stacks without a frame of ours; the event loop only where no other one stands on the stack."""

_ASLEEP: Final = ("HoldingHandler._flush_for_ever ", "_worker (concurrent/")
"""Threads that sleep in these very functions, which the profiler takes for running now and then."""
_BEGINS: Final = "Runner.run ("
"""The event loop; what stands before it is the command line and uvicorn's start."""
_FRAME: Final = re.compile(r"(?P<function>.+?) \((?P<path>[^()]*?)(?::\d+)?\)")


class Frame(NamedTuple):
    """A function by its qualified name, and the file that it stands in, from the checkout or the package on."""

    function: str
    path: str


def by_phase(stacks: Iterable[str]) -> Counter[Phase]:
    """Samples of each phase.

    A stack is py-spy's raw line: frames from the outermost on, joined by semicolons, then a blank and a count; a frame
    is `function (file:line)`.
    """
    found: Counter[Phase] = Counter()
    for stack, number in awake(stacks):
        found[phase_of(stack)] += number
    return found


def unmapped(stacks: Iterable[str]) -> Counter[str]:
    """Samples of no phase, by their innermost frame: what is to be added to the tables above."""
    found: Counter[str] = Counter()
    for stack, number in awake(stacks):
        if phase_of(stack) is Phase.OTHER:
            found[stack.rpartition(";")[2]] += number
    return found


def awake(stacks: Iterable[str]) -> Iterable[tuple[str, int]]:
    """The stacks of threads that were at work, each with its count; a line that py-spy read torn has none: left out."""
    for line in stacks:
        stack, _, number = line.rpartition(" ")
        if number.isdecimal() and not stack.rpartition(";")[2].startswith(_ASLEEP):
            yield stack, int(number)


@cache
def phase_of(stack: str) -> Phase:
    """The phase of one stack, without its count."""
    frames = _frames(stack)
    if any(frame.path in BACKGROUND or frame.function in _BACKGROUND_FUNCTIONS for frame in frames):
        return Phase.BACKGROUND
    for frame in reversed(frames):
        if (owner := _owner(frame)) is not None:
            return owner
    libraries = [owner for frame in reversed(frames) if (owner := _longest(LIBRARIES, frame.path)) is not None]
    return next((each for each in libraries if each is not Phase.LOOP), Phase.LOOP if libraries else Phase.OTHER)


def _frames(stack: str) -> list[Frame]:
    """From the event loop's own frame on, inwards."""
    frames = stack.split(";")
    begin = next((place for place, frame in enumerate(frames) if frame.startswith(_BEGINS)), 0)
    parsed = [_FRAME.fullmatch(frame) for frame in frames[begin:]]
    return [Frame(each["function"], each["path"]) for each in parsed if each is not None]


def _owner(frame: Frame) -> Phase | None:
    file = _longest(FILES, frame.path)
    return None if file is None else FUNCTIONS.get(frame.function, file)


def _longest(table: Mapping[str, Phase], path: str) -> Phase | None:
    fitting = [beginning for beginning in table if path.startswith(beginning)]
    return table[max(fitting, key=len)] if fitting else None
