"""A payment that surely was not charged goes on at the next account; whatever happens, it is captured once at most."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.database.failovers import failovers
from gateway.database.intents import intents
from gateway.database.shown import shown_codes
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Unavailable
from gateway.kernel.failures import FailureCode
from gateway.payments.claims import Claims
from gateway.payments.desk import Desk
from gateway.payments.failing_over import FailingOver
from gateway.payments.flow import PaymentFlow
from gateway.payments.numbers import attempt_order_no
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.pricing import Pricing
from gateway.payments.replays import Replays
from gateway.payments.schemas import PaymentRequest
from gateway.payments.showing import Showing
from gateway.payments.states import Status
from routing.channels.base import ChannelError, ChannelRejected, ChannelUnknown, ChannelUnsent, Wallet
from routing.policy.rules import TRIES_MAX
from routing.router import Router
from tests.integration.payments.corner import Corner, open_corner
from tests.support.order_channel import OrderChannel, Stage, Way
from tests.support.routing import FixedPolicies, plain_router, policy
from tests.support.till import new_code, new_order

MORE: Final = ("second", "third", "fourth")
PROVEN: Final = (Way.UNSENT, Way.TURNS_AWAY)


@dataclass
class House:
    """A desk on real stores, and four accounts in memory that take WeChat's payments, asked in this order."""

    corner: Corner
    desk: Desk
    flow: PaymentFlow
    failing_over: FailingOver

    @property
    def accounts(self) -> list[OrderChannel]:
        """WeChat's channels, in the order in which they are asked."""
        return [self.corner.channels[name] for name in ("wechat", *MORE)]

    def go(self, *ways: Way | None) -> None:
        """How the first charge goes at one account after the other."""
        for channel, way in zip(self.accounts, ways, strict=False):
            channel.ways = [] if way is None else [way]
            channel.calls.clear()

    async def take(self, within_s: float = 3.0, **fields: Any) -> Payment:
        """A sale by bar code."""
        return await self._take(new_order(**fields), within_s)

    async def show(self, within_s: float = 3.0, **fields: Any) -> Payment:
        """A code to show for WeChat."""
        return await self._take(new_code(Wallet.WECHAT, **fields), within_s)

    async def _take(self, fields: dict[str, Any], within_s: float) -> Payment:
        request = PaymentRequest.model_validate_json(orjson.dumps(fields))
        order = PaymentOrder.of("mer_1", "shop", request, None, self.corner.base.vault)
        return (await self.desk.take(order, Deadline.after(within_s))).payment

    async def attempts(self, payment: Payment) -> list[tuple[Any, ...]]:
        """Account, state and channel code of each."""
        found = await self.corner.pool.fetch(
            "SELECT account_id, state, channel_code FROM attempts WHERE payment_id = $1 ORDER BY seq", payment.id
        )
        return [tuple(record) for record in found]

    async def finish(self, payment: Payment) -> Payment:
        """Let the worker bring a payment to its end, and look for money that came too late, in no time."""
        corner = self.corner
        for _ in range(12):
            await corner.work(payment)
            await corner.age(payment, 70)
        corner.town.arrive()
        for _ in range(4):
            await corner.work(payment)
        return await corner.now(payment.merchant_id, payment.id)


@pytest.fixture(scope="module")
async def house(database_url: str, redis_url: str) -> AsyncIterator[House]:
    async with open_corner(database_url, MORE) as corner:
        base = corner.base
        router: Router = plain_router(base.accounts)
        failing_over = FailingOver(base.settings, base.store, router, failovers(base.pool, base.settings))
        flow = PaymentFlow(
            settings=base.settings,
            vault=base.vault,
            claims=Claims(base.valkey, base.settings.claim_ttl_s),
            store=base.store,
            replays=(replays := Replays(base.store, base.vault)),
            router=router,
            screening=base.risk.orders,
            pricing=Pricing(base.campaigns.desk, base.campaigns.places, base.accounts),
            intents=intents(base.pool, base.settings),
            charging=base.charging,
            showing=Showing(base.store, base.charging, shown_codes(base.pool, base.settings)),
            failing_over=failing_over,
        )
        yield House(corner, Desk(flow, replays, 64), flow, failing_over)


@pytest.fixture(autouse=True)
async def afresh(house: House) -> None:
    house.go(None, None, None, None)
    house.corner.town.orders.clear()


