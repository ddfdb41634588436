"""A payment order as the till asked for it, and the payment that came of it; plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from gateway.kernel.clock import rfc3339
from gateway.kernel.failures import FAILURES, FailureCode
from gateway.kernel.money import Money
from gateway.kernel.secrets import Vault
from gateway.kernel.values import value
from gateway.payments.numbers import attempt_order_no
from gateway.payments.schemas import PaymentRequest
from gateway.payments.states import Status
from promotions.redemption import Redemption
from routing.channels.base import ChannelOrder


@value
class PaymentOrder:
    """A validated request of a merchant, and its canonical form for comparison.

    `fields` holds every validated field, the auth code as a keyed hash; two requests are the same when they are equal.
    """

    merchant_id: str
    merchant_name: str
    request: PaymentRequest
    idempotency_key: str | None
    fields: Mapping[str, Any]
    code_id: str | None = None
    """The static code that the customer scanned, where it is not the till that asks."""
    timezone: str = "Asia/Shanghai"
    """The merchant's, in which conditions on the hour are read (an IANA name)."""

    @classmethod
    def of(
        cls,
        merchant_id: str,
        merchant_name: str,
        request: PaymentRequest,
        idempotency_key: str | None,
        vault: Vault,
        *,
        code_id: str | None = None,
        timezone: str = "Asia/Shanghai",
    ) -> PaymentOrder:
        """Build the order and its canonical fields."""
        fields = request.model_dump()
        if request.auth_code is not None:
            fields["auth_code"] = vault.keyed_hash(request.auth_code.encode()).hex()
        if request.customer is not None and request.customer.device_rooted is None:
            del fields["customer"]["device_rooted"]  # a request from before there was such a field stays the same
        return cls(merchant_id, merchant_name, request, idempotency_key, fields, code_id, timezone)

    @property
    def key(self) -> tuple[str, str]:
        """What is unique for ever."""
        return self.merchant_id, self.request.merchant_order_no

    @property
    def amount(self) -> Money:
        """The goods' value."""
        return Money(self.request.amount)

    def canonical(self) -> bytes:
        """The fields as JSON with sorted keys."""
        return orjson.dumps(self.fields, option=orjson.OPT_SORT_KEYS)

    def comparable(self) -> Mapping[str, Any]:
        """The fields as they look after being stored and read back."""
        fields: Mapping[str, Any] = orjson.loads(self.canonical())
        return fields


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> str | None:
    """The path of the first field (in the order of the names) in which two requests differ, such as `customer.ip`."""
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if mine == other:
            continue
        if not (isinstance(mine, Mapping) and isinstance(other, Mapping)):
            return f"{prefix}{name}"
        if (inner := first_difference(mine, other, f"{prefix}{name}.")) is not None:
            return inner
    return None


@dataclass(frozen=True, slots=True)
class LateCaptureView:
    """A late capture as the API shows it."""

    amount_fen: int
    account_id: str
    channel_trade_no: str | None
    status: str
    found_at: datetime
    refunded_at: datetime | None


