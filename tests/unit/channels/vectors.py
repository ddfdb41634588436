"""The golden vectors of the channels, and channel settings made from their throw-away keys."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "data" / "channel-vectors"


@cache
def _document(channel: str) -> dict[str, Any]:
    return dict(json.loads((_FOLDER / f"{channel}.json").read_text("utf-8")))


def keys(channel: str) -> dict[str, str]:
    """The keys of a channel's vectors."""
    return dict(_document(channel)["keys"])


def vectors(channel: str, kind: str) -> list[dict[str, Any]]:
    """The vectors of one kind; never none, so that a renamed kind cannot pass unseen."""
    found = [vector for vector in _document(channel)["vectors"] if vector["kind"] == kind]
    assert found, f"no {kind} in {channel}.json"
    return found


def vector(channel: str, vector_id: str) -> dict[str, Any]:
    """One vector."""
    return next(vector for vector in _document(channel)["vectors"] if vector["id"] == vector_id)


def name_of(vector: dict[str, Any]) -> str:
    """The id, for the names of parametrised tests."""
    return str(vector["id"])


def wechat_settings() -> dict[str, Any]:
    """Stored settings of a WeChat Pay account."""
    own = keys("wechat")
    return {
        "base_url": "https://wechat.invalid",
        "mchid": own["mchid"],
        "appid": own["appid"],
        "merchant_serial": own["merchant_serial_no"],
        "merchant_private_key_pem": own["merchant_private_key_pem"],
        "api_v3_key": own["api_v3_key"],
        "platform_public_keys": {
            own["platform_public_key_id"]: own["platform_public_key_pem"],
            own["platform_certificate_serial_no"]: own["platform_certificate_pem"],
        },
    }


def alipay_settings() -> dict[str, Any]:
    """Stored settings of an Alipay account."""
    own = keys("alipay")
    return {
        "gateway_url": "https://alipay.invalid/gateway.do",
        "app_id": own["app_id"],
        "seller_id": "2088102175953034",
        "app_private_key_pem": own["app_private_key_pem"],
        "alipay_public_key_pem": own["alipay_public_key_pem"],
    }


def unionpay_settings(sign_method: str = "01") -> dict[str, Any]:
    """Stored settings of a UnionPay account."""
    own = keys("unionpay")
    return {
        "back_trans_url": "https://unionpay.invalid/gateway/api/backTransReq.do",
        "query_trans_url": "https://unionpay.invalid/gateway/api/queryTrans.do",
        "mer_id": own["mer_id"],
        "sign_method": sign_method,
        "signing_certificate_pem": own["merchant_certificate_pem"],
        "signing_private_key_pem": own["merchant_private_key_pem"],
        "root_certificate_pem": own["root_certificate_pem"],
        "middle_certificate_pem": own["middle_certificate_pem"],
        "secret_key": own["secure_key"],
    }


def qra_settings() -> dict[str, Any]:
    """Stored settings of an account at the bar-code front."""
    own = keys("unionpay")
    return {"base_url": "https://qra.invalid", "mch_id": own["qra_mch_id"], "key": own["qra_key"]}
