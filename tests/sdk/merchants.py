"""What a merchant holds, as each SDK wants it: only the keys of its own mode, in the form that the SDK reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.sdk.harness import bare, bare_pkcs1

WECHAT_MODES: Final = ("public_key", "certificate")


def wechat_merchant(settings: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """For wechatpayv3: the platform's public key, or none at all, as certificates are downloaded."""
    held = dict(settings)
    keys = held.pop("platform_public_keys")
    if mode == "public_key":
        key_id = next(name for name in keys if name.startswith("PUB_KEY_ID_"))
        held |= {"platform_public_key_id": key_id, "platform_public_key_pem": keys[key_id]}
    return held | {"mode": mode}


def wechat_npm_merchant(settings: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """For wechatpay-axios-plugin, which knows only the one key: an answer signed with the other would be refused.

    The SDK asks for the public key by a header of ours; without it, answers carry the certificate's serial.
    """
    is_public = mode == "public_key"
    keys = settings["platform_public_keys"]
    [name] = [name for name in keys if name.startswith("PUB_KEY_ID_") is is_public]
    return {
        **settings,
        "sdk": "wechat",
        "platform_public_keys": {name: keys[name]},
        "asked_serial": name if is_public else None,
    }


def alipay_official_merchant(settings: Mapping[str, Any], target: str, charset: str = "utf-8") -> dict[str, Any]:
    """For alipay-sdk-python; `target` is the form of its request line (see the driver)."""
    return {
        **settings,
        "app_private_key_pkcs1": bare_pkcs1(settings["app_private_key_pem"]),
        "alipay_public_key": bare(settings["alipay_public_key_pem"]),
        "target": target,
        "charset": charset,
    }
