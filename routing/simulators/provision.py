"""Makes the simulators' keys and certificates once, and hands both sides their halves.

Everything lies under one folder readable by its owner only; the files are read again later, so the keys stay while
addresses may change from call to call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from routing.simulators.keys import (
    alipay_additions,
    alipay_keys,
    qra_additions,
    qra_keys,
    unionpay_additions,
    unionpay_keys,
    wechat_additions,
    wechat_keys,
)

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the keys of one channel, and what a file that has been made before lacks."""

    keys: Callable[[], dict[str, Any]]
    additions: Callable[[Config], dict[str, Any]]


_MAKERS: Final = {
    "wechat": _Maker(wechat_keys, wechat_additions),
    "alipay": _Maker(alipay_keys, alipay_additions),
    "unionpay": _Maker(unionpay_keys, unionpay_additions),
    "qra": _Maker(qra_keys, qra_additions),
}
FRONT_WALLETS: Final = ("wechat", "alipay", "unionpay", "digital_rmb", "jd", "best_pay", "qq")
"""Whose bar codes UnionPay's front takes."""


@dataclass(frozen=True, slots=True)
class AccountSeed:
    """A channel account for the gateway: what its adapter needs, as JSON values."""

    id: str
    channel: str
    wallets: tuple[str, ...]
    settings: dict[str, Any] = field(repr=False)

    @property
    def wallet(self) -> str:
        """The wallet of a direct account; the first of the front's."""
        return self.wallets[0]


@dataclass(frozen=True, slots=True)
class Provision:
    """The configuration files by channel, the gateway's accounts, and the "simulators" of the ready file.

    `rotated` are the same accounts after their keys were rotated: the simulators take requests under either keys.
    """

    simulators: dict[str, Path]
    accounts: tuple[AccountSeed, ...] = field(repr=False)
    rotated: tuple[AccountSeed, ...] = field(repr=False)
    ready: dict[str, dict[str, Any]] = field(repr=False)