@pytest.mark.parametrize(
    ("way", "state", "code"), [(Way.UNSENT, "unsent", "connect_failed"), (Way.TURNS_AWAY, "refused", "NO_AUTH")]
)
async def test_the_next_account_takes_what_surely_was_not_charged(
    house: House, way: Way, state: str, code: str
) -> None:
    house.go(way)
    payment = await house.take()
    assert (payment.status, payment.account_id, payment.attempt_seq) == (Status.SUCCEEDED, "second", 2)
    assert await house.attempts(payment) == [("wechat", state, code), ("second", "captured", None)]
    assert house.corner.town.orders == {attempt_order_no(payment.id, 2): Stage.PAID}
    assert await house.corner.events(payment) == ["created", "attempt_opened", "captured"]
    found = await house.corner.now("mer_1", payment.id)
    assert found == payment
    assert found.channel_order.created_at == found.attempt_at != found.created_at
    booked = await house.corner.base.store.booked(payment)
    assert "channel_receivable:second" in {row.debit for row in booked}
    assert not any("channel_receivable:wechat" in name for row in booked for name in (row.debit, row.credit))


@pytest.mark.parametrize("way", [Way.CAPTURES, Way.CAPTURES_SILENTLY, Way.WAITS, Way.LOST, Way.LATE, Way.REFUSES])
async def test_after_any_other_answer_no_other_account_is_asked(house: House, way: Way) -> None:
    house.go(way)
    payment = await house.take(within_s=0.5)
    assert [channel.calls.count("charge") for channel in house.accounts] == [1, 0, 0, 0]
    assert (payment.account_id, payment.attempt_seq) == ("wechat", 1)
    await house.finish(payment)


async def test_as_many_accounts_are_asked_as_are_allowed_and_the_last_answer_is_told(house: House) -> None:
    house.go(Way.UNSENT, Way.TURNS_AWAY, Way.UNSENT, Way.CAPTURES)
    payment = await house.take()
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.CHANNEL_UNAVAILABLE)
    assert [state for _, state, _ in await house.attempts(payment)] == ["unsent", "refused", "unsent"]
    assert house.corner.town.orders == {}
    assert await house.corner.events(payment) == ["created", "attempt_opened", "attempt_opened", "unsent"]


async def test_the_policy_says_how_many_accounts_are_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.flow._router, "_policies", FixedPolicies(policy(tries_max=1, exploration="0")))
    house.go(Way.UNSENT)
    payment = await house.take()
    assert (payment.failure, payment.attempt_seq) == (FailureCode.CHANNEL_UNAVAILABLE, 1)
    monkeypatch.setattr(house.flow._router, "_policies", FixedPolicies(policy(tries_max=4, exploration="0")))
    house.go(Way.UNSENT, Way.UNSENT, Way.UNSENT)
    payment = await house.take()
    assert (payment.status, payment.attempt_seq) == (Status.SUCCEEDED, 4)


async def test_without_another_account_the_answer_stands(house: House) -> None:
    house.go(Way.TURNS_AWAY)
    await house.corner.pool.execute("UPDATE channel_accounts SET status = 'draining' WHERE id = ANY ($1)", list(MORE))
    await house.corner.base.accounts.reload()
    try:
        payment = await house.take()
    finally:
        await house.corner.pool.execute("UPDATE channel_accounts SET status = 'enabled'")
        await house.corner.base.accounts.reload()
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.CHANNEL_MISCONFIGURED)
    assert payment.failure_channel_code == "NO_AUTH"


async def test_past_the_tills_wait_no_other_account_is_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.go(Way.UNSENT)
    house.corner.town.latency_s = 0.0

    async def slowly(*_: object) -> None:
        await asyncio.sleep(0.3)

    monkeypatch.setattr(house.corner.town, "answer", slowly)
    taken = await house.take(within_s=0.2)
    assert taken.status is Status.PROCESSING
    await house.desk.drain(2)
    payment = await house.corner.now("mer_1", taken.id)
    assert (payment.status, payment.failure, payment.attempt_seq) == (
        Status.FAILED,
        FailureCode.CHANNEL_UNAVAILABLE,
        1,
    )


