"""Sends what a simulated channel has to tell, until the merchant's server acknowledges or the schedule is over.

Only POST, only to the address that the order or refund came with, no redirects; what comes back is read up to a
bound.  A simulator that is killed goes on where it was: whatever was not written as answered is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx

from routing.simulators.books import Books
from routing.simulators.effects import Effect, EffectKind
from routing.simulators.notifications import HONEST, About, Delivered, Forging, Herald, Notification, Plan, Post
from routing.simulators.outbox import Outbox

AT_ONCE_MAX: Final = 256
ANSWER_BYTES_MAX: Final = 4_096
_SHOWN_CHARACTERS: Final = 200
_LONGEST_SLEEP_S: Final = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one posting; `status` is 0 where no answer came, and `text` then says why."""

    status: int
    text: str
    acknowledged: bool


Sender = Callable[[str, Post, float], Awaitable[tuple[int, bytes]]]
"""Posts to an address within so many seconds: status and body of the answer.  Raises OSError with the reason."""


class AsksFaults(Protocol):
    """The faults in force."""

    @property
    def notify_retry_s(self) -> tuple[float, ...] | None:
        """The waits between tries; None for the channel's own."""

    def effect_for(self, order_nos: frozenset[str], about: About, *, before_answer: bool = False) -> Effect | None:
        """What is to become of a notification."""


class HoldsFaults(Protocol):
    """Where the faults in force stand."""

    @property
    def faults(self) -> AsksFaults:
        """The faults in force."""


