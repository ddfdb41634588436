"""The blocking and the asynchronous client: both run the same calls, and send again what is safe to send again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast
from urllib.parse import urlsplit

import httpx

from gateway.client import calls, coupon_calls, webhook_calls
from gateway.client.call import Call
from gateway.client.errors import ApiError
from gateway.client.objects import Page, Payment, Refund
from gateway.client.retries import RetryPolicy, retry_after_s
from gateway.client.signing import BearerKey, Identity, SigningKey
from gateway.client.tries import Tries

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item", bound=Mapping[str, object])

_OPEN: Final = frozenset({"processing", "requires_action"})
_LOOK_S: Final = (0.2, 0.5, 1.0, 2.0)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def _blocking(build: Callable[P, Call[Result]]) -> Callable[Concatenate[Client, P], Result]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return self.run(build(*args, **kwargs))

    method.__doc__ = build.__doc__
    return method


def _waiting(build: Callable[P, Call[Result]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[Result]]:
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await self.run(build(*args, **kwargs))

    method.__doc__ = build.__doc__
    return method


class _Sender:
    """What both clients share: the identity, and what an answer means."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        key_id: str | None,
        signing_secret: str | None,
        retries: RetryPolicy,
    ) -> None:
        self._url = url.rstrip("/")
        self._identity = _identity(api_key, key_id, signing_secret)
        self._retries = retries
        self._trust_environment = urlsplit(url).hostname not in _LOOPBACK
        """Proxies of the environment are not for the loopback."""

    def _begin(self, call: Call[Any]) -> Tries:
        return Tries(call, self._url, self._identity, self._retries)


def _identity(api_key: str | None, key_id: str | None, signing_secret: str | None) -> Identity:
    if api_key is not None and key_id is None and signing_secret is None:
        return BearerKey(api_key)
    if api_key is None and key_id is not None and signing_secret is not None:
        return SigningKey(key_id, signing_secret)
    raise ValueError("give api_key, or key_id and signing_secret")


def _result(answer: httpx.Response) -> object:
    """The answer's object, None where it is empty.  Raises ApiError."""
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = None
    if answer.is_success:
        return body
    error = body.get("error") if isinstance(body, dict) else None
    raise ApiError(answer.status_code, error if isinstance(error, dict) else {}, retry_after_s(answer))


def _payment_is_open(payment: Payment) -> bool:
    return payment["status"] in _OPEN or payment["reversal"] == "pending"


def _refund_is_open(refund: Refund) -> bool:
    return refund["status"] == "pending"


class _Looks:
    """When to look again at something that has no end yet: soon, then every two seconds, not past the time allowed."""

    def __init__(self, timeout_s: float) -> None:
        self._ends = time.monotonic() + timeout_s
        self._pauses = iter(_LOOK_S)

    def next_pause_s(self) -> float | None:
        """Seconds until the next look; None after the last."""
        left_s = self._ends - time.monotonic()
        return min(next(self._pauses, _LOOK_S[-1]), left_s) if left_s > 0 else None


