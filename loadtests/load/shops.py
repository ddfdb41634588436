"""Makes what the load needs in a gateway: shops with keys and two campaigns, all over the admin API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

from gateway.devstack.ready import ReadyFile
from loadtests.load.plan import Shop

_PLENTY_FEN: Final = 10**12
_FUNDING: Final = [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}]
DISCOUNT: Final[dict[str, Any]] = {
    "name": "load: 满20减1",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 100}]},
    "limits": {"budget": _PLENTY_FEN},
    "funding": _FUNDING,
}
"""Most payments draw from it: one budget that everybody wants."""
COUPON: Final[dict[str, Any]] = {
    "name": "load: 满1减0.5",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 100, "off": 50}]},
    "limits": {"budget": _PLENTY_FEN},
    "funding": _FUNDING,
    "stacking": {"group": "coupons", "mode": "best", "priority": 20},
    "coupon": {"stock": 1_000_000, "per_customer": 100_000, "valid_days": 1},
}


def make_shops(ready: ReadyFile, how_many: int) -> list[Shop]:
    """New merchants, each with a key of all scopes.  Raises httpx.HTTPError."""
    with _admin(ready) as admin:
        return [_make_shop(admin, number) for number in range(how_many)]


def _make_shop(admin: httpx.Client, number: int) -> Shop:
    merchant = _made(admin, "/admin/v1/merchants", {"name": f"Load {number + 1}"})
    key = _made(admin, f"/admin/v1/merchants/{merchant['id']}/keys", {})
    return Shop(merchant["id"], key["secret"])


@contextmanager
def campaigns(ready: ReadyFile) -> Iterator[str]:
    """A discount for everybody and a coupon, while this is open; gives the coupon's id.  Raises httpx.HTTPError."""
    with _admin(ready) as admin:
        ids = [_made(admin, "/admin/v1/campaigns", document)["id"] for document in (DISCOUNT, COUPON)]
        for campaign_id in ids:
            admin.post(f"/admin/v1/campaigns/{campaign_id}/activate", json={}).raise_for_status()
    try:
        yield ids[-1]
    finally:
        with _admin(ready) as admin:
            for campaign_id in ids:
                admin.post(f"/admin/v1/campaigns/{campaign_id}/end", json={})


def _admin(ready: ReadyFile) -> httpx.Client:
    headers = {"Authorization": f"Bearer {ready.admin_token}"}
    return httpx.Client(base_url=ready.gateway, headers=headers, trust_env=False, timeout=30)


def _made(admin: httpx.Client, path: str, document: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = admin.post(path, json=document).raise_for_status().json()
    return made
