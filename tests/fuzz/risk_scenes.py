"""The risk check with a customer who is on lists, in velocities, in a profile, in cases; and what was shown of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from tests.fuzz.scenes import CARD_BIN, CUSTOMER, PERSON, Scenes
from tests.support.risk_rules import published, rule
from tests.support.till import new_order, payment_of

_CASES: Final = "/admin/v1/risk/cases"
_LISTS: Final = "/admin/v1/risk/lists"
_FIELDS: Final = {"customer": "id", "device": "device_id", "ip": "ip"}
_RULES: Final = (
    rule(" || ".join(f"listed('watch', '{field}')" for field in (*_FIELDS, "card", "payer")), "review", code="LISTED"),
    rule(
        "velocity('count', 'customer', '1h') > 0 && velocity('distinct_devices', 'customer', '7d') < 99 "
        "&& velocity('distinct_ips', 'customer', '7d') < 99 && velocity('count', 'ip+device', '1d') < 9999 "
        "&& velocity('distinct_cards', 'device', '30d') < 99",
        "score",
        code="COUNTED",
        score=1,
    ),
    rule(
        "customer.orders >= 0 && (customer.shared_payer || customer.usual_amount > 1 || customer.usual_region)",
        "score",
        code="KNOWN",
        score=1,
    ),
    rule("travel.speed_kmh > 900.0 || payment.distance_km > 100.0", "no_discount", code="FAR"),
    rule("payment.ip == '192.0.2.1' || payment.card_bin == '000000'", "score", code="PLAIN", score=1),
)


async def put_in_force(scenes: Scenes) -> None:
    """The customer is watched by every name, in vain refused where it is no value, and rules ask for all of it."""
    merchant_id = scenes.stack.shop.id
    async with scenes.stack.admin() as admin:
        entries = [_entry(field, PERSON[name], merchant_id) for field, name in _FIELDS.items()]
        entries.append({"field": "card", "value": CARD_BIN})
        answer = await admin.post(f"{_LISTS}/watch/entries", json={"reason": "seen", "entries": entries})
        assert answer.status_code == 201, answer.text
        for entry in entries:
            scenes.overhear(await admin.post(f"{_LISTS}/find", json=entry))
            scenes.overhear(await admin.get(f"{_LISTS}/watch/entries", params={"field": entry["field"]}))
        for field in ("ip", "card", "merchant"):
            wrong = {"field": field, "value": PERSON["id"]}
            scenes.hear(await admin.post(f"{_LISTS}/find", json=wrong))
            scenes.hear(await admin.post(f"{_LISTS}/watch/entries", json={"reason": "a", "entries": [wrong]}))
        begun = (await admin.post(f"{_LISTS}/block/imports", json={"mode": "merge", "reason": "seen"})).json()
        group = {"field": "device", "values": [PERSON["device_id"]], "merchant_id": merchant_id}
        batches = f"{_LISTS}/block/imports/{begun['id']}/batches"
        assert (await admin.post(batches, json={"number": 1, "groups": [group]})).status_code == 200
        scenes.hear(await admin.post(batches, json={"number": 7, "groups": [group]}))
        scenes.hear(await admin.post(batches, json={"number": 2, "groups": [{**group, "field": "ip"}]}))
        assert (await admin.post(f"{_LISTS}/block/imports/{begun['id']}/finish")).status_code == 200
    await published(scenes.stack, *_RULES)


async def look_into_it(scenes: Scenes) -> None:
    """Somebody complains, somebody decides, and everything is read, as a page and as JSON."""
    paid = payment_of(await scenes.world.till.pay(new_order(customer=CUSTOMER), wait_s=5), 201)
    assert paid["risk"]["decision"] == "review", paid["risk"]
    assert {"LISTED", "COUNTED", "KNOWN"} <= set(paid["risk"]["reasons"]), paid["risk"]
    said = {name: scenes.sought.add(name, f"{name}, and nobody else may read this") for name in ("complaint", "note")}
    complaint = {
        "payment_id": paid["id"], "reason": "other", "channel": "phone", "channel_complaint_id": paid["id"],
        "by": "li.wei", "text": said["complaint"],
        "evidence": [{"kind": "url", "name": "a", "url": f"https://files.example/{PERSON['id']}.png"}],
    }  # fmt: skip
    async with scenes.stack.admin() as admin:
        [case] = (await admin.get(_CASES, params={"payment_id": paid["id"]})).json()["data"]
        for form in ("json", "html"):
            scenes.overhear(await admin.get(f"{_CASES}/{case['id']}", params={"format": form}))
        opened = await admin.post("/admin/v1/risk/complaints", json=complaint)
        assert opened.status_code == 201, opened.text
        scenes.hear(await admin.post("/admin/v1/risk/complaints", json={**complaint, "text": said["note"]}))
        assert opened.json()["case_id"] == case["id"]
        done: Mapping[str, Any] = {"by": "li.wei", "note": said["note"]}
        verdict = {**done, "verdict": "fraud", "block": ["customer", "device", "ip", "card"], "expires_in_days": 9}
        for step, body in (("claim", {"by": "li.wei"}), ("notes", done), ("verdict", verdict)):
            answer = await admin.post(f"{_CASES}/{case['id']}/{step}", json=body)
            assert answer.status_code in {200, 201}, answer.text
        scenes.hear(await admin.post(f"{_CASES}/{case['id']}/verdict", json=verdict))
        blocked = await admin.get(f"{_LISTS}/block/entries")
        assert len(blocked.json()["data"]) >= 4
        scenes.overhear(blocked)
        scenes.overhear(await admin.get(f"/admin/v1/risk/decisions/{paid['id']}"))
        scenes.overhear(await admin.get(_CASES, params={"format": "html"}))
        scenes.overhear(await admin.get("/admin/v1/audit_trail", params={"limit": 100}))
    await _until_told(scenes, paid["id"])


def _entry(field: str, value: str, merchant_id: str) -> dict[str, Any]:
    return {"field": field, "value": value, **({"merchant_id": merchant_id} if field != "ip" else {})}


async def _until_told(scenes: Scenes, payment_id: str) -> None:
    """The worker has told the counters of the fraud, and followed the events."""
    deadline = asyncio.get_running_loop().time() + 20
    query = f"SELECT 1 FROM risk_labels WHERE payment_id = '{payment_id}' AND told_at IS NULL"
    while await scenes.rows(query):
        assert asyncio.get_running_loop().time() < deadline, "the fraud was not told"
        await asyncio.sleep(0.1)