def provision(folder: Path, base_urls: Mapping[str, str]) -> Provision:
    """Make or read the keys under `folder`, for the simulators that are named, each with the address it answers at."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = [name for name in _MAKERS if name in base_urls]
    with ThreadPoolExecutor(len(_MAKERS)) as pool:
        made = pool.map(lambda name: _keys(folder / f"{name}.json", _MAKERS[name]), names)
        configs = dict(zip(names, made, strict=True))
    urls = {name: base_urls[name].rstrip("/") for name in names}
    rotated = {name: _after_rotation(config) for name, config in configs.items()}
    return Provision(
        simulators={name: folder / f"{name}.json" for name in names},
        accounts=tuple([seed for name in names for seed in _SEEDS[name](configs[name], urls[name])]),
        rotated=tuple([seed for name in names for seed in _SEEDS[name](rotated[name], urls[name])]),
        ready={name: _READY[name](folder, configs[name], urls[name]) for name in names},
    )


def _after_rotation(config: Config) -> dict[str, Any]:
    """The configuration as if the next keys had always been the only ones."""
    following = {name.removeprefix("next_"): value for name, value in config.items() if name.startswith("next_")}
    return {**config, **following}


def _keys(path: Path, make: _Maker) -> dict[str, Any]:
    """The configuration in a file; made, or completed, and written there, whole or not at all."""
    config: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else make.keys()
    additions = make.additions(config)
    if additions:
        config |= additions
        _write_private(path, json.dumps(config, ensure_ascii=False, indent=1))
    return config


def _write_private(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


def _pem_file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    if not path.exists() or path.read_text("utf-8") != text:
        _write_private(path, text)
    return str(path)


def _wechat_settings(config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "mchid": config["mchid"],
        "appid": config["appid"],
        "merchant_serial": config["merchant_serial"],
        "merchant_private_key_pem": config["merchant_private_key_pem"],
        "api_v3_key": config["api_v3_key"],
        "platform_public_keys": {
            config["platform_public_key_id"]: config["platform_public_key_pem"],
            config["platform_certificate_serial"]: config["platform_certificate_public_key_pem"],
        },
        "app_secret": config["app_secret"],
        "oauth_url": f"{base_url}/connect/oauth2/authorize",
        "token_url": f"{base_url}/sns/oauth2/access_token",
        "bridge_url": f"{base_url}/_simulator/bridge.js",
    }


def _alipay_settings(config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    return {
        "gateway_url": f"{base_url}/gateway.do",
        "app_id": config["app_id"],
        "seller_id": config["seller_id"],
        "app_private_key_pem": config["app_private_key_pem"],
        "alipay_public_key_pem": config["alipay_public_key_pem"],
        "oauth_url": f"{base_url}/oauth2/publicAppAuthorize.htm",
        "bridge_url": f"{base_url}/_simulator/bridge.js",
    }


def _unionpay_settings(config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    return {
        "back_trans_url": f"{base_url}/gateway/api/backTransReq.do",
        "query_trans_url": f"{base_url}/gateway/api/queryTrans.do",
        "front_trans_url": f"{base_url}/gateway/api/newAppTransReq.do",
        "oauth_url": f"{base_url}/qrcGtwWeb-web/api/userAuth",
        "file_url": f"{base_url}/file/",
        "root_certificate_pem": config["root_certificate_pem"],
        "middle_certificate_pem": config["middle_certificate_pem"],
    }


def _signing_settings(config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    return _unionpay_settings(config, base_url) | {
        "mer_id": config["mer_id"],
        "sign_method": "01",
        "signing_certificate_pem": config["merchant_certificate_pem"],
        "signing_private_key_pem": config["merchant_private_key_pem"],
    }


def _keyed_settings(config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    return _unionpay_settings(config, base_url) | {
        "mer_id": config["keyed_mer_id"],
        "sign_method": "11",
        "secret_key": config["secret_key"],
    }


def _wechat_ready(folder: Path, config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "mchid": config["mchid"],
        "appid": config["appid"],
        "merchant_serial": config["merchant_serial"],
        "merchant_private_key": _pem_file(folder, "wechat-merchant-key.pem", config["merchant_private_key_pem"]),
        "api_v3_key": config["api_v3_key"],
        "platform_public_key": _pem_file(folder, "wechat-platform-public.pem", config["platform_public_key_pem"]),
        "platform_public_key_id": config["platform_public_key_id"],
        "platform_certificate": _pem_file(
            folder, "wechat-platform-certificate.pem", config["platform_certificate_pem"]
        ),
        "platform_certificate_serial": config["platform_certificate_serial"],
        "app_secret": config["app_secret"],
        "oauth_url": f"{base_url}/connect/oauth2/authorize",
        "token_url": f"{base_url}/sns/oauth2/access_token",
        "bridge_url": f"{base_url}/_simulator/bridge.js",
    }


def _alipay_ready(folder: Path, config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "gateway": f"{base_url}/gateway.do",
        "app_id": config["app_id"],
        "seller_id": config["seller_id"],
        "app_private_key": _pem_file(folder, "alipay-app-key.pem", config["app_private_key_pem"]),
        "alipay_public_key": _pem_file(folder, "alipay-public.pem", config["alipay_public_key_pem"]),
        "oauth_url": f"{base_url}/oauth2/publicAppAuthorize.htm",
        "bridge_url": f"{base_url}/_simulator/bridge.js",
    }


def _unionpay_ready(folder: Path, config: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    settings = _unionpay_settings(config, base_url)
    return {
        "base_url": base_url,
        "back_trans_url": settings["back_trans_url"],
        "query_trans_url": settings["query_trans_url"],
        "front_trans_url": settings["front_trans_url"],
        "oauth_url": settings["oauth_url"],
        "file_url": settings["file_url"],
        "mer_id": config["mer_id"],
        "signing_certificate": _pem_file(
            folder, "unionpay-merchant-certificate.pem", config["merchant_certificate_pem"]
        ),
        "signing_private_key": _pem_file(folder, "unionpay-merchant-key.pem", config["merchant_private_key_pem"]),
        "root_certificate": _pem_file(folder, "unionpay-root.pem", config["root_certificate_pem"]),
        "middle_certificate": _pem_file(folder, "unionpay-middle.pem", config["middle_certificate_pem"]),
        "keyed_mer_id": config["keyed_mer_id"],
        "secret_key": config["secret_key"],
    }


def _qra_ready(folder: Path, config: Mapping[str, Any], base_url: str) -> dict[str, Any]:  # noqa: ARG001  # it has no file
    return {
        "base_url": base_url,
        "gateway": f"{base_url}/pay/gateway",
        "mch_id": config["mch_id"],
        "key": config["key"],
    }


def _wechat_seeds(config: Config, base_url: str) -> tuple[AccountSeed, ...]:
    return (AccountSeed("wechat_direct", "wechat", ("wechat",), _wechat_settings(config, base_url)),)


def _alipay_seeds(config: Config, base_url: str) -> tuple[AccountSeed, ...]:
    return (AccountSeed("alipay_direct", "alipay", ("alipay",), _alipay_settings(config, base_url)),)


def _unionpay_seeds(config: Config, base_url: str) -> tuple[AccountSeed, ...]:
    return (
        AccountSeed("unionpay_direct", "unionpay", ("unionpay",), _signing_settings(config, base_url)),
        AccountSeed("unionpay_keyed", "unionpay", ("unionpay",), _keyed_settings(config, base_url)),
    )


def _qra_seeds(config: Config, base_url: str) -> tuple[AccountSeed, ...]:
    settings = {"base_url": base_url, "mch_id": config["mch_id"], "key": config["key"]}
    return (AccountSeed("unionpay_front", "qra", FRONT_WALLETS, settings),)


_SEEDS: Final[Mapping[str, Callable[[Config, str], tuple[AccountSeed, ...]]]] = {
    "wechat": _wechat_seeds,
    "alipay": _alipay_seeds,
    "unionpay": _unionpay_seeds,
    "qra": _qra_seeds,
}
_READY: Final[Mapping[str, Callable[[Path, Config, str], dict[str, Any]]]] = {
    "wechat": _wechat_ready,
    "alipay": _alipay_ready,
    "unionpay": _unionpay_ready,
    "qra": _qra_ready,
}
