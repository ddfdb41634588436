"""Everything that happens at a counter in a day: a function for each kind of sale, named as the shop would tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gateway.client import ApiError, Code, Payment, calls
from tests.support.shop_day.counter import Counter
from tests.support.till import WALLETS, auth_code

SaleKind = Callable[[Counter, str], Awaitable[None]]
_LOOK_S: Final = 0.3


async def shows_a_code(counter: Counter, wallet: str) -> None:
    await counter.sell_by_bar_code(shows_a_code, wallet)


async def types_the_pin(counter: Counter, wallet: str) -> None:
    await counter.sell_by_bar_code(types_the_pin, wallet, magic="9003")


async def is_declined_and_pays_with_another_wallet(counter: Counter, wallet: str) -> None:
    kind = is_declined_and_pays_with_another_wallet
    declined = await counter.sell_by_bar_code(kind, wallet, "failed", "9001")
    if (await counter.end_of(declined))["status"] != "succeeded":
        await counter.sell_by_bar_code(kind, _other(wallet), amount=declined["amount"], replaces=declined["id"])


async def is_charged_and_the_answer_is_lost(counter: Counter, wallet: str) -> None:
    await counter.sell_by_bar_code(is_charged_and_the_answer_is_lost, wallet, magic="9005", wait_s=2)


async def never_types_the_pin(counter: Counter, wallet: str) -> None:
    payment = await counter.sell_by_bar_code(never_types_the_pin, wallet, "reversed", "9004", wait_s=1)
    await counter.cancel(payment)


async def never_types_the_pin_and_pays_with_another_wallet(counter: Counter, wallet: str) -> None:
    """The second payment is refused while the first may still be paid, and taken under the same number afterwards."""
    kind = never_types_the_pin_and_pays_with_another_wallet
    first = await counter.sell_by_bar_code(kind, wallet, "reversed", "9004", wait_s=1)
    again = counter.order(
        kind, amount=first["amount"], replaces=first["id"], wait_s=1, auth_code=auth_code(_other(wallet))
    )
    try:
        counter.remember(kind, "succeeded", await counter.run(again))
    except ApiError as error:
        if error.code != "replaced_payment_unresolved":
            raise
        if (await counter.cancel(first))["status"] != "succeeded":
            counter.remember(kind, "succeeded", await counter.run(again))


async def order_appears_late(counter: Counter, wallet: str) -> None:
    """The channel does not know the order for twenty seconds, and then has been paid."""
    await counter.sell_by_bar_code(order_appears_late, wallet, magic="9007", wait_s=1)


async def order_appears_after_it_was_given_up(counter: Counter, wallet: str) -> None:
    """The till has its answer; what the channel takes afterwards goes back by itself."""
    kind = order_appears_after_it_was_given_up
    payment = await counter.sell_by_bar_code(kind, wallet, "failed", "9007", wait_s=1)
    await counter.shop.clock.let_it_expire(payment["id"])
    found = await counter.end_of(payment)
    while found["status"] == "failed" and [late["status"] for late in found["late_captures"]] != ["refunded"]:
        await asyncio.sleep(_LOOK_S)
        await counter.shop.clock.look_now(payment["id"])
        found = await counter.run(calls.payment(payment["id"]))


async def till_sends_it_twice(counter: Counter, wallet: str) -> None:
    order = counter.order(till_sends_it_twice, auth_code=auth_code(wallet))
    answers = await asyncio.gather(*[counter.run(order) for _ in range(3)])
    assert len({payment["id"] for payment in answers}) == 1
    counter.remember(till_sends_it_twice, "succeeded", answers[0])


async def scans_a_code(counter: Counter, wallet: str) -> None:
    await _scanned(scans_a_code, counter, wallet)


async def never_scans(counter: Counter, wallet: str) -> None:
    """The channel takes no money after a minute; then the code is over by itself."""
    await counter.sell(never_scans, "closed", wallet=wallet, expires_in=60)


async def scans_after_the_cancel(counter: Counter, wallet: str) -> None:
    """WeChat's code is dead at once; Alipay's and UnionPay's can still be paid, and the money goes back."""
    payment = await counter.code_of(await counter.sell(scans_after_the_cancel, "closed reversed", wallet=wallet))
    after = await counter.run(calls.cancel(payment["id"], wait_s=1))
    if payment["qr_code"] is not None:
        said = await counter.shop.customers.scan(wallet, payment["qr_code"])
        assert after["status"] != "closed" or said in {404, 409}, "a code that is closed can still be paid"
    if (await counter.run(calls.payment(payment["id"])))["status"] == "requires_action":
        await counter.shop.clock.look_now(payment["id"])


async def scans_a_code_for_any_wallet(counter: Counter, wallet: str) -> None:
    payment = await counter.sell(scans_a_code_for_any_wallet, "succeeded")
    assert payment["qr_code"] is not None
    async with counter.shop.customers.page(wallet, payment["qr_code"]) as page:
        told = await page.tap()
        if told["status"] == "ready":
            await counter.shop.customers.pay(page, told)