class Client(_Sender):
    """The blocking client.  Safe to share between threads.  Raises ApiError and OutcomeUnknown."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        key_id: str | None = None,
        signing_secret: str | None = None,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008  frozen
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(url, api_key=api_key, key_id=key_id, signing_secret=signing_secret, retries=retries)
        self._http = httpx.Client(transport=transport, trust_env=self._trust_environment)

    def run(self, call: Call[Result]) -> Result:
        """Run one call, sending it again where that is safe and can help, within the till's wait and the margin."""
        tries = self._begin(call)
        while True:
            try:
                answer = self._http.send(tries.request())
            except httpx.TransportError as error:
                time.sleep(tries.pause_after_loss_s(error))
                continue
            pause_s = tries.pause_after_s(answer)
            if pause_s is None:
                return cast("Result", _result(answer))
            time.sleep(pause_s)

    def each(self, call: Call[Page[Item]]) -> Iterator[Item]:
        """Everything that a list holds, page by page: `client.each(calls.payments(status="succeeded"))`."""
        while True:
            page = self.run(call)
            yield from page["data"]
            if not page["has_more"]:
                return
            call = call.after(str(page["data"][-1]["id"]))

    def await_payment(self, payment_id: str, timeout_s: float = 60.0) -> Payment:
        """The payment once it is decided, a cancellation included, or as it stands after `timeout_s`."""
        looks = _Looks(timeout_s)
        while _payment_is_open(found := self.payment(payment_id)) and (pause_s := looks.next_pause_s()) is not None:
            time.sleep(pause_s)
        return found

    def await_refund(self, refund_id: str, timeout_s: float = 60.0) -> Refund:
        """The refund once it has its end, or as it stands after `timeout_s`."""
        looks = _Looks(timeout_s)
        while _refund_is_open(found := self.find_refund(refund_id)) and (pause_s := looks.next_pause_s()) is not None:
            time.sleep(pause_s)
        return found

    pay = _blocking(calls.pay)
    quote = _blocking(calls.quote)
    payment = _blocking(calls.payment)
    payments = _blocking(calls.payments)
    cancel = _blocking(calls.cancel)
    receipt = _blocking(calls.receipt)
    refund = _blocking(calls.refund)
    find_refund = _blocking(calls.find_refund)
    refunds = _blocking(calls.refunds)
    create_code = _blocking(calls.create_code)
    codes = _blocking(calls.codes)
    find_code = _blocking(calls.find_code)
    revoke_code = _blocking(calls.revoke_code)
    shift_report = _blocking(calls.shift_report)
    claim_coupon = _blocking(coupon_calls.claim_coupon)
    coupons = _blocking(coupon_calls.coupons)
    find_coupon = _blocking(coupon_calls.find_coupon)
    create_webhook_endpoint = _blocking(webhook_calls.create_webhook_endpoint)
    webhook_endpoints = _blocking(webhook_calls.webhook_endpoints)
    find_webhook_endpoint = _blocking(webhook_calls.find_webhook_endpoint)
    change_webhook_endpoint = _blocking(webhook_calls.change_webhook_endpoint)
    delete_webhook_endpoint = _blocking(webhook_calls.delete_webhook_endpoint)
    rotate_webhook_secret = _blocking(webhook_calls.rotate_webhook_secret)
    test_webhook_endpoint = _blocking(webhook_calls.test_webhook_endpoint)
    events = _blocking(webhook_calls.events)
    find_event = _blocking(webhook_calls.find_event)
    resend_event = _blocking(webhook_calls.resend_event)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Sender):
    """The same for asyncio."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        key_id: str | None = None,
        signing_secret: str | None = None,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008  frozen
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(url, api_key=api_key, key_id=key_id, signing_secret=signing_secret, retries=retries)
        self._http = httpx.AsyncClient(transport=transport, trust_env=self._trust_environment)

    async def run(self, call: Call[Result]) -> Result:
        """Run one call, sending it again where that is safe and can help, within the till's wait and the margin."""
        tries = self._begin(call)
        while True:
            try:
                answer = await self._answer(tries)
            except httpx.TransportError as error:
                await asyncio.sleep(tries.pause_after_loss_s(error))
                continue
            pause_s = tries.pause_after_s(answer)
            if pause_s is None:
                return cast("Result", _result(answer))
            await asyncio.sleep(pause_s)

    async def _answer(self, tries: Tries) -> httpx.Response:
        """One try.  httpx bounds each of its steps; here the whole is."""
        request = tries.request()
        try:
            async with asyncio.timeout(tries.left_s):
                return await self._http.send(request)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None

    async def each(self, call: Call[Page[Item]]) -> AsyncIterator[Item]:
        """Everything that a list holds, page by page."""
        while True:
            page = await self.run(call)
            for item in page["data"]:
                yield item
            if not page["has_more"]:
                return
            call = call.after(str(page["data"][-1]["id"]))

    async def await_payment(self, payment_id: str, timeout_s: float = 60.0) -> Payment:
        """The payment once it is decided, a cancellation included, or as it stands after `timeout_s`."""
        looks = _Looks(timeout_s)
        while _payment_is_open(found := await self.payment(payment_id)):
            if (pause_s := looks.next_pause_s()) is None:
                break
            await asyncio.sleep(pause_s)
        return found

    async def await_refund(self, refund_id: str, timeout_s: float = 60.0) -> Refund:
        """The refund once it has its end, or as it stands after `timeout_s`."""
        looks = _Looks(timeout_s)
        while _refund_is_open(found := await self.find_refund(refund_id)):
            if (pause_s := looks.next_pause_s()) is None:
                break
            await asyncio.sleep(pause_s)
        return found

    pay = _waiting(calls.pay)
    quote = _waiting(calls.quote)
    payment = _waiting(calls.payment)
    payments = _waiting(calls.payments)
    cancel = _waiting(calls.cancel)
    receipt = _waiting(calls.receipt)
    refund = _waiting(calls.refund)
    find_refund = _waiting(calls.find_refund)
    refunds = _waiting(calls.refunds)
    create_code = _waiting(calls.create_code)
    codes = _waiting(calls.codes)
    find_code = _waiting(calls.find_code)
    revoke_code = _waiting(calls.revoke_code)
    shift_report = _waiting(calls.shift_report)
    claim_coupon = _waiting(coupon_calls.claim_coupon)
    coupons = _waiting(coupon_calls.coupons)
    find_coupon = _waiting(coupon_calls.find_coupon)
    create_webhook_endpoint = _waiting(webhook_calls.create_webhook_endpoint)
    webhook_endpoints = _waiting(webhook_calls.webhook_endpoints)
    find_webhook_endpoint = _waiting(webhook_calls.find_webhook_endpoint)
    change_webhook_endpoint = _waiting(webhook_calls.change_webhook_endpoint)
    delete_webhook_endpoint = _waiting(webhook_calls.delete_webhook_endpoint)
    rotate_webhook_secret = _waiting(webhook_calls.rotate_webhook_secret)
    test_webhook_endpoint = _waiting(webhook_calls.test_webhook_endpoint)
    events = _waiting(webhook_calls.events)
    find_event = _waiting(webhook_calls.find_event)
    resend_event = _waiting(webhook_calls.resend_event)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
