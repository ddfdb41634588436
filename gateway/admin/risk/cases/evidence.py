"""What is put before whoever decides a case: the payment, its decision, refunds, complaints, the customer's others."""

from __future__ import annotations

from typing import Any, Final

from gateway.admin.risk.cases.views import case_json, complaint_json, customer_json, label_json, step_json
from gateway.admin.risk.decisions import decision_json
from gateway.http.services import Services
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import not_found
from gateway.payments.detail import detail_of
from risk.cases.case import Case
from risk.cases.store import SQL, complaints_of, find_case, steps_of
from risk.decisions.store import find_decision
from risk.labels.store import labels_of

_NEAR_MAX: Final = 5_000
"""Payments of the merchant that are looked at for the customer's, before the case's and after it."""
_RECENT_MAX: Final = 20


async def case_detail(services: Services, case_id: str) -> dict[str, Any]:
    """CaseDetail.  Raises the 404."""
    case = await find_case(services.pool, case_id)
    if case is None:
        raise not_found("case", "case_id")
    pool, vault, payment_id, merchant_id = services.pool, services.vault, case.payment_id, case.merchant_id
    payment = await services.store.find(merchant_id, payment_id)
    assert payment is not None, "payments are never deleted"
    return {
        **case_json(case),
        "payment": await detail_of(services, payment_id),
        "customer": customer_json(await services.store.request_fields(payment)),
        "decision": await _decision(services, case),
        "refunds": [refund.to_json() for refund in await services.refunds.store.of_payment(payment_id, merchant_id)],
        "recent_payments": await _recent(services, case),
        "complaints": [complaint_json(each) for each in await complaints_of(pool, vault, payment_id, merchant_id)],
        "labels": [label_json(each) for each in await labels_of(pool, payment_id, merchant_id)],
        "steps": [step_json(each) for each in await steps_of(pool, vault, case)],
        "links": {"payment": f"/admin/v1/payments/{payment_id}", "refund": "/v1/refunds"},
    }


async def _recent(services: Services, case: Case) -> list[dict[str, Any]]:
    """The customer's other payments; none where the till named no customer."""
    customer = await services.pool.fetchval(SQL["customer"], case.payment_id, case.merchant_id)
    if customer is None:
        return []
    records = await services.pool.fetch(
        SQL["recent_payments"], case.merchant_id, case.payment_id, customer, _NEAR_MAX, _RECENT_MAX
    )
    return [{**record, "created_at": rfc3339(record["created_at"])} for record in records]


async def _decision(services: Services, case: Case) -> dict[str, Any] | None:
    """DecisionObject; None where no rule set was in force."""
    stored = await find_decision(services.pool, case.payment_id, case.merchant_id)
    return None if stored is None else await decision_json(services, stored)
