"""`mashang pay`: one payment against a running gateway."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from gateway.devstack.demo import auth_code
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.kernel.ids import new_ulid
from gateway.processes.errors import StackError

_TIMEOUT_S = 40.0


@dataclass(frozen=True, slots=True)
class PayOrder:
    """What to pay; None where any new value will do."""

    amount_fen: int
    auth_code: str | None
    order_no: str | None


def pay_and_show(order: PayOrder, *, url: str | None, key: str | None, state: Path, as_json: bool) -> bool:
    """Take the payment and print it; False when it did not succeed.  Raises StackError when there is no gateway."""
    if url is None or key is None:
        ready = read_ready_file(ready_file_of(state))
        url, key = url or ready.gateway, key or ready.merchant.api_key
    body = {
        "merchant_order_no": order.order_no or f"PAY-{new_ulid()}",
        "amount": order.amount_fen,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": order.auth_code or auth_code("wechat"),
    }
    try:
        answer = httpx.post(
            f"{url}/v1/payments",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT_S,
            trust_env="127.0.0.1" not in url,
        )
    except httpx.TransportError as error:
        raise StackError(
            f"{url} does not answer: {error}. The payment may have been taken; pay again with "
            f"--order-no {body['merchant_order_no']} and the same values to find out."
        ) from error
    if as_json:
        sys.stdout.write(answer.text + "\n")
    else:
        _show(answer)
    return answer.status_code == 201 and answer.json()["status"] == "succeeded"


def _show(answer: httpx.Response) -> None:
    table = Table(show_header=False)
    for name, value in answer.json().items():
        table.add_row(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    Console().print(table)
