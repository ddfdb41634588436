"""What the baseline service needs to know; written by the benchmark as one JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel

SETTINGS_VARIABLE: Final = "MASHANG_BASELINE_SETTINGS"
"""Environment variable with the path of the file."""


class WechatAccount(BaseModel):
    """The merchant's account at the simulator."""

    base_url: str
    mchid: str
    appid: str
    merchant_serial: str
    merchant_private_key_pem: str
    api_v3_key: str
    platform_public_keys: dict[str, str]


class BaselineSettings(BaseModel):
    """One baseline process."""

    database_url: str
    redis_url: str
    transport: Literal["aiohttp", "httpx"]
    wechat: WechatAccount
    database_pool_size: int = 16
    claim_ttl_s: int = 15
    channel_timeout_s: float = 10.0
    send_within_s: float = 5.0
    fee_rate_millionths: int = 3_800


def read_settings(path: Path) -> BaselineSettings:
    """Read the file."""
    return BaselineSettings.model_validate_json(path.read_bytes())
