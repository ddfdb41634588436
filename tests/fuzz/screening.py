"""Rules that come and go, complaints and verdicts, as moves of a sale; and what must hold of every decision."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import httpx

from gateway.kernel.ids import new_ulid
from gateway.payments.numbers import attempt_order_no
from gateway.payments.replaying import Replaying
from gateway.payments.store import PaymentStore
from risk.decisions.replaying import PastSets
from risk.decisions.store import find_decision
from risk.model.book import ModelBook
from tests.fuzz.sales import Sale, Street
from tests.support.gateway import GatewayStack
from tests.support.risk_rules import RULE_SETS, rule
from tests.support.till import WALLETS

_COUNTED: Final = "velocity('count', 'merchant', '1h') > 2 && velocity('sum_amount', 'merchant', '1d') > 0"
KNOWN_S: Final = 0.7
"""By then most processes go by new rules: nobody has to, for whatever each goes by is told with its decisions."""
RULE_BOOKS: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "no rules": (),
    "shadow": (rule("payment.amount > 0", "decline", mode="shadow"), rule(_COUNTED, "review", mode="shadow")),
    "decline the large": (rule("payment.amount > 60000", "decline"), rule(_COUNTED, "score", score=7)),
    "review and no discount": (rule("payment.amount > 20000", "review"), rule("payment.amount > 0", "no_discount")),
    "review the watched": (rule("listed('watch', 'merchant')", "review"), rule("payment.amount < 900", "decline")),
    "half": (rule("payment.amount > 30000", "decline", rollout=50), rule(_COUNTED, "review", priority=9)),
}


async def publish(street: Street, name: str) -> None:
    """Other rules for whatever is sold from now on, or at this very moment."""
    document = {"note": name, "rules": RULE_BOOKS[name]}
    saved = await _ask(street, "POST", RULE_SETS, document)
    if saved is not None:
        assert saved.status_code == 201, saved.text
        await _ask(street, "POST", f"{RULE_SETS}/{saved.json()['version']}/publish", None)


async def complain(street: Street, sale: Sale) -> None:
    """The customer complains, whatever became of the payment."""
    body = {"payment_id": sale.id, "reason": "other", "text": "not me", "channel": "phone", "by": "hotline"}
    await _ask(street, "POST", "/admin/v1/risk/complaints", {**body, "channel_complaint_id": new_ulid()})


async def judge(street: Street, sale: Sale, verdict: str) -> None:
    """An analyst decides about its case, where it has one that is open; frauds come on the list."""
    case_id = await street.pool.fetchval(
        "SELECT id FROM risk_cases WHERE payment_id = $1 AND decided_at IS NULL", sale.id
    )
    if case_id is not None:
        listed = {"watch": ["merchant"]} if verdict == "fraud" else {}
        body = {"by": "li.wei", "note": "seen", "verdict": verdict, **listed}
        await _ask(street, "POST", f"/admin/v1/risk/cases/{case_id}/verdict", body)


async def forgive(street: Street, _: Sale) -> None:
    """The list is emptied."""
    entries = [{"field": "merchant", "value": street.stack.shop.id}]
    await _ask(street, "POST", "/admin/v1/risk/lists/watch/entries/remove", {"entries": entries})


MOVES: Final[Mapping[str, Callable[[Street, Sale], Coroutine[Any, Any, None]]]] = {
    "complain": complain,
    "judge it good": lambda street, sale: judge(street, sale, "good"),
    "judge it a fraud": lambda street, sale: judge(street, sale, "fraud"),
    "forgive": forgive,
}


async def screening_of(street: Street, sale: Sale) -> list[str]:
    """What contradicts its decision, at any moment."""
    async with street.pool.acquire() as books, books.transaction(isolation="repeatable_read", readonly=True):
        payment = await books.fetchrow("SELECT * FROM payments WHERE id = $1", sale.id)
        decisions = await books.fetch("SELECT * FROM risk_decisions WHERE payment_id = $1", sale.id)
        cases = await books.fetch("SELECT kind, decided_at FROM risk_cases WHERE payment_id = $1", sale.id)
    assert payment is not None, f"{sale} was acknowledged and is lost (I2)"
    found = list(_astray(payment, decisions, cases))
    if payment["failure_code"] in {"risk_declined", "risk_unavailable"}:
        order_no = attempt_order_no(sale.id, 1)
        for wallet in WALLETS:
            found += [
                f"refused, and {wallet} knows {trade}" for trade in await street.books(wallet, "trades", order_no)
            ]
    return found


def _astray(payment: Mapping[str, Any], decisions: Sequence[Any], cases: Sequence[Any]) -> Iterator[str]:
    if len(decisions) != (payment["risk_version"] is not None) or len(cases) > 1:
        yield f"{len(decisions)} decisions and {len(cases)} cases of {dict(payment)}"
        return
    if not decisions:
        return
    decision = decisions[0]
    told = tuple(payment[name] for name in ("risk_version", "risk_decision", "risk_score"))
    if told != tuple(decision[name] for name in ("version", "verdict", "score")):
        yield f"the payment says {told}, its decision is {dict(decision)}"
    is_refused = payment["status"] == "failed" and payment["attempt_seq"] == 0
    if (decision["verdict"] == "decline" or decision["beyond_tolerance"]) and not is_refused:
        yield f"it is {payment['status']}, and was refused: {dict(decision)}"
    if decision["verdict"] == "review" and not is_refused and [case["kind"] for case in cases] != ["review"]:
        yield f"to be reviewed, with the cases {cases}"
    if decision["verdict"] != "review" and any(case["kind"] == "review" for case in cases):
        yield f"a review of what was decided as {decision['verdict']}"
    if decision["no_discount"] and payment["payable"] != payment["amount"]:
        yield f"no discount, but {payment['payable']} of {payment['amount']} were payable"


async def replayed(stack: GatewayStack, payment_ids: Sequence[str]) -> tuple[int, list[str]]:
    """How many decisions there are, and which of them are not made again as they were."""
    count, found = 0, []
    async with asyncpg.create_pool(stack.database_url, min_size=1, max_size=2) as pool:
        replaying = Replaying(
            PaymentStore(pool, stack.vault), PastSets(pool, stack.vault, ModelBook(pool)), stack.vault
        )
        for payment_id in payment_ids:
            stored = await find_decision(pool, payment_id)
            if stored is not None:
                count += 1
                found += [f"made again: {one}" async for one in replaying.replay([stored]) if not one.agrees]
    return count, found


async def _ask(street: Street, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response | None:
    """The answer of the first gateway that gives one; what is refused for now, or is so already, is left."""
    headers = {"Authorization": f"Bearer {street.stack.admin_token}"}
    for url in street.stack.urls:
        try:
            answer = await street.client.request(method, url + path, json=body, headers=headers)
        except httpx.TransportError:
            continue  # this one is dead just now
        assert answer.is_success or answer.status_code in {409, 503}, answer.text
        return answer if answer.is_success else None
    return None
