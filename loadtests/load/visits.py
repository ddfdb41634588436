"""What a till does for one customer, from the first request to the end of the payment.  Runs under Locust."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import gevent  # type: ignore[import-untyped]

from loadtests.load.desk import Desk, GivenUp, Process, Told, Wrong
from loadtests.load.ends import UNDER_WAY, end_of
from loadtests.load.market import Sale
from loadtests.load.mix import FULL_REFUND_PERCENT, Ending, Journey
from loadtests.load.tally import End, Kind

_POLL_S: Final = 0.7
_PATIENCE_S: Final = 120.0
_SCANS_AFTER_S: Final = (0.2, 0.8)
_LEAVES_AFTER_S: Final = (0.5, 2.0)
_PIN_WAIT: Final = "wait=1"
_PINS: Final = frozenset({Ending.PIN, Ending.PIN_REFUSED, Ending.PIN_LEFT})
_LEFT: Final = frozenset({Ending.PIN_LEFT, Ending.CODE_LEFT})


class Visit:
    """One customer at a till."""

    def __init__(self, process: Process, desk: Desk) -> None:
        self._process, self._desk = process, desk

    def serve(self) -> None:
        """Draw what the customer wants and do it; nothing is raised, everything is counted."""
        journey = self._process.journeys.draw(self._process.chooser)
        self._process.tally.open += 1
        try:
            match journey:
                case Journey.LOOK_UP:
                    self._quietly(self._look_up)
                case Journey.LIST:
                    self._quietly(self._list)
                case Journey.SEARCH:
                    self._quietly(self._search)
                case _:
                    self._sell(journey)
        except gevent.GreenletExit:
            self._process.tally.failed(time.time(), f"{journey}: cut off before its end")
            raise
        except Exception as trouble:
            # Locust would log it, and the run would pass
            self._desk.complain(f"{journey}: {type(trouble).__name__}: {trouble}")
        finally:
            self._process.tally.open -= 1

    def _sell(self, journey: Journey) -> None:
        sale = self._process.market.sale()
        method = "code" if sale.auth_code is None else "bar code"
        self._process.tally.sales[f"{sale.wallet} {method}"] += 1
        try:
            payment, end = self._paid(sale, self._begun(journey, sale))
        except GivenUp:
            self._count(End.GIVEN_UP)
            return
        except Wrong as wrong:
            self._count(End.FAILED)
            self._desk.complain(str(wrong))
            return
        self._count(end)
        self._process.remembered.append((sale, payment["id"]))
        self._quietly(lambda: self._go_on(journey, sale, payment))

    def _begun(self, journey: Journey, sale: Sale) -> dict[str, Any]:
        match journey:
            case Journey.QUOTED:
                return self._quoted(sale)
            case Journey.COUPON:
                return self._with_coupon(sale)
            case Journey.TWICE:
                return self._twice(sale)
            case _:
                return self._pay(sale)

    def _go_on(self, journey: Journey, sale: Sale, payment: dict[str, Any]) -> None:
        """What follows the payment's end, where something does."""
        match journey:
            case Journey.REPEATED:
                self._repeat(sale, payment)
            case Journey.MISTAKEN:
                self._mistake(sale, payment)
            case Journey.REFUNDED if payment["status"] == "succeeded":
                self._refund(sale, payment)

    def _quietly(self, step: Callable[[], None]) -> None:
        """A step after the payment's end: what is wrong with it counts, a refusal of it has been counted."""
        try:
            step()
        except GivenUp:
            return
        except Wrong as wrong:
            self._desk.complain(str(wrong))

    def _count(self, end: End) -> None:
        self._process.tally.at(time.time()).ends[end] += 1

    def _pay(self, sale: Sale, **more: Any) -> dict[str, Any]:
        """The payment as the first answer has it."""
        if sale.auth_code is None:
            return self._desk.post(Kind.SHOW, sale.shop, "/v1/payments", sale.body(**more)).object
        if sale.ending in _PINS:
            body = sale.body(**more)
            return self._desk.post(Kind.PIN, sale.shop, "/v1/payments", body, headers={"Prefer": _PIN_WAIT}).object
        return self._desk.post(Kind.PAY, sale.shop, "/v1/payments", sale.body(**more)).object

    def _quoted(self, sale: Sale) -> dict[str, Any]:
        quote = self._desk.post(Kind.QUOTE, sale.shop, "/v1/quotes", sale.priced(), expected=200).object
        return self._pay(sale, expected_payable=quote["payable"])

    def _with_coupon(self, sale: Sale) -> dict[str, Any]:
        claim = {
            "campaign_id": self._process.plan.coupon_campaign_id,
            "customer": {"id": f"c-{sale.customer}"},
        }
        headers = {"Idempotency-Key": sale.order_no}
        coupon = self._desk.post(Kind.CLAIM, sale.shop, "/v1/coupons", claim, headers=headers).object
        return self._pay(sale, coupons=[coupon["id"]])

    def _twice(self, sale: Sale) -> dict[str, Any]:
        """Both lines of the till are told the same payment."""
        asked = [gevent.spawn(self._pay_or_trouble, sale) for _ in range(2)]
        gevent.joinall(asked)
        first, second = (each.value for each in asked)
        for told in (first, second):
            if isinstance(told, GivenUp | Wrong):
                raise told
        if first["id"] != second["id"]:
            raise Wrong(f"{Journey.TWICE}: one order became two payments")
        chosen: dict[str, Any] = second if first["status"] in UNDER_WAY else first
        return chosen

    def _pay_or_trouble(self, sale: Sale) -> dict[str, Any] | GivenUp | Wrong:
        try:
            return self._pay(sale)
        except (GivenUp, Wrong) as trouble:
            return trouble

    def _paid(self, sale: Sale, payment: dict[str, Any]) -> tuple[dict[str, Any], End]:
        """See the payment to its end: the customer scans, types or leaves, and the till polls.  Raises Wrong."""
        if payment["status"] == "requires_action" and sale.ending is Ending.PAID:
            gevent.sleep(self._process.chooser.uniform(*_SCANS_AFTER_S))
            self._desk.scan(sale, payment["qr_code"])
        if payment["status"] in UNDER_WAY and sale.ending in _LEFT:
            gevent.sleep(self._process.chooser.uniform(*_LEAVES_AFTER_S))
            payment = self._desk.post(
                Kind.CANCEL, sale.shop, f"/v1/payments/{payment['id']}/cancel", None, expected=200
            ).object
        payment = self._polled(sale, payment)
        end, wrong = end_of(sale.ending, payment)
        if wrong is not None:
            raise Wrong(wrong)
        return payment, end

    def _polled(self, sale: Sale, payment: dict[str, Any]) -> dict[str, Any]:
        """Ask until the payment has ended; one that is being cancelled ends by itself, and no till waits for it."""
        until_s = time.monotonic() + _PATIENCE_S
        while payment["status"] in UNDER_WAY and payment["reversal"] is None and time.monotonic() < until_s:
            gevent.sleep(_POLL_S)
            payment = self._desk.get(Kind.POLL, sale.shop, f"/v1/payments/{payment['id']}").object
        return payment

    def _repeat(self, sale: Sale, payment: dict[str, Any]) -> None:
        again = self._desk.post(Kind.REPEAT, sale.shop, "/v1/payments", sale.body()).object
        if again["id"] != payment["id"]:
            raise Wrong(f"{Kind.REPEAT}: another payment")

    def _mistake(self, sale: Sale, payment: dict[str, Any]) -> None:
        """Another amount under a number that is taken is refused by name."""
        body = sale.body(amount=sale.amount_fen + 1)
        told: Told = self._desk.post(Kind.MISTAKE, sale.shop, "/v1/payments", body, expected=409)
        if told.object["error"]["type"] != "conflict":
            raise Wrong(f"{Kind.MISTAKE}: {payment['id']} conflicts as {told.object['error']['type']}")

    def _refund(self, sale: Sale, payment: dict[str, Any]) -> None:
        chooser = self._process.chooser
        whole = chooser.random() * 100 < FULL_REFUND_PERCENT
        amount_fen = sale.amount_fen if whole else chooser.randint(1, sale.amount_fen)
        body = {"payment_id": payment["id"], "amount": amount_fen, "merchant_refund_no": f"R{sale.order_no[1:]}"}
        refund = self._desk.post(Kind.REFUND, sale.shop, "/v1/refunds", body).object
        if refund["status"] == "failed":
            raise Wrong(f"{Kind.REFUND}: {refund['failure']['code']}")

    def _look_up(self) -> None:
        for sale, payment_id in self._remembered():
            found = self._desk.get(Kind.LOOK_UP, sale.shop, f"/v1/payments/{payment_id}").object
            if found["merchant_order_no"] != sale.order_no:
                raise Wrong(f"{Kind.LOOK_UP}: another payment")

    def _list(self) -> None:
        for sale, _ in self._remembered():
            found = self._desk.get(Kind.LIST, sale.shop, "/v1/payments?status=succeeded&limit=20").object
            if any(each["status"] != "succeeded" for each in found["data"]):
                raise Wrong(f"{Kind.LIST}: payments that did not succeed")

    def _search(self) -> None:
        for sale, payment_id in self._remembered():
            found = self._desk.get(Kind.SEARCH, sale.shop, f"/v1/payments?merchant_order_no={sale.order_no}").object
            if [each["id"] for each in found["data"]] != [payment_id]:
                raise Wrong(f"{Kind.SEARCH}: not the one payment of that number")

    def _remembered(self) -> list[tuple[Sale, str]]:
        """One of the newest sales; none before the first."""
        remembered = self._process.remembered
        return [self._process.chooser.choice(remembered)] if remembered else []
