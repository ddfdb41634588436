"""What the simulators tell the gateway by themselves: their outbox, and sending something from it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.payments.numbers import attempt_order_no
from tests.support.channels import Simulators
from tests.support.waiting import until


def notifications(simulators: Simulators, payment: Mapping[str, Any], kind: str = "payment") -> list[dict[str, Any]]:
    """What the payment's channel tells, or told, of its first attempt."""
    url = f"{simulators.base_urls[payment['wallet']]}/_simulator/notifications"
    answer = simulators.client.get(url, params={"order_no": attempt_order_no(payment["id"], 1)})
    assert answer.status_code == 200, answer.text
    return [found for found in answer.json()["notifications"] if found["kind"] == kind]


async def acknowledged(
    simulators: Simulators, payment: Mapping[str, Any], kind: str = "payment", timeout_s: float = 10.0
) -> dict[str, Any]:
    """The first of these, as soon as the gateway has acknowledged it."""

    def told() -> list[dict[str, Any]]:
        return [found for found in notifications(simulators, payment, kind) if found["status"] == "acknowledged"]

    await until(lambda: bool(told()), timeout_s)
    return told()[0]


def resend(
    simulators: Simulators, payment: Mapping[str, Any], notification: Mapping[str, Any], **options: Any
) -> list[dict[str, Any]]:
    """Send one again; how the gateway answered each: `status`, `answer`, `acknowledged`."""
    url = f"{simulators.base_urls[payment['wallet']]}/_simulator/notifications/{notification['id']}/resend"
    answer = simulators.client.post(url, json=options, timeout=60)
    assert answer.status_code == 200, answer.text
    answers: list[dict[str, Any]] = answer.json()["answers"]
    return answers