async def test_each_attempt_has_a_time_of_its_own_to_leave_and_the_worker_waits_for_it(house: House) -> None:
    house.go(Way.UNSENT, Way.WAITS)
    payment = await house.take(within_s=0.5)
    first, second = await house.corner.pool.fetch(
        "SELECT created_at, send_before FROM attempts WHERE payment_id = $1 ORDER BY seq", payment.id
    )
    assert second["send_before"] > first["send_before"]
    assert (second["send_before"] - second["created_at"]).total_seconds() == house.corner.base.settings.send_within_s
    await house.finish(payment)


async def test_why_each_account_was_asked_is_kept_with_its_attempt(house: House) -> None:
    house.go(Way.UNSENT, Way.CAPTURES)
    payment = await house.take()
    found = await house.corner.pool.fetch("SELECT routing FROM attempts WHERE payment_id = $1 ORDER BY seq", payment.id)
    first, second = (orjson.loads(record["routing"]) for record in found)
    assert (first["account"], second["account"]) == ("wechat", "second")
    reasons = {each["account"]: each["reason"] for each in second["candidates"]}
    assert reasons["wechat"] == "tried_before"
    assert reasons["second"] is None


async def test_a_code_to_show_comes_from_the_next_account(house: House) -> None:
    first, second = house.accounts[:2]
    first.losing = [ChannelUnsent("connect_failed")]
    payment = await house.show(expires_in=60)
    assert (payment.status, payment.account_id, payment.attempt_seq) == (Status.REQUIRES_ACTION, "second", 2)
    assert (payment.is_aggregated, payment.has_open_attempt) == (False, True)
    assert second.calls == ["code"]
    assert payment.attempt_at is not None
    assert payment.pay_until is not None
    assert payment.pay_until > payment.expires_at, "the channel gives a code a minute from its own attempt"
    found = await house.corner.now("mer_1", payment.id)
    assert found == payment
    assert house.corner.town.pay(attempt_order_no(payment.id, 2))
    await house.corner.work(payment)
    assert (await house.corner.now("mer_1", payment.id)).status is Status.SUCCEEDED
    assert await house.corner.events(payment) == ["created", "attempt_opened", "code_shown", "captured"]


async def test_a_failed_over_code_that_nobody_pays_is_closed_where_it_was_shown(house: House) -> None:
    house.accounts[0].losing = [ChannelRejected("NO_AUTH", FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True)]
    payment = await house.show(expires_in=60)
    await house.corner.age(payment, 61)
    await house.corner.work(payment)
    assert (await house.corner.now("mer_1", payment.id)).status is Status.CLOSED
    assert house.corner.town.orders == {attempt_order_no(payment.id, 2): Stage.SHUT}


@pytest.mark.parametrize(
    "answers",
    [
        [ChannelUnknown("answer_timeout"), ChannelUnknown("answer_timeout")],
        [ChannelUnknown("answer_timeout"), ChannelUnsent("connect_failed")],
        [
            ChannelUnknown("answer_timeout"),
            ChannelRejected("NO_AUTH", FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True),
        ],
    ],
)
async def test_after_a_lost_answer_no_other_account_is_asked_for_a_code(
    house: House, answers: list[ChannelError]
) -> None:
    house.accounts[0].losing = list(answers)
    payment = await house.show()
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.CHANNEL_UNAVAILABLE)
    assert [len(channel.calls) for channel in house.accounts] == [2, 0, 0, 0]


