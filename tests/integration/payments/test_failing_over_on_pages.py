"""A code that any wallet can pay: where an account surely opened no order, the next one of the same wallet and app is
asked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.kernel.failures import FailureCode
from gateway.payments.attempts import Ready, Refused
from gateway.payments.numbers import attempt_order_no
from gateway.payments.states import Status
from routing.channels.base import ChannelError, ChannelRejected, ChannelUnknown, ChannelUnsent, Wallet
from tests.integration.payments.corner import Corner, open_corner
from tests.support.order_channel import Stage

UNSENT = ChannelUnsent("connect_failed")
TURNED_AWAY = ChannelRejected("NO_AUTH", FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True)
REFUSES = ChannelRejected("PARAM_ERROR", FailureCode.CHANNEL_REFUSED)
SILENT = ChannelUnknown("answer_timeout")


@pytest.fixture
async def corner(database_url: str) -> AsyncIterator[Corner]:
    """Three accounts take WeChat's payments."""
    async with open_corner(database_url, ("second", "third")) as opened:
        yield opened


def asked(corner: Corner) -> list[int]:
    """How many pages each of WeChat's accounts was asked for."""
    return [corner.channels[name].calls.count("page") for name in ("wechat", "second", "third")]


async def states(corner: Corner, payment_id: str) -> list[tuple[str, str]]:
    """Account and state of each attempt."""
    found = await corner.pool.fetch(
        "SELECT account_id, state FROM attempts WHERE payment_id = $1 ORDER BY seq", payment_id
    )
    return [(record["account_id"], record["state"]) for record in found]


@pytest.mark.parametrize(("error", "state"), [(UNSENT, "unsent"), (TURNED_AWAY, "refused")])
async def test_the_next_account_of_the_same_wallet_opens_the_order(
    corner: Corner, error: ChannelError, state: str
) -> None:
    payment = await corner.show()
    corner.channels["wechat"].losing = [error]
    result = await corner.scan(payment, Wallet.WECHAT, "alice")
    assert isinstance(result, Ready)
    assert (result.page.bridge["package"], result.page.bridge["payer"]) == (attempt_order_no(payment.id, 2), "alice")
    assert (result.payment.wallet, result.payment.account_id) == ("wechat", "second")
    assert await states(corner, payment.id) == [("wechat", state), ("second", "open")]
    assert await corner.events(payment) == ["code_shown", "attempt_opened", "attempt_closed", "attempt_opened"]
    assert corner.town.pay(attempt_order_no(payment.id, 2))
    await corner.work(payment)
    assert (await corner.now(payment.merchant_id, payment.id)).status is Status.SUCCEEDED


@pytest.mark.parametrize("error", [REFUSES, SILENT])
async def test_after_any_other_answer_no_other_account_is_asked(corner: Corner, error: ChannelError) -> None:
    payment = await corner.show()
    corner.channels["wechat"].losing = [error, error]
    assert isinstance(await corner.scan(payment, Wallet.WECHAT, "alice"), Refused)
    assert asked(corner)[1:] == [0, 0]


async def test_an_account_that_has_payers_identified_elsewhere_is_not_asked(corner: Corner) -> None:
    """A payer's id is of the app that identified him."""
    payment = await corner.show()
    corner.channels["wechat"].losing = [UNSENT]
    corner.channels["second"].app = "another app"
    result = await corner.scan(payment, Wallet.WECHAT, "alice")
    assert isinstance(result, Ready)
    assert result.payment.account_id == "third"
    assert asked(corner) == [1, 0, 1]


async def test_where_no_account_is_left_the_payer_is_told_and_the_code_stays_on_display(corner: Corner) -> None:
    payment = await corner.show()
    for name in ("wechat", "second", "third"):
        corner.channels[name].losing = [UNSENT]
    result = await corner.scan(payment, Wallet.WECHAT, "alice")
    assert result == Refused(FailureCode.CHANNEL_UNAVAILABLE, "connect_failed")
    assert asked(corner) == [1, 1, 1]
    assert (await corner.now(payment.merchant_id, payment.id)).status is Status.REQUIRES_ACTION
    assert isinstance(await corner.scan(payment, Wallet.ALIPAY, "bob"), Ready)
    assert corner.town.standing(Stage.OPEN) == [attempt_order_no(payment.id, 4)]


async def test_a_code_that_was_cancelled_between_two_accounts_opens_no_further_order(
    corner: Corner, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await corner.show()
    corner.channels["wechat"].losing = [UNSENT]
    close = corner.attempts._attempts.close

    async def then_cancelled(*arguments: object) -> bool:
        closed = await close(*arguments)  # type: ignore[arg-type]
        assert await corner.base.store.request_reversal(payment)
        return closed

    monkeypatch.setattr(corner.attempts._attempts, "close", then_cancelled)
    await corner.scan(payment, Wallet.WECHAT, "alice")
    assert asked(corner) == [1, 0, 0]
    assert corner.town.orders == {}
