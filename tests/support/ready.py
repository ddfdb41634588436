"""The ready file of a development stack, for a running stack of the tests: what its users read to find everything."""

from __future__ import annotations

from pathlib import Path

from gateway.devstack.ready import Processes, ReadyFile
from gateway.devstack.secrets import MerchantSecrets
from tests.support.gateway import GatewayStack, Shop


def write_ready_file(folder: Path, stack: GatewayStack, shop: Shop | None = None) -> Path:
    """Write `ready.json` for one of the stack's shops (its own by default); returns the folder."""
    shop = shop or stack.shop
    key = shop.key
    ready = ReadyFile(
        gateway=stack.url,
        admin_token=stack.admin_token,
        merchant=MerchantSecrets(
            id=shop.id, api_key=key.secret, key_id=key.id, signing_secret=key.signing_secret, webhook_secret=""
        ),
        simulators={name: {"base_url": url} for name, url in stack.simulators.base_urls.items()},
        database_url=stack.database_url,
        redis_url=stack.redis_url,
        processes=Processes(gateway=[], worker=[], postgres=None, valkey=None, simulators=[]),
    )
    ready.write(folder / "ready.json")
    return folder
