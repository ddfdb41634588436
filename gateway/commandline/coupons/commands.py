"""`mashang coupon …`: claim one and list a customer's, as a till; grant, count and void, as the manager."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, Key, State, Url

coupon = typer.Typer(help="Coupons: claim, list, grant, count, void (docs/campaigns.md).", no_args_is_help=True)

CampaignName = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id, “cam_…”.")]
CustomerName = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The till's own id of the customer.")]


@coupon.command("claim")
def claim(
    campaign_id: CampaignName,
    customer: CustomerName,
    *,
    card_bin: Annotated[str | None, typer.Option(help="The first 6 to 8 digits of the card at hand.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--key-once", help="The same customer and this key: the same coupon.")
    ] = None,
    url: Url = None,
    key: Key = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Claim a coupon for a customer, as a till would."""
    from gateway.commandline.connection import Target, connected
    from gateway.commandline.till.shown import show

    with connected(Target(url, key, state.absolute())) as client:
        claimed = client.claim_coupon(campaign_id, customer, card_bin=card_bin, idempotency_key=idempotency_key)
    show(claimed, as_json=as_json)


@coupon.command("list")
def list_coupons(
    customer: CustomerName,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="So many at most.")] = 20,
    url: Url = None,
    key: Key = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print what coupons a customer has, the newest first."""
    from gateway.commandline.connection import Target, connected
    from gateway.commandline.coupons.calls import print_coupons

    with connected(Target(url, key, state.absolute())) as client:
        found = client.coupons(customer, limit=limit)["data"]
    print_coupons(found, as_json=as_json)


@coupon.command("grant")
def grant(
    campaign_id: CampaignName,
    customers: Annotated[list[str], typer.Argument(metavar="CUSTOMER…", help="The till's own ids; up to 500.")],
    *,
    merchant: Annotated[str | None, typer.Option(help="Whose customers; the demo merchant's without it.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Give each of these customers a coupon, within the stock."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.coupons.calls import grant as run

    run(AdminTarget(url, state.absolute()), campaign_id, merchant, customers, as_json=as_json)


@coupon.command("count")
def count(campaign_id: CampaignName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Print how many coupons of a campaign there are, how they came about, and how they stand."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.coupons.calls import count as run

    run(AdminTarget(url, state.absolute()), campaign_id, as_json=as_json)


@coupon.command("void")
def void(
    coupon_id: Annotated[str, typer.Argument(metavar="COUPON", help="Its id, “cpn_…”.")],
    *,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Make a coupon that is not redeemed worthless for ever."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.coupons.calls import void as run

    run(AdminTarget(url, state.absolute()), coupon_id, as_json=as_json)