class HttpSender:
    """Posts over HTTP."""

    def __init__(self) -> None:
        # A connection for each posting: one that was kept may be half dead where the merchant's server has restarted.
        limits = httpx.Limits(max_connections=AT_ONCE_MAX, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits)

    async def __call__(self, url: str, post: Post, timeout_s: float) -> tuple[int, bytes]:
        """Post.  Raises OSError with the reason where no answer came."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise OSError("not an http address")
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(url, post)
        except TimeoutError:
            raise OSError("timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(type(error).__name__) from None

    async def _post(self, url: str, post: Post) -> tuple[int, bytes]:
        async with self._client.stream("POST", url, headers=post.headers, content=post.body, timeout=None) as answer:
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    break
            return answer.status_code, body[:ANSWER_BYTES_MAX]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class Postman:
    """Empties the outbox of one simulator."""

    def __init__(self, books: Books, herald: Herald, holder: HoldsFaults, sender: Sender) -> None:
        self.outbox = Outbox(books, herald, self._wake)
        self._books = books
        self._herald = herald
        self._holder = holder
        self._sender = sender
        self._stirred = asyncio.Event()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE_MAX)

    def _wake(self) -> None:
        self._stirred.set()

    async def run(self) -> None:
        """Send whatever falls due, until cancelled."""
        try:
            while True:
                self._stirred.clear()
                now_ms = self._books.now_ms()  # one for the round: nothing falls between what is due and what is next
                self.send_due(now_ms)
                try:
                    async with asyncio.timeout(self._sleep_s(now_ms)):
                        await self._stirred.wait()
                except TimeoutError:
                    continue
        finally:
            for task in self._under_way.values():
                task.cancel()

    def send_due(self, now_ms: int) -> list[asyncio.Task[None]]:
        """Start a try of everything that is due at that moment and not under way."""
        self.outbox.settle(now_ms)
        due = self.outbox.due(now_ms)
        return [self._start(notification) for notification in due if notification.seq not in self._under_way]

    def _sleep_s(self, now_ms: int) -> float:
        next_ms = self.outbox.next_ms(now_ms)
        if next_ms is None:
            return _LONGEST_SLEEP_S
        return min(_LONGEST_SLEEP_S, max(0.0, (next_ms - self._books.now_ms()) / 1_000))

    def _start(self, notification: Notification) -> asyncio.Task[None]:
        task = asyncio.create_task(self._deliver(notification))
        self._under_way[notification.seq] = task
        task.add_done_callback(lambda ended: self._ended(notification.seq, ended))
        return task

    def _ended(self, seq: int, task: asyncio.Task[None]) -> None:
        del self._under_way[seq]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            # Not woken for it: a notification that cannot be written must not be tried without a pause.
            _log.error("a notification could not be sent", exc_info=error)
        else:
            self._stirred.set()

    async def _deliver(self, notification: Notification) -> None:
        """One try, as the faults want it."""
        await self._books.durable()
        copies = 1
        if notification.plan == Plan.UNASKED:
            effect = self._holder.faults.effect_for(_numbers(notification), notification.kind)
            notification.plan = Plan.ASKED
            if effect is not None and self._put_off(notification, effect):
                self.outbox.save(notification)
                return
            if effect is not None and effect.kind is EffectKind.FORGED:
                await self.post(notification, Forging(tamper=effect.tamper))
            if effect is not None and effect.kind is EffectKind.DUPLICATE:
                copies = effect.copies
        answers = list(await asyncio.gather(*[self.post(notification) for _ in range(copies)]))
        self._note(notification, answers)

    def _put_off(self, notification: Notification, effect: Effect) -> bool:
        """Whether it does not go now."""
        later_ms = self._books.now_ms() + round(effect.after_s * 1_000)
        match effect.kind:
            case EffectKind.DROP:
                notification.next_ms, notification.status = None, Delivered.DROPPED
            case EffectKind.DELAY:
                notification.next_ms = later_ms
            case EffectKind.REORDER:
                notification.next_ms, notification.plan = later_ms, Plan.HELD
            case _:
                return False
        return True

    def _note(self, notification: Notification, answers: list[Answered], *, by_hand: bool = False) -> None:
        """Write what came of a try, beside what was written of others meanwhile."""
        answer = next((answer for answer in answers if answer.acknowledged), answers[-1])
        current = self.outbox.find(notification.id) or notification
        current.plan = notification.plan
        current.tries += 1
        if answer.acknowledged:
            current.next_ms, current.status = None, Delivered.ACKNOWLEDGED
        elif current.status == Delivered.WAITING and not by_hand:
            self._try_again(current)
        if answer.acknowledged or current.status != Delivered.ACKNOWLEDGED:
            current.last_answer = f"{answer.status} {answer.text}" if answer.status else answer.text
        self.outbox.save(current)
        self.outbox.release(current.order_no, current.seq)

    def _try_again(self, notification: Notification) -> None:
        """Plan the next try; after the last there is none."""
        waits = self._holder.faults.notify_retry_s
        waits = self._herald.schedule.retry_s if waits is None else waits
        if notification.tries <= len(waits):
            wait_ms = round(waits[notification.tries - 1] * 1_000)
            notification.next_ms = self._books.now_ms() + wait_ms
        else:
            notification.next_ms, notification.status = None, Delivered.GIVEN_UP

    async def post(self, notification: Notification, forging: Forging = HONEST) -> Answered:
        """Post it once and say what came back; writes nothing."""
        sent_ms = self._books.now_ms() - round(forging.age_s * 1_000)
        post, schedule = self._herald.post(notification, sent_ms, forging), self._herald.schedule
        async with self._room:
            try:
                status, body = await self._sender(notification.url, post, schedule.timeout_s)
            except OSError as error:
                return Answered(0, str(error), acknowledged=False)
        text = body.decode("utf-8", "replace")[:_SHOWN_CHARACTERS]
        return Answered(status, text, acknowledged=self._herald.acknowledges(status, body))

    async def resend(
        self, notification: Notification, *, times: int = 1, at_once: bool = False, forging: Forging = HONEST
    ) -> list[Answered]:
        """Send it now, so many times; an honest one that is acknowledged counts like one that came by itself."""
        await self._books.durable()
        if at_once:
            answers = list(await asyncio.gather(*[self.post(notification, forging) for _ in range(times)]))
        else:
            answers = [await self.post(notification, forging) for _ in range(times)]
        if forging == HONEST:
            self._note(notification, answers, by_hand=True)
        return answers

    async def tell_before_answer(self, order_no: str, about: About) -> None:
        """Where a fault wants it: what the order's merchant is to be told goes, and is answered, now."""
        numbers = frozenset({order_no})
        if not order_no or self._holder.faults.effect_for(numbers, about, before_answer=True) is None:
            return
        self.outbox.hurry(order_no)
        waiting = [notification for notification in self.outbox.waiting(order_no) if notification.kind == about]
        tasks = [self._under_way.get(notification.seq) or self._start(notification) for notification in waiting]
        await asyncio.gather(*tasks)


def _numbers(notification: Notification) -> frozenset[str]:
    return frozenset({notification.order_no, notification.refund_no or notification.order_no})
