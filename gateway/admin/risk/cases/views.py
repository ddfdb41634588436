"""Cases, steps, complaints and labels as the admin API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.kernel.clock import rfc3339
from risk.cases.case import Case, Complaint, Step
from risk.cases.masks import masked_bin, masked_id, masked_ip
from risk.labels.label import Label


def case_json(case: Case) -> dict[str, Any]:
    """CaseObject.  A claim that has run out is none."""
    held = case.holder is not None
    return {
        "id": case.id,
        "object": "risk_case",
        "kind": case.kind,
        "status": "open" if case.is_open else "decided",
        "payment_id": case.payment_id,
        "merchant_id": case.merchant_id,
        "amount": case.amount_fen,
        "score": case.score,
        "opened_at": rfc3339(case.opened_at),
        "reopened_at": None if case.reopened_at is None else rfc3339(case.reopened_at),
        "due_at": rfc3339(case.due_at),
        "overdue": case.is_overdue,
        "claimed_by": case.holder,
        "claimed_until": rfc3339(case.claimed_until) if held and case.claimed_until is not None else None,
        "verdict": case.verdict,
        "decided_by": case.decided_by,
        "decided_at": None if case.decided_at is None else rfc3339(case.decided_at),
        "version": case.version,
    }


def step_json(step: Step) -> dict[str, Any]:
    """StepObject."""
    return {
        "seq": step.seq,
        "kind": step.kind,
        "by": step.by,
        "at": rfc3339(step.at),
        "note": step.note,
        "detail": dict(step.detail),
    }


def complaint_json(complaint: Complaint) -> dict[str, Any]:
    """ComplaintObject."""
    return {
        "id": complaint.id,
        "object": "risk_complaint",
        "case_id": complaint.case_id,
        "payment_id": complaint.payment_id,
        "reason": complaint.reason,
        "channel": complaint.channel,
        "channel_complaint_id": complaint.number,
        "text": complaint.text,
        "by": complaint.by,
        "evidence": [
            {"kind": each.kind, "name": each.name, "text": each.text, "url": each.url} for each in complaint.evidence
        ],
        "at": rfc3339(complaint.at),
    }


def label_json(label: Label) -> dict[str, Any]:
    """LabelObject."""
    return {
        "object": "risk_label",
        "seq": label.seq,
        "payment_id": label.payment_id,
        "merchant_id": label.merchant_id,
        "fraud": label.fraud,
        "source": label.source,
        "note": label.note,
        "by": label.by,
        "known_at": rfc3339(label.known_at),
        "recorded_at": rfc3339(label.recorded_at),
        "told_at": None if label.told_at is None else rfc3339(label.told_at),
    }


def customer_json(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """MaskedCustomer, of what the till said; None once the request was erased."""
    if fields is None:
        return None
    said: Mapping[str, Any] = fields.get("customer") or {}
    place = said.get("location")
    return {
        "id": None if said.get("id") is None else masked_id(said["id"]),
        "device": None if said.get("device_id") is None else masked_id(said["device_id"]),
        "ip": None if said.get("ip") is None else masked_ip(said["ip"]),
        "card_bin": None if said.get("card_bin") is None else masked_bin(said["card_bin"]),
        "location": None if place is None else {name: round(degrees, 1) for name, degrees in place.items()},
    }
