"""A random till against a model: pay, repeat, contradict, cancel, read, refresh, under rules that come and go; I2, I3
and I5 hold at every step, and every payment is decided as the rules in force say."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from gateway.payments.states import TRANSITIONS
from tests.fuzz.screening import replayed
from tests.fuzz.values import MINUTES, bounded
from tests.fuzz.world import World
from tests.support.risk_rules import published, without_rules
from tests.support.risk_rules import rule as risk_rule
from tests.support.till import FINAL, auth_code, error_of, new_order, payment_of

BOUNDED: Final = settings(bounded(6, per_minute=6), stateful_step_count=25)
ENDS: Final = {
    None: {"succeeded"},
    "9001": {"failed"},
    "9002": {"failed"},
    "9004": {"processing", "reversed"},
    "9006": {"succeeded"},
}
"""Where a payment by each magic code ends when nobody cancels it; nobody waits for the expiry of 9004."""
CHANGED: Final = {
    "amount": 1,
    "description": "another",
    "expires_in": 31,
    "metadata": {"x": "y"},
    "customer": {"id": "another"},
    "coupons": ["C"],
}
MARKED: Final = "marked"
VERDICTS: Final = ("approve", "review", "decline")
"""What the rules in force make of a payment at the marked store; others are approved."""
REACHABLE: Final = {
    (start.value, to.value) for (start, _), to in TRANSITIONS.items() if start is not None
} | {("processing", "reversed")}  # fmt: skip


@dataclass(slots=True)
class Known:
    """What the model remembers of one payment."""

    order: dict[str, Any]
    payment: dict[str, Any]
    magic: str | None
    verdict: str
    cancelled: bool = False
    keys: set[str] = field(default_factory=set)


class PaymentMachine(RuleBasedStateMachine):
    """One till and its memory."""

    known = Bundle("known")

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.payments: dict[str, Known] = {}
        self.owner_of_key: dict[str, str] = {}
        self.verdict = "approve"
        world.run(without_rules(world.stack))

    @rule(verdict=st.sampled_from(VERDICTS))
    def publish(self, verdict: str) -> None:
        """Other rules come into force; what was decided before stays as it is."""
        marked = f"payment.store_id == '{MARKED}' && velocity('count', 'merchant', '1h') > 0"
        self.world.run(
            published(
                self.world.stack,
                risk_rule(marked, verdict),
                risk_rule("payment.amount > 0", "decline", code="SHADOW", mode="shadow"),
            )
        )
        self.verdict = verdict

    @rule(
        target=known,
        wallet=st.sampled_from(["wechat", "alipay", "unionpay"]),
        magic=st.sampled_from([None, None, None, "9001", "9002", "9004", "9006"]),
        wait_s=st.sampled_from([0, 1, 5]),
        store_id=st.sampled_from([None, MARKED]),
    )
    def pay(self, wallet: str, magic: str | None, wait_s: int, store_id: str | None) -> Known:
        """A new order; nobody waits five seconds for a customer who never types a PIN."""
        order = new_order(wallet, magic, store_id=store_id)
        wait_s = 1 if magic == "9004" else wait_s
        answer = self._call(self.world.till.pay(order, wait_s=wait_s))
        assert "idempotent-replayed" not in answer.headers
        known = Known(order, payment_of(answer, 201), magic, self.verdict if store_id == MARKED else "approve")
        assert known.payment["risk"]["decision"] == known.verdict, known
        self.payments[known.payment["id"]] = known
        return known

    @rule(known=known, wait_s=st.sampled_from([0, 1]))
    def repeat(self, known: Known, wait_s: int) -> None:
        """The same request: the same payment (I5)."""
        answer = self._call(self.world.till.pay(known.order, wait_s=wait_s))
        assert answer.headers["idempotent-replayed"] == "true"
        self._seen(known, payment_of(answer, 201))

    @rule(known=known, name=st.sampled_from(sorted(CHANGED)))
    def contradict(self, known: Known, name: str) -> None:
        """Another request under the same number: refused, and the field named (I5)."""
        answer = self._call(self.world.till.pay({**known.order, name: CHANGED[name]}))
        assert error_of(answer, 409, "order_no_reused")["param"].partition(".")[0] == name

    @rule(known=known)
    def contradict_the_code(self, known: Known) -> None:
        """A new code under the same number is another request too."""
        answer = self._call(self.world.till.pay({**known.order, "auth_code": auth_code("wechat")}))
        error_of(answer, 409, "order_no_reused", "auth_code")

    @rule(known=known, key=st.sampled_from(["k-1", "k-2", "k-3"]))
    def repeat_under_a_key(self, known: Known, key: str) -> None:
        """A key belongs to the first order that brought it."""
        name = f"{id(self)}-{key}"
        answer = self._call(self.world.till.pay(known.order, idempotency_key=name, wait_s=0))
        owner = self.owner_of_key.setdefault(name, known.payment["id"])
        if owner == known.payment["id"]:
            self._seen(known, payment_of(answer, 201))
        else:
            error_of(answer, 409, "idempotency_key_reused")

    @rule(known=known, refresh=st.booleans())
    def read(self, known: Known, refresh: bool) -> None:
        """Read it, perhaps after asking the channel."""
        self._seen(known, payment_of(self._call(self.world.till.get(known.payment["id"], refresh=refresh))))

    @rule(known=known)
    def find(self, known: Known) -> None:
        """By its number."""
        answer = self._call(self.world.till.list(merchant_order_no=known.order["merchant_order_no"]))
        [payment] = answer.json()["data"]
        self._seen(known, payment)

    @rule(known=consumes(known), wait_s=st.sampled_from([0, 1]))
    def cancel(self, known: Known, wait_s: int) -> None:
        """Cancel it; what is over stays as it is."""
        before = known.payment["status"]
        payment = payment_of(self._call(self.world.till.cancel(known.payment["id"], wait_s=wait_s)))
        known.cancelled = payment["reversal"] is not None
        if before in {"failed", "closed"}:
            assert payment["status"] == before
        self._seen(known, payment)

    @invariant()
    def events_tell_a_legal_story(self) -> None:
        """I3: every payment's events follow the table, in order, and end where the payment stands."""
        legal = {
            (None if start is None else start.value, event.value, to.value)
            for (start, event), to in TRANSITIONS.items()
        }
        rows = self.world.fetch(
            "SELECT p.id, p.status, p.version, e.seq, e.type, e.from_status, e.to_status FROM payments p"
            " JOIN events e ON e.payment_id = p.id AND e.merchant_id = p.merchant_id"
            " WHERE p.id = ANY ($1) ORDER BY p.id, e.seq",
            list(self.payments),
        )
        stories: dict[str, list[Any]] = {}
        for row in rows:
            stories.setdefault(row["id"], []).append(row)
        assert stories.keys() == self.payments.keys(), "an acknowledged payment is not lost (I2)"
        for story in stories.values():
            assert [row["seq"] for row in story] == list(range(1, len(story) + 1))
            status = None
            for row in story:
                assert row["from_status"] == status
                assert (status, row["type"], row["to_status"]) in legal, dict(row)
                status = row["to_status"]
            assert (status, len(story)) == (story[0]["status"], story[0]["version"])

    def teardown(self) -> None:
        """I1, I2: one order at the channel at most, and no payment stands where its code cannot lead."""
        for known in self.payments.values():
            left_open = {"processing"} if known.cancelled or known.magic == "9004" else set()
            payment = self.world.run(self.world.till.settled(known.payment["id"], FINAL | left_open))
            self._seen(known, payment)
            trades = self.world.stack.simulators.trades_of(payment)
            assert len(trades) <= (known.verdict != "decline")
            if known.verdict == "decline":
                assert (payment["status"], payment["failure"]["code"]) == ("failed", "risk_declined")
            elif not known.cancelled:
                assert payment["status"] in ENDS[known.magic], (known.magic, payment)
            if payment["status"] == "succeeded" and payment["reversal"] is None:
                assert (trades[0]["status"], trades[0]["refunded"]) == ("captured", 0)
            if payment["status"] == "reversed":
                assert trades[0]["status"] == "reversed" or trades[0]["refunded"] == payment["amount"]

        self._decisions_agree()

    def _decisions_agree(self) -> None:
        """A review has one case, nothing else has any, and every decision is made again as it was."""
        cases = self.world.fetch("SELECT payment_id FROM risk_cases WHERE payment_id = ANY ($1)", list(self.payments))
        reviewed = [number for number, known in self.payments.items() if known.verdict == "review"]
        assert sorted(case["payment_id"] for case in cases) == sorted(reviewed)
        _, otherwise = self.world.run(replayed(self.world.stack, list(self.payments)))
        assert otherwise == []

    def _seen(self, known: Known, payment: dict[str, Any]) -> None:
        """I2 and I5: the same payment, never back in an earlier state."""
        before = known.payment
        assert payment["id"] == before["id"]
        if payment["status"] != before["status"]:
            assert (before["status"], payment["status"]) in REACHABLE, (before, payment)
        if before["status"] in {"failed", "closed", "reversed"}:
            assert payment == before, "what is over does not change"
        known.payment = payment

    def _call(self, work: Any) -> httpx.Response:
        answer: httpx.Response = self.world.run(work)
        assert answer.status_code < 500, answer.text
        return answer


@pytest.mark.timeout(180 + 60 * MINUTES)
def test_a_random_till_never_sees_a_payment_go_back_or_a_second_one(world: World) -> None:
    run_state_machine_as_test(partial(PaymentMachine, world), settings=BOUNDED)  # type: ignore[arg-type]