async def two_scan_a_code_for_any_wallet(counter: Counter, wallet: str) -> None:
    """Whoever is first pays; the other one is told to wait, and is charged nothing."""
    payment = await counter.sell(two_scan_a_code_for_any_wallet, "succeeded")
    assert payment["qr_code"] is not None
    customers = counter.shop.customers
    async with (
        customers.page(wallet, payment["qr_code"]) as one,
        customers.page(_other(wallet), payment["qr_code"]) as other,
    ):
        told = await asyncio.gather(one.tap(), other.tap())
        ready = [(page, order) for page, order in zip((one, other), told, strict=True) if order["status"] == "ready"]
        assert len(ready) <= 1, "two wallets can pay one code"
        for page, order in ready:
            await customers.pay(page, order)


async def leaves_a_code_for_any_wallet(counter: Counter, wallet: str) -> None:
    payment = await counter.sell(leaves_a_code_for_any_wallet, "closed", expires_in=60)
    assert payment["qr_code"] is not None
    async with counter.shop.customers.page(wallet, payment["qr_code"]):
        pass


async def changes_his_mind_before_scanning(counter: Counter, wallet: str) -> None:
    await counter.cancel(await counter.sell(changes_his_mind_before_scanning, "closed"))


async def changes_his_mind_after_paying(counter: Counter, wallet: str) -> None:
    payment = await counter.sell_by_bar_code(changes_his_mind_after_paying, wallet, "reversed")
    await counter.cancel(payment)


async def changes_his_mind_after_scanning(counter: Counter, wallet: str) -> None:
    kind = changes_his_mind_after_scanning
    await counter.cancel(await _scanned(kind, counter, wallet, "reversed"))


async def brings_everything_back(counter: Counter, wallet: str) -> None:
    payment = await counter.end_of(await counter.sell_by_bar_code(brings_everything_back, wallet))
    if payment["status"] == "succeeded":
        await counter.refund(payment, payment["amount"], reason="所购商品已退回")


async def brings_a_part_back(counter: Counter, wallet: str) -> None:
    payment = await _scanned(brings_a_part_back, counter, wallet)
    if payment["status"] == "succeeded":
        await counter.refund(payment, payment["amount"] // 3)


async def brings_one_thing_back_after_another(counter: Counter, wallet: str) -> None:
    payment = await counter.end_of(await counter.sell_by_bar_code(brings_one_thing_back_after_another, wallet))
    if payment["status"] != "succeeded":
        return
    left = payment["amount"]
    for part in (1, left // 2, left - 1 - left // 2):
        await counter.refund(payment, part)


async def brings_back_more_than_was_bought(counter: Counter, wallet: str) -> None:
    """Three tills at once give two thirds back: one of them may."""
    payment = await counter.end_of(await counter.sell_by_bar_code(brings_back_more_than_was_bought, wallet))
    if payment["status"] == "succeeded":
        part = payment["amount"] * 2 // 3
        answers = await asyncio.gather(*[counter.refund(payment, part) for _ in range(3)], return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert [getattr(error, "code", error) for error in refused] == ["refund_exceeds_payment"] * 2


QUIET_DAY: Final[Mapping[SaleKind, int]] = {
    shows_a_code: 12,
    types_the_pin: 2,
    is_declined_and_pays_with_another_wallet: 2,
    is_charged_and_the_answer_is_lost: 2,
    never_types_the_pin: 1,
    never_types_the_pin_and_pays_with_another_wallet: 1,
    order_appears_late: 1,
    order_appears_after_it_was_given_up: 1,
    till_sends_it_twice: 2,
    scans_a_code: 5,
    never_scans: 2,
    scans_after_the_cancel: 2,
    scans_a_code_for_any_wallet: 3,
    two_scan_a_code_for_any_wallet: 1,
    leaves_a_code_for_any_wallet: 1,
    changes_his_mind_before_scanning: 1,
    changes_his_mind_after_paying: 2,
    changes_his_mind_after_scanning: 1,
    brings_everything_back: 2,
    brings_a_part_back: 2,
    brings_one_thing_back_after_another: 2,
    brings_back_more_than_was_bought: 1,
}
"""How often each happens with each wallet."""


async def pays_at_the_wall(counter: Counter, code: Code, wallet: str) -> None:
    """At a printed code the customer types the amount; no till is involved."""
    amount = counter.shop.rng.randint(100, 99_999)
    async with counter.shop.customers.page(wallet, code["url"]) as page:
        told = await page.tap(amount)
        if told["status"] == "ready":
            await counter.shop.customers.pay(page, told)


async def _scanned(kind: Callable[..., object], counter: Counter, wallet: str, ends: str = "succeeded") -> Payment:
    payment = await counter.code_of(await counter.sell(kind, ends, wallet=wallet))
    if payment["qr_code"] is not None:
        await counter.shop.customers.scan(wallet, payment["qr_code"])
    return await counter.end_of(payment)


def _other(wallet: str) -> str:
    return WALLETS[(WALLETS.index(wallet) + 1) % len(WALLETS)]
