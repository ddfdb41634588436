"""What the admin API takes and gives for channel accounts; credentials come in and are never given back."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field, field_validator

from gateway.admin.access import AdminRequest, example
from gateway.admin.merchants.endpoints import EXAMPLE_ID, MERCHANT_ID_PATTERN
from gateway.payments.schemas import Moment, Text
from routing.accounts.store import FEE_RATE_MILLIONTHS, OVERLAP, PRIORITY, AccountStatus
from routing.channels.base import Wallet
from routing.sale import Method

ACCOUNT_ID_PATTERN: Final = r"^[0-9A-Za-z_-]{1,64}$"
OVERLAP_HOURS: Final = int(OVERLAP.total_seconds() // 3_600)
_OVERLAP_HOURS_MAX: Final = 8_760
MAINTENANCE_MINUTES_MAX: Final = 60 * 24 * 31

_SETTINGS: Final[dict[str, Any]] = {
    "base_url": "https://api.mch.weixin.qq.com",
    "mchid": "1900000109",
    "appid": "wx8888888888888888",
    "merchant_serial": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
    "merchant_private_key_pem": "-----BEGIN PRIVATE KEY-----…",
    "api_v3_key": "…",
    "platform_public_keys": {"PUB_KEY_ID_0119000001092024": "-----BEGIN PUBLIC KEY-----…"},
}
_TERMS: Final[dict[str, Any]] = {
    "fee": {
        "rate_millionths": 6000,
        "cap_fen": 8000,
        "bands": [{"up_to_fen": 100000, "rate_millionths": 3800}],
        "promotions": [
            {"from": "2026-11-01T00:00:00+08:00", "until": "2026-12-01T00:00:00+08:00", "rate_millionths": 2000}
        ],
    },
    "limits": {"payment_max_fen": 5000000, "static_code_max_fen": 50000, "day_fen": 200000000},
    "hours": {"timezone": "Asia/Shanghai", "open": [{"from": "00:30", "until": "23:30"}]},
    "maintenance": [
        {"from": "2026-11-23T02:00:00+08:00", "until": "2026-11-23T04:00:00+08:00", "note": "new certificate"}
    ],
}
_FEE_IN_FORCE: Final[dict[str, Any]] = {
    "wallet": "wechat",
    "up_to_fen": None,
    "rate_millionths": 2000,
    "min_fen": 0,
    "cap_fen": 8000,
}
_IN_FORCE: Final[dict[str, Any]] = {"open": True, "maintenance": None, "fees": [_FEE_IN_FORCE]}
_ACCOUNT: Final[dict[str, Any]] = {
    "id": "wechat_direct",
    "channel": "wechat",
    "merchant_id": None,
    "wallets": ["wechat"],
    "methods": {"wechat": ["barcode", "page", "qrcode"]},
    "status": "enabled",
    "priority": 100,
    "fee_rate_millionths": 3800,
    "terms": _TERMS,
    "in_force": _IN_FORCE,
    "identity": {"mchid": "1900****09", "appid": "wx88************88"},
    "previous_until": None,
    "created_at": "2026-11-22T01:02:03.004Z",
    "updated_at": "2026-11-22T01:02:03.004Z",
}
_KEY: Final[dict[str, Any]] = {
    "setting": "merchant_private_key_pem",
    "kind": "private_key",
    "fingerprint": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "serial": None,
}
_DETAIL: Final[dict[str, Any]] = _ACCOUNT | {
    "notify_url": "https://pay.example/callbacks/wechat/wechat_direct",
    "keys": [_KEY],
    "previous_keys": [],
    "problem": None,
}

AccountId = Annotated[str, Path(pattern=ACCOUNT_ID_PATTERN)]
AfterAccountId = Annotated[str | None, Query(pattern=ACCOUNT_ID_PATTERN)]
OfMerchant = Annotated[str | None, Query(pattern=MERCHANT_ID_PATTERN)]
Priority = Annotated[int, Field(strict=True, ge=0, le=10_000, description="The lowest is tried first.")]
FeeRate = Annotated[int, Field(strict=True, ge=0, le=1_000_000, description="Millionths: 3800 is 0.38 %.")]
TermsDocument = Annotated[
    dict[str, Any],
    Field(
        description="Fee, limits, hours, maintenance, merchants, methods (docs/channel-accounts.md); whole, "
        "what is left out is unbounded."
    ),
]
ChannelSettings = Annotated[
    dict[str, Any],
    Field(min_length=1, repr=False, description="As the channel needs them, credentials included; sealed at rest."),
]


class NewAccountRequest(AdminRequest):
    """A channel account to be made: the platform's, or with `merchant_id` a merchant's own."""

    model_config = example({"channel": "wechat", "merchant_id": EXAMPLE_ID, "settings": _SETTINGS})

    id: Annotated[
        str | None,
        Field(pattern=ACCOUNT_ID_PATTERN, description="Stands in the channel's notification address; ours without it."),
    ] = None
    channel: Literal["wechat", "alipay", "unionpay", "qra"]
    merchant_id: Annotated[str | None, Field(pattern=MERCHANT_ID_PATTERN)] = None
    wallets: Annotated[
        list[Wallet] | None,
        Field(min_length=1, max_length=len(Wallet), description="Of those that the channel has; all of them without."),
    ] = None
    settings: ChannelSettings
    status: AccountStatus = AccountStatus.ENABLED
    priority: Priority = PRIORITY
    fee_rate_millionths: FeeRate = FEE_RATE_MILLIONTHS
    terms: TermsDocument | None = None


class AccountChange(AdminRequest):
    """What to change about a channel account; what is left out stays."""

    model_config = example({"status": "draining"})

    status: AccountStatus | None = None
    priority: Priority | None = None
    fee_rate_millionths: FeeRate | None = None
    terms: TermsDocument | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            raise ValueError("must not be null")
        return value


class MaintenanceRequest(AdminRequest):
    """A time in which the account takes no payments: from now or from a moment, until a moment or for some minutes."""

    model_config = example({"for_minutes": 30, "note": "The channel replaces its certificate."})

    from_: Annotated[Moment | None, Field(alias="from", description="Now without it.")] = None
    until: Moment | None = None
    for_minutes: Annotated[
        int | None, Field(strict=True, ge=1, le=MAINTENANCE_MINUTES_MAX, description="Instead of `until`.")
    ] = None
    note: Annotated[Text, Field(max_length=200, description="Why, for whoever looks at the account.")] = ""


class RotationRequest(AdminRequest):
    """New credentials for an account; the earlier ones read what the channel signed for them, while they overlap."""

    model_config = example({"settings": _SETTINGS, "overlap_hours": OVERLAP_HOURS})

    settings: ChannelSettings
    overlap_hours: Annotated[int, Field(strict=True, ge=0, le=_OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class MaintenanceWindow(BaseModel):
    """A time in which the account takes no payments."""

    from_: Annotated[str, Field(alias="from")]
    until: str
    note: str


class FeeInForce(BaseModel):
    """What a payment of a wallet costs now, up to an amount (null: any amount above the lines before)."""

    model_config = example(_FEE_IN_FORCE)

    wallet: Wallet
    up_to_fen: int | None
    rate_millionths: int
    min_fen: int
    cap_fen: int | None


class InForce(BaseModel):
    """What the terms make of this moment."""

    model_config = example(_IN_FORCE)

    open: Annotated[bool, Field(description="Within the opening hours, and not in maintenance.")]
    maintenance: Annotated[MaintenanceWindow | None, Field(description="That which is under way.")]
    fees: list[FeeInForce]


class AccountObject(BaseModel):
    """A channel account without its credentials; `identity` is masked, `previous_until` the end of an overlap.

    `terms` is what was agreed with the channel, `in_force` what that makes of this moment.
    """

    model_config = example(_ACCOUNT)

    id: str
    channel: str
    merchant_id: str | None
    wallets: list[Wallet]
    methods: Annotated[dict[Wallet, list[Method]], Field(description="How customers of each wallet can pay there.")]
    status: AccountStatus
    priority: int
    fee_rate_millionths: Annotated[int, Field(description="The plain rate, where the terms have none.")]
    terms: dict[str, Any]
    in_force: Annotated[InForce | None, Field(description="Null where the terms are of a later version.")]
    identity: dict[str, str]
    previous_until: str | None
    created_at: str
    updated_at: str


class AccountKey(BaseModel):
    """A key or secret of an account by its fingerprint: SHA-256 of the public key's or certificate's DER in hex.

    A secret has a keyed hash instead, good for telling two apart.  `serial` is a certificate's in decimal, or the
    channel's name for a key.
    """

    model_config = example(_KEY)

    setting: str
    kind: Literal["private_key", "public_key", "certificate", "secret"]
    fingerprint: str
    serial: str | None


class AccountDetail(AccountObject):
    """A channel account with its keys' fingerprints; `problem` says why it does not open."""

    model_config = example(_DETAIL)

    notify_url: str | None
    keys: list[AccountKey]
    previous_keys: list[AccountKey]
    problem: str | None


class AccountList(BaseModel):
    """Channel accounts by id."""

    model_config = example({"object": "list", "data": [_ACCOUNT], "has_more": False})

    object: Literal["list"]
    data: list[AccountObject]
    has_more: bool
