"""What a scanned code leads to, for tests of the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.codes.code import StaticCode
from gateway.codes.store import Shop
from gateway.codes.targets import Target
from gateway.kernel.clock import utc_now
from gateway.kernel.money import Money
from gateway.payments.payment import Payment
from gateway.payments.states import Status

TOKEN: Final = "sYp3s6v9y8x2z5C8F4J7nZq"
URL: Final = f"https://pay.example/q/{TOKEN}"
PAID_AT: Final = datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC)


def payment(**changes: Any) -> Payment:
    """¥25.99 by a code that any wallet can pay, shown a moment ago."""
    now = utc_now()
    standing = Payment(
        id="pay_01KAN0000000000000000000AB",
        merchant_id="mer_1",
        merchant_order_no="POS7-000125",
        status=Status.REQUIRES_ACTION,
        amount=Money(2_599),
        payable=Money(2_599),
        method="qrcode",
        wallet=None,
        account_id=None,
        attempt_seq=0,
        metadata={},
        created_at=now,
        expires_at=now + timedelta(seconds=300),
    )
    return standing.with_(**changes)


def opened(**changes: Any) -> Payment:
    """The same with an order open at WeChat."""
    now = utc_now()
    order = {"wallet": "wechat", "account_id": "wechat_direct", "attempt_seq": 1, "attempt_at": now}
    return payment(**{**order, "pay_until": now + timedelta(seconds=300), **changes})


def paid(**changes: Any) -> Payment:
    """The same, paid."""
    return opened(**{"status": Status.SUCCEEDED, "completed_at": PAID_AT, **changes})


def of_payment(found: Payment, *, description: str | None = "latte", name: str = "Corner Café") -> Target:
    """The code of that payment."""
    shop = Shop("mer_1", name, "Asia/Shanghai", is_active=True)
    return Target(TOKEN, URL, shop, name, description, code=None, payment=found)


def of_code(
    found: Payment | None = None, *, amount_fen: int | None = None, name: str = "Corner Café", is_active: bool = True
) -> Target:
    """A static code, its sale begun where there is a payment."""
    code = StaticCode(
        id="cod_01KAN0000000000000000000AB",
        token=TOKEN,
        merchant_id="mer_1",
        name=name,
        description=None,
        amount_fen=amount_fen,
        store_id=None,
        terminal_id=None,
        operator_id=None,
        metadata={},
        status="active",
        created_at=utc_now(),
        revoked_at=None,
    )
    shop = Shop("mer_1", "The merchant", "Asia/Shanghai", is_active=is_active)
    return Target(TOKEN, URL, shop, name, None, code, found)
