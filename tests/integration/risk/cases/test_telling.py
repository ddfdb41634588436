"""The velocity counters are told of frauds and complaints until they have acknowledged them, and of each once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from gateway.kernel.ids import new_id
from gateway.merchants.stores import StoreBook
from gateway.payments.payment import PaymentOrder
from gateway.payments.recalled import Recalling
from gateway.payments.schemas import PaymentRequest
from gateway.payments.screening import facts_of
from gateway.payments.store import PaymentStore
from gateway.workers import risk_telling
from gateway.workers.risk_telling import RiskTelling
from risk.cases.case import Verdict
from risk.facts import Facts
from risk.velocity.spec import Series
from risk.velocity.telling import Telling
from routing.channels.base import Wallet
from tests.integration.risk.cases.conftest import Office
from tests.support.rows import intent
from tests.support.velocities import Counters as Real
from tests.support.velocities import compiled

SAID: Mapping[str, Any] = {
    "merchant_order_no": "POS7-1",
    "amount": 2_599,
    "currency": "CNY",
    "method": "barcode",
    "auth_code": "134567890123456789",
    "store_id": "s-1",
    "terminal_id": "t-1",
    "operator_id": "o-1",
    "customer": {
        "id": "c-42",
        "ip": "203.0.113.7",
        "device_id": "d-9",
        "card_bin": "622202",
        "location": {"latitude": 31.23, "longitude": 121.47},
    },
    "coupons": ["SPRING5"],
}


@dataclass
class Counters:
    """Counters that are away as long as `is_away`, and remember what they were told."""

    is_away: bool = False
    told: list[tuple[Series, str, str, int, datetime]] = field(default_factory=list)

    def tell(self, series: Series, facts: Facts, identity: str, amount_fen: int, at: datetime) -> asyncio.Future[bool]:
        heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heard.set_result(not self.is_away)
        if not self.is_away:
            self.told.append((series, facts.order_key, identity, amount_fen, at))
        return heard

    @property
    def frauds(self) -> list[str]:
        return [identity for series, _, identity, _, _ in self.told if series is Series.FRAUDS]


def telling(office: Office, counters: Counters | Telling) -> RiskTelling:
    store = PaymentStore(office.pool, office.vault)
    return RiskTelling(office.pool, counters, Recalling(store, StoreBook(office.pool), office.vault))


async def test_what_is_not_acknowledged_is_told_again_and_then_never_more(office: Office) -> None:
    row, counters = await office.paid(), Counters(is_away=True)
    known_at = datetime.now(UTC) - timedelta(days=3)
    await office.label(row.payment_id, known_at=known_at)
    complaint = (await office.complain(row.payment_id)).complaint
    worker = telling(office, counters)
    for _ in range(2):
        assert (await worker.tell_frauds(), await worker.tell_complaints()) == (0, 0)
    counters.is_away = False
    assert (await worker.tell_frauds(), await worker.tell_complaints()) == (1, 1)
    assert (await worker.tell_frauds(), await worker.tell_complaints()) == (0, 0)
    key = f"{row.merchant_id}:{row.merchant_order_no}"
    assert counters.told == [
        (Series.FRAUDS, key, row.payment_id, row.amount, known_at),
        (Series.COMPLAINTS, key, complaint.id, row.amount, complaint.at),
    ]


async def test_a_fraud_that_became_known_while_valkey_was_away_is_counted_when_it_is_back(
    office: Office, redis_url: str
) -> None:
    asked = compiled(("fraud_count", "terminal", "30d"))
    row = await office.paid(terminal_id="t-bad")
    place, store = StoreBook(office.pool), PaymentStore(office.pool, office.vault)
    facts = await Recalling(store, place, office.vault)(row.payment_id, row.merchant_id)
    assert facts is not None
    away, back = Real.at("redis://127.0.0.1:1/0", asked, timeout_s=0.2), Real.at(redis_url, asked)
    try:
        await office.label(row.payment_id)
        assert await telling(office, away.telling).tell_frauds() == 0
        assert await back.one(facts, look=True) == 0
        assert await telling(office, back.telling).tell_frauds() == 1
        later = facts._replace(order_key="another", at=datetime.now(UTC) + timedelta(seconds=1))
        assert await back.one(later, look=True) == 1
    finally:
        await away.valkey.aclose()
        await back.valkey.aclose()


async def test_a_fraud_is_told_once_however_many_say_so_and_whenever(office: Office) -> None:
    row, counters = await office.paid(), Counters()
    worker = telling(office, counters)
    early, late = datetime.now(UTC) - timedelta(days=5), datetime.now(UTC) - timedelta(days=2)
    await office.label(row.payment_id, source="issuer", known_at=late)
    await office.label(row.payment_id, source="chargeback", known_at=early)
    assert await worker.tell_frauds() == 1
    await office.label(row.payment_id, source="police")
    assert await worker.tell_frauds() == 1, "it is settled without being told"
    assert counters.frauds == [row.payment_id]
    assert counters.told[0][4] == early, "from when it was known first"
    assert all(label.told_at is not None for label in await office.labels(row.payment_id))


async def test_what_was_taken_back_before_is_not_told(office: Office) -> None:
    case, counters = await office.reviewed(), Counters()
    await office.decide(case, "li.wei", Verdict.FRAUD)
    await office.reopen(case, "li.wei", "a mistake")
    await office.decide(case, "li.wei", Verdict.GOOD)
    assert await telling(office, counters).tell_frauds() == 1
    assert counters.told == []
    assert await telling(office, counters).tell_frauds() == 0


async def test_two_workers_share_what_there_is_to_tell(office: Office) -> None:
    rows = [await office.paid() for _ in range(30)]
    for row in rows:
        await office.label(row.payment_id)
    counters = Counters()
    workers = [telling(office, counters) for _ in range(3)]
    for _ in range(2):  # whoever came while another held them comes again
        await asyncio.gather(*[worker.tell_frauds() for worker in workers])
    assert sorted(counters.frauds) == sorted(row.payment_id for row in rows)


async def test_a_payment_that_cannot_be_recalled_is_put_off_and_holds_up_none_of_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(risk_telling, "_AT_ONCE", 1)  # it would be the whole batch
    broken, sound, counters = await office.paid(), await office.paid(), Counters()
    for row in (broken, sound):
        await office.label(row.payment_id)
        await office.complain(row.payment_id, row.payment_id)
    recalling = Recalling(PaymentStore(office.pool, office.vault), StoreBook(office.pool), office.vault)
    troubled = True

    async def facts_of_all_but_one(payment_id: str, merchant_id: str) -> Facts | None:
        if troubled and payment_id == broken.payment_id:
            raise KeyError("amount")
        return await recalling(payment_id, merchant_id)

    worker = RiskTelling(office.pool, counters, facts_of_all_but_one)
    assert (await worker.tell_frauds(), await worker.tell_complaints()) == (0, 1)
    assert "cannot be recalled" in caplog.text
    assert await worker.tell_frauds() == 1
    assert counters.frauds == [sound.payment_id]
    troubled = False
    assert (await worker.tell_frauds(), await worker.tell_complaints()) == (0, 0), "not at once"
    monkeypatch.setattr(worker, "_put_off_until_s", {broken.payment_id: time.monotonic()})
    assert (await worker.tell_frauds(), await worker.tell_complaints()) == (1, 1)
    assert counters.frauds == [sound.payment_id, broken.payment_id]


@pytest.mark.parametrize("is_erased", [False, True])
async def test_a_payment_is_recalled_as_the_rules_saw_it_as_far_as_its_request_is_kept(
    office: Office, *, is_erased: bool
) -> None:
    request = PaymentRequest.model_validate(SAID)
    order = PaymentOrder.of(office.merchant_id, "shop", request, None, office.vault)
    payment_id = new_id("pay")
    sealed = None if is_erased else office.vault.seal(order.canonical(), payment_id.encode())
    row = intent(payment_id, office.merchant_id, "POS7-1", store_id="s-1", terminal_id="t-1", request_sealed=sealed)
    row = row._replace(operator_id="o-1")
    await office.commit(row)
    store, places = PaymentStore(office.pool, office.vault), StoreBook(office.pool)
    recalled = await Recalling(store, places, office.vault)(payment_id, office.merchant_id)
    payment = await store.find(office.merchant_id, payment_id)
    assert recalled is not None
    assert payment is not None
    place = await places.get(office.merchant_id, "s-1")
    expected = facts_of(order, Wallet.WECHAT, place, office.vault, payment.created_at)
    if is_erased:
        unknown = {
            "customer": None,
            "device": None,
            "ip": None,
            "card_bin": None,
            "location": None,
            "has_coupon": False,
        }
        expected = expected._replace(**unknown)
    assert recalled == expected
    assert orjson.loads(order.canonical())["auth_code"] != SAID["auth_code"], "the code itself was never kept"
    assert await Recalling(store, places, office.vault)(new_id("pay"), office.merchant_id) is None
