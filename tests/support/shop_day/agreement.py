"""Whether everything that was collected in the evening says the same, to the fen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

import httpx

from gateway.client import ApiError, AsyncClient, Payment
from gateway.payments.numbers import attempt_of, refund_of
from routing.channels.statements import StatementKind, StatementLine
from tests.support.shop_day.evening import Evening, grouped, sums
from tests.support.shop_day.hooks import Hooks, reconstructed

_END_OF: Final = {
    "succeeded": "payment.succeeded",
    "failed": "payment.failed",
    "closed": "payment.closed",
    "reversed": "payment.reversed",
}
_PAGES: Final = 12
"""So many receipts are looked at as a customer does; the rest as JSON."""


def webhooks_agree(day: Evening, hooks: Hooks) -> None:
    """Every event arrived, and whoever knows nothing but the messages knows every payment as it is."""
    assert hooks.refused == []
    assert hooks.times().keys() == {event["id"] for event in day.events}
    told = hooks.by_payment()
    assert told.keys() == day.payments.keys()
    for payment_id, payment in day.payments.items():
        messages = told[payment_id]
        numbers = [message["sequence"] for message in messages]
        assert numbers == sorted(set(numbers)), messages
        ends = Counter(message["type"] for message in messages)
        assert ends[_END_OF[payment["status"]]] == 1, (payment, ends)
        assert reconstructed(messages) == payment
    refunds = Counter((event["refund_id"], event["type"]) for event in day.events if event["type"].startswith("refund"))
    assert refunds == {(refund["id"], f"refund.{refund['status']}"): 1 for refund in day.refunds.values()}


def report_agrees(day: Evening) -> None:
    """The shift report says what the client has added up, by till, cashier and wallet, and so does the ledger."""
    report: Mapping[str, Any] = day.report
    assert report["ledger"]["agrees"]
    assert [report["open"][kind]["data"] for kind in ("payments", "refunds")] == [[], []]
    totals = sums(day.paid(), day.given_back())
    assert _without_fees(report["totals"]) == totals
    wallet = {payment["id"]: payment["wallet"] for payment in day.payments.values()}
    for name, keys, found in (
        ("by_store", ("store_id",), grouped(day, lambda one: (one["store_id"],))),
        ("by_terminal", ("store_id", "terminal_id"), grouped(day, lambda one: (one["store_id"], one["terminal_id"]))),
        ("by_operator", ("operator_id",), grouped(day, lambda one: (one["operator_id"],))),
        (
            "by_wallet",
            ("wallet",),
            grouped(day, lambda one: (one["wallet"],), lambda refund: (wallet[refund["payment_id"]],)),
        ),
    ):
        rows = {tuple(row[key] for key in keys): _without_fees(row) for row in report[name]}
        assert {key: row for key, row in rows.items() if row["payments"]["count"] or row["refunds"]["count"]} == found
    ledger = report["ledger"]
    assert ledger["captured"] == totals["payments"]["payable"]
    assert ledger["returned_to_customer"] == totals["refunds"]["returned_to_customer"]
    assert ledger["merchant_payable"] == totals["net"] - report["totals"]["fees"]


def statements_agree(day: Evening) -> None:
    """Every line of the channels' statements is a payment or a refund of ours, and every one of ours is a line."""
    by_payment: defaultdict[str, list[StatementLine]] = defaultdict(list)
    for line in day.lines:
        attempt = attempt_of(line.order_no)
        assert attempt is not None, line
        by_payment[attempt.payment_id].append(line)
    assert by_payment.keys() <= day.payments.keys()
    for payment in day.payments.values():
        lines = by_payment[payment["id"]]
        if payment["status"] == "succeeded":
            _lines_of_a_sale(day, payment, lines)
        else:
            assert _net(lines) == (0, 0), (payment, lines)
    fees = sum(line.fee_fen if line.kind is StatementKind.PAYMENT else -line.fee_fen for line in day.lines)
    assert fees == day.report["totals"]["fees"]


async def receipts_agree(day: Evening, till: AsyncClient) -> None:
    """Whoever paid has a receipt with what was given back on it, and nobody else has one."""
    pages = []
    for payment in day.payments.values():
        try:
            receipt = await till.receipt(payment["id"])
        except ApiError as error:
            if (error.code, payment["status"] == "succeeded") != ("no_receipt", False):
                raise
            continue
        assert payment["status"] in {"succeeded", "reversed"}
        assert (receipt["payable"], receipt["merchant_order_no"]) == (payment["payable"], payment["merchant_order_no"])
        if payment["status"] == "succeeded":
            back = sum(refund["returned_to_customer"] for refund in day.given_back(payment["id"]))
            assert receipt["returned_to_customer"] == back
            assert receipt["status"] == _standing(payment)
            pages.append((receipt["receipt_url"], receipt["payable"]))
        else:
            assert receipt["status"] == "reversed"
    async with httpx.AsyncClient(trust_env=False) as customer:
        for url, payable in pages[:_PAGES]:
            page = await customer.get(url)
            assert page.status_code == 200
            assert f"{payable // 100:,}.{payable % 100:02d}" in page.text or f"{payable / 100:.2f}" in page.text


def _standing(payment: Payment) -> str:
    if payment["amount_refunded"] == 0:
        return "paid"
    return "refunded" if payment["amount_refunded"] == payment["amount"] else "partly_refunded"


def _lines_of_a_sale(day: Evening, payment: Payment, lines: list[StatementLine]) -> None:
    """One line for the payment and one for each refund; what else was paid for it went back."""
    ours = [line for line in lines if line.channel_trade_no == payment["channel_trade_no"]]
    captures = [line for line in ours if line.kind is StatementKind.PAYMENT]
    assert [line.amount_fen for line in captures] == [payment["payable"]], (payment, lines)
    order_no = captures[0].order_no
    refunds = sorted(
        (refund for refund in day.refunds.values() if refund["payment_id"] == payment["id"]),
        key=lambda refund: refund["id"],
    )
    backs = {}
    for line in (line for line in lines if line.kind is StatementKind.REFUND and line.order_no == order_no):
        number = refund_of(line.refund_no or "")
        assert number is not None, line
        assert number.refund_seq is not None, line
        assert number.refund_seq not in backs, line
        backs[number.refund_seq] = (line.amount_fen, line.fee_fen)
    assert backs == {
        seq: (refund["returned_to_customer"], refund["fee_returned"])
        for seq, refund in enumerate(refunds, 1)
        if refund["status"] == "succeeded"
    }, (payment, lines)
    assert _net([line for line in lines if line.order_no != order_no]) == (0, 0), (payment, lines)


def _net(lines: list[StatementLine]) -> tuple[int, int]:
    """Money and fees that the channel keeps of these."""
    signs = [1 if line.kind is StatementKind.PAYMENT else -1 for line in lines]
    return (
        sum(sign * line.amount_fen for sign, line in zip(signs, lines, strict=True)),
        sum(sign * line.fee_fen for sign, line in zip(signs, lines, strict=True)),
    )


def _without_fees(totals: Mapping[str, Any]) -> dict[str, Any]:
    return {name: totals[name] for name in ("payments", "refunds", "net")}