class Payment(NamedTuple):
    """A payment as it stands.  (A named tuple: making one of thirty fields takes 6 µs, a frozen dataclass 9.)"""

    id: str
    merchant_id: str
    merchant_order_no: str
    status: Status
    amount: Money
    payable: Money
    method: str
    wallet: str | None
    account_id: str | None
    attempt_seq: int
    metadata: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime
    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None
    replaces: str | None = None
    risk_decision: str = "approve"
    risk_score: int = 0
    channel_trade_no: str | None = None
    failure: FailureCode | None = None
    failure_channel_code: str | None = None
    reversal: str | None = None
    review: str | None = None
    amount_refunded: int = 0
    completed_at: datetime | None = None
    late_captures: tuple[LateCaptureView, ...] = ()
    qr_code: str | None = None
    code_id: str | None = None
    attempt_at: datetime | None = None
    """When the current attempt was opened, where that is not when the payment was made."""
    pay_until: datetime | None = None
    """The channel takes no money for the current attempt after this; None for bar codes and where none is open."""
    refund_held: int = 0
    """Goods value of the refunds that are pending or done."""
    any_wallet: bool = False
    """Whether any wallet can pay the code; read `is_aggregated`, which knows rows of earlier versions too."""
    promotions: tuple[Redemption, ...] = ()
    """What it took of campaigns, in the order applied."""
    customer: bytes | None = None
    """The keyed hash that stands for its customer, where the till named one."""
    risk_reasons: tuple[str, ...] = ()
    """The codes of the rules that hit, by priority."""

    def with_(self, **changes: Any) -> Payment:
        """The same payment with some facts changed."""
        return self._replace(**changes)

    @property
    def channel_order(self) -> ChannelOrder:
        """The current attempt as its channel knows it."""
        return ChannelOrder(
            order_no=attempt_order_no(self.id, self.attempt_seq),
            created_at=self.attempt_at or self.created_at,
            amount=self.payable,
            channel_trade_no=self.channel_trade_no,
        )

    @property
    def is_unresolved(self) -> bool:
        """Whether the worker owes it an end, of itself or of its reversal; one under review is a person's."""
        if self.review is not None:
            return False
        return not self.status.is_final or (self.status is Status.SUCCEEDED and self.reversal == "pending")

    @property
    def is_code(self) -> bool:
        """Whether the customer scans a code of ours (主扫)."""
        return self.method == "qrcode"

    @property
    def is_aggregated(self) -> bool:
        """Whether any wallet can pay the code: then attempts come and go while it is on display.

        A process from before `any_wallet` leaves it false, also where it opens the first attempt; a code of one wallet
        has another time of its attempt than its own only once it has failed over, on its second attempt.
        """
        is_older = self.attempt_seq == 0 or (self.attempt_seq == 1 and self.attempt_at is not None)
        return self.is_code and (self.any_wallet or is_older)

    @property
    def has_open_attempt(self) -> bool:
        """Whether a code that is not over has an order at a channel; one that any wallet can pay may have none."""
        return self.attempt_seq > 0 and (self.pay_until is not None or not self.is_aggregated)

    def to_json(self) -> dict[str, Any]:
        """The payment object of the API (schemas.PaymentObject)."""
        return {
            "id": self.id,
            "object": "payment",
            "status": self.status,
            "merchant_order_no": self.merchant_order_no,
            "amount": self.amount.amount_fen,
            "discount": self.amount.amount_fen - self.payable.amount_fen,
            "payable": self.payable.amount_fen,
            "amount_refunded": self.amount_refunded,
            "currency": self.amount.currency,
            "method": self.method,
            "wallet": self.wallet,
            "channel": self.account_id,
            "channel_trade_no": self.channel_trade_no,
            "qr_code": self.qr_code if self.status is Status.REQUIRES_ACTION else None,
            "code_id": self.code_id,
            "promotions": [redemption.to_json() for redemption in self.promotions],
            "risk": {"decision": self.risk_decision, "score": self.risk_score, "reasons": [*self.risk_reasons]},
            "failure": _failure_json(self.failure, self.failure_channel_code),
            "reversal": self.reversal,
            "review": self.review,
            "late_captures": [_late_capture_json(capture) for capture in self.late_captures],
            "replaces": self.replaces,
            "store_id": self.store_id,
            "terminal_id": self.terminal_id,
            "operator_id": self.operator_id,
            "created_at": rfc3339(self.created_at),
            "completed_at": None if self.completed_at is None else rfc3339(self.completed_at),
            "expires_at": rfc3339(self.expires_at),
            "metadata": self.metadata,
        }


def _failure_json(code: FailureCode | None, channel_code: str | None) -> dict[str, Any] | None:
    if code is None:
        return None
    meaning = FAILURES[code]
    return {
        "code": code.value,
        "message": meaning.message,
        "channel_code": channel_code,
        "retryable": meaning.retryable,
    }


def _late_capture_json(capture: LateCaptureView) -> dict[str, Any]:
    return {
        "amount": capture.amount_fen,
        "channel": capture.account_id,
        "channel_trade_no": capture.channel_trade_no,
        "status": capture.status,
        "found_at": rfc3339(capture.found_at),
        "refunded_at": None if capture.refunded_at is None else rfc3339(capture.refunded_at),
    }
