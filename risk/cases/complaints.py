"""Complaints (投诉): each joins the case of its payment, opens that again where it was decided, or opens one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final, NamedTuple

import asyncpg
import orjson

from gateway.database.pool import Connection
from gateway.kernel.errors import Conflict, not_found
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from risk.cases.case import Case, Complaint, Kind, NewComplaint
from risk.cases.desk import CaseDesk
from risk.cases.store import SQL, complaint_of

_REOPENED: Final = "A complaint came in."


class Complained(NamedTuple):
    """The complaint and its case; `is_new` is False where the same one had been taken before."""

    complaint: Complaint
    case: Case
    is_new: bool


async def complain(connection: Connection, vault: Vault, new: NewComplaint) -> Complained:
    """Take a complaint in the transaction that is open; the same number with the same words is taken once.

    Raises the 404 for a payment that is none, Conflict where the number belongs to another complaint.
    """
    await connection.execute(SQL["hold_payment"], new.payment_id)
    payment = await connection.fetchrow(SQL["payment"], new.payment_id)
    if payment is None:
        raise not_found("payment", "payment_id")
    merchant_id: str = payment["merchant_id"]
    fingerprint = vault.keyed_hash(_fingerprint(new))
    known = await connection.fetchrow(SQL["complaint_by_number"], merchant_id, new.channel, new.number)
    desk = CaseDesk(connection, vault)
    if known is not None:
        return Complained(_same(known, fingerprint, vault), await desk.hold(known["case_id"]), is_new=False)
    case = await _case_for(connection, desk, payment, new)
    record = await _record(connection, vault, new, case, fingerprint)
    await desk.complained(case, new.by, record["id"])
    return Complained(complaint_of(record, vault), await desk.hold(case.id), is_new=True)


def _same(known: asyncpg.Record, fingerprint: bytes, vault: Vault) -> Complaint:
    """Raises Conflict where another complaint has the number."""
    if known["fingerprint"] != fingerprint:
        raise Conflict(
            "complaint_reused",
            f"The number belongs to another complaint, {known['id']}, about {known['payment_id']}.",
            param="channel_complaint_id",
        )
    return complaint_of(known, vault)


async def _case_for(connection: Connection, desk: CaseDesk, payment: asyncpg.Record, new: NewComplaint) -> Case:
    """The payment's case, open; held until the transaction ends."""
    case_id = await connection.fetchval(SQL["newest_of_payment"], payment["id"], payment["merchant_id"])
    if case_id is None:
        case_id = new_id("case")
        await connection.execute(
            SQL["open_case"],
            case_id,
            payment["merchant_id"],
            Kind.COMPLAINT,
            payment["id"],
            payment["amount"],
            payment["risk_score"],
        )
    case = await desk.hold(case_id)
    return case if case.is_open else await desk.reopen(case_id, new.by, _REOPENED, due_as=Kind.COMPLAINT)


async def _record(
    connection: Connection, vault: Vault, new: NewComplaint, case: Case, fingerprint: bytes
) -> asyncpg.Record:
    complaint_id = new_id("cmp")
    said = orjson.dumps({"text": new.text, "evidence": [asdict(each) for each in new.evidence]})
    record = await connection.fetchrow(
        SQL["add_complaint"],
        complaint_id,
        case.merchant_id,
        case.id,
        new.payment_id,
        new.reason,
        new.channel,
        new.number,
        fingerprint,
        vault.seal(said, complaint_id.encode()),
        new.by,
    )
    assert record is not None
    return record


def _fingerprint(new: NewComplaint) -> bytes:
    """What two deliveries of one complaint have in common; who entered it may differ."""
    said = {**asdict(new), "by": None}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