async def test_a_worker_that_has_begun_to_reverse_meanwhile_is_not_raced(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process slept before the connection failed; a worker took the payment over."""
    house.go(Way.UNSENT)
    plain = house.failing_over.next_turn

    async def late(turn: Any, answer: object, deadline: Deadline) -> Any:
        assert await house.corner.base.store.begin_reversal(turn.payment)
        return await plain(turn, answer, deadline)

    monkeypatch.setattr(house.failing_over, "next_turn", late)
    payment = await house.take()
    assert [channel.calls.count("charge") for channel in house.accounts] == [1, 0, 0, 0]
    assert (payment.status, payment.attempt_seq) == (Status.FAILED, 1)


async def test_a_worker_that_looked_at_the_attempt_before_does_not_reverse_the_next_one(house: House) -> None:
    house.go(Way.UNSENT, Way.WAITS)
    payment = await house.take(within_s=0.5)
    stale = payment.with_(attempt_seq=1, account_id="wechat")
    assert not await house.corner.base.store.begin_reversal(stale)
    assert (await house.corner.now("mer_1", payment.id)).reversal is None
    await house.finish(payment)


async def test_a_database_that_does_not_tell_leaves_the_payment_to_the_worker_and_nobody_is_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.go(Way.UNSENT)

    async def away(*_: object) -> Any:
        raise Unavailable("database_unavailable", "away")

    monkeypatch.setattr(house.failing_over._failovers, "submit", away)
    payment = await house.take()
    assert payment.status is Status.PROCESSING
    assert [channel.calls.count("charge") for channel in house.accounts] == [1, 0, 0, 0]
    ended = await house.finish(payment)
    assert (ended.status, ended.failure) == (Status.FAILED, FailureCode.NOT_CREATED)


async def test_a_commit_that_nobody_heard_of_is_the_workers_and_is_never_charged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.go(Way.UNSENT)
    plain = house.failing_over._failovers.submit

    async def unheard(row: Any) -> Any:
        await plain(row)
        raise Unavailable("database_unavailable", "away")

    monkeypatch.setattr(house.failing_over._failovers, "submit", unheard)
    payment = await house.take()
    ended = await house.finish(payment)
    assert [channel.calls.count("charge") for channel in house.accounts] == [1, 0, 0, 0]
    assert (ended.status, ended.attempt_seq, ended.account_id) == (Status.FAILED, 2, "second")
    assert [state for _, state, _ in await house.attempts(payment)] == ["unsent", "not_created"]


async def test_many_at_once_fail_over_in_batches(house: House) -> None:
    house.accounts[0].ways = [Way.UNSENT] * 40
    payments = await asyncio.gather(*[house.take() for _ in range(40)])
    assert {(payment.status, payment.account_id) for payment in payments} == {(Status.SUCCEEDED, "second")}


async def test_the_same_request_again_has_the_payment_that_failed_over(house: House) -> None:
    house.go(Way.UNSENT)
    fields = new_order()
    first, again = await asyncio.gather(house._take(fields, 3.0), house._take(fields, 3.0))
    assert (first.id, first.status) == (again.id, again.status) == (first.id, Status.SUCCEEDED)
    assert len(house.corner.town.standing(Stage.PAID)) == 1


_EXAMPLES: Final = itertools.count(1)


@hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    ways=st.lists(st.sampled_from([*PROVEN, *PROVEN, *Way]), min_size=4, max_size=4),
    pays_later=st.booleans(),
    cancels=st.booleans(),
)
async def test_whatever_the_accounts_answer_a_payment_is_captured_once_at_most(
    house: House, ways: Sequence[Way], *, pays_later: bool, cancels: bool
) -> None:
    """Money stays at one account at most, and exactly where the payment says that it succeeded."""
    town = house.corner.town
    town.orders.clear()
    house.go(*ways)
    taken = await house.take(within_s=1.5)  # a till that waits less than the machine is busy sees fewer accounts asked
    asked = [channel.calls.count("charge") for channel in house.accounts]
    assert max(asked) == 1
    proven = next((number for number, way in enumerate(ways) if way not in PROVEN), len(ways))
    assert sum(asked) == min(proven + 1, TRIES_MAX)
    if pays_later:
        for order_no in list(town.orders):
            town.pay(order_no)
    if cancels and taken.status is Status.PROCESSING:
        await house.corner.base.store.request_reversal(taken)
    payment = await house.finish(taken)

    kept = town.standing(Stage.PAID)
    assert payment.status.is_final
    assert payment.review is None
    assert kept == ([attempt_order_no(payment.id, payment.attempt_seq)] if payment.status is Status.SUCCEEDED else [])
    assert len([order for order, stage in town.orders.items() if stage in {Stage.PAID, Stage.RETURNED}]) <= 1
    open_ = await house.corner.pool.fetchval(
        "SELECT count(*) FROM attempts WHERE payment_id = $1 AND state = 'open'", payment.id
    )
    assert open_ == 0
    await house.corner.events(payment)
    event(f"{payment.status} after {sum(asked)}")


async def test_when_no_account_can_be_reached_the_till_is_told_at_once(house: House) -> None:
    house.go(*[Way.UNSENT] * 4)
    took = []
    for _ in range(20):
        house.go(*[Way.UNSENT] * 4)
        began = time.monotonic()
        payment = await house.take()
        took.append(time.monotonic() - began)
        assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.CHANNEL_UNAVAILABLE)
    assert sorted(took)[len(took) // 2] < 0.1
