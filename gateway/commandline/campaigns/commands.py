"""`mashang campaign …`: set a campaign up, fund it, start it, watch it, stop it, over the admin API."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

campaign = typer.Typer(
    help="Campaigns: set one up, fund it, start it, watch it, stop it (docs/campaigns.md).", no_args_is_help=True
)

CampaignName = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id, “cam_…”.")]
CampaignFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The campaign as JSON, also as `show --json` prints it; - reads stdin.")
]


@campaign.command("create")
def create(
    file: CampaignFile,
    *,
    activate: Annotated[bool, typer.Option("--activate", help="Put it in force at once.")] = False,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Write a draft: nothing is given before it is activated."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import create as run

    run(AdminTarget(url, state.absolute()), file, activate=activate, as_json=as_json)


@campaign.command("list")
def list_campaigns(
    *,
    status: Annotated[str | None, typer.Option(help="draft, active, paused or ended.")] = None,
    name: Annotated[str | None, typer.Option(help="With this in their name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 50,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print campaigns, the newest first, with what became of their budgets."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import list_campaigns as run

    run(AdminTarget(url, state.absolute()), {"status": status, "name": name}, limit, as_json=as_json)


@campaign.command("show")
def show(campaign_id: CampaignName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Print a campaign.  What --json prints can be edited and sent: it is refused if another change came between."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import show as run

    run(AdminTarget(url, state.absolute()), campaign_id, as_json=as_json)


@campaign.command("check")
def check(
    file: CampaignFile,
    *,
    payments: Annotated[
        int, typer.Option(min=0, max=1_000, help="How many of the newest payments to match with it.")
    ] = 500,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print all that is wrong with a campaign, or what it would match; exits with 1 where something is wrong."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import check as run

    if not run(AdminTarget(url, state.absolute()), file, payments, as_json=as_json):
        raise typer.Exit(1)


@campaign.command("edit")
def edit(
    campaign_id: CampaignName,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The whole campaign as JSON; - reads stdin.")
    ] = None,
    *,
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=JSON", help="Such as limits.budget_per_day=300000; null takes it away."),
    ] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Write a campaign's next version: a file, or single fields.  It is in force at once."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import change, replace

    if (file is None) is not bool(changed):
        raise typer.BadParameter("name a file with the whole campaign, or fields with --set")
    target = AdminTarget(url, state.absolute())
    if file is not None:
        replace(target, campaign_id, file, as_json=as_json)
    else:
        change(target, campaign_id, changed or [], as_json=as_json)


@campaign.command("activate")
def activate(campaign_id: CampaignName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Put a draft in force."""
    _step(campaign_id, "activate", url, state, as_json=as_json)


@campaign.command("pause")
def pause(campaign_id: CampaignName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Stop a campaign at once; it can be resumed."""
    _step(campaign_id, "pause", url, state, as_json=as_json)


@campaign.command("resume")
def resume(campaign_id: CampaignName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Let a paused campaign go on."""
    _step(campaign_id, "resume", url, state, as_json=as_json)


@campaign.command("end")
def end(campaign_id: CampaignName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """End a campaign for ever: what is left goes back to the sponsors."""
    _step(campaign_id, "end", url, state, as_json=as_json)


@campaign.command("top-up")
def top_up(
    campaign_id: CampaignName,
    amount: Annotated[str, typer.Argument(help="In fen (500000), or in yuan with its sign (¥5000.00 or 5000yuan).")],
    *,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same again adds nothing; a new one without it.")
    ] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Add to a campaign's budget; it can be taken at once."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import fen_of
    from gateway.commandline.campaigns.calls import top_up as run

    try:
        amount_fen = fen_of(amount)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    run(AdminTarget(url, state.absolute()), campaign_id, amount_fen, key, as_json=as_json)


@campaign.command("versions")
def versions(
    campaign_id: CampaignName,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="So many at most.")] = 20,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print what was written of a campaign, the newest first."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import versions as run

    run(AdminTarget(url, state.absolute()), campaign_id, limit, as_json=as_json)


@campaign.command("report")
def report(
    campaign_id: CampaignName,
    *,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="RFC 3339; seven days before the end by default.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Now by default.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file: it needs nothing else.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print what a campaign gave and brought in, by sponsor and hour, and why payments did not get it."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.report import report as run

    period = {name: value for name, value in (("from", start), ("to", end)) if value is not None}
    run(AdminTarget(url, state.absolute()), campaign_id, period, html, as_json=as_json)


@campaign.command("watch")
def watch(
    campaign_id: CampaignName,
    *,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    times: Annotated[int | None, typer.Option(min=1, help="So many looks; until Ctrl-C without it.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
) -> None:
    """Show a campaign's budget as it goes: what is left, how fast, and why payments do not get it."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.report import watch as run

    run(AdminTarget(url, state.absolute()), campaign_id, every, times)


@campaign.command("examples")
def examples(
    name: Annotated[str | None, typer.Argument(help="Print this one, to begin a file from.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print the examples that come with the gateway."""
    from gateway.commandline.campaigns.calls import show_examples

    show_examples(name, as_json=as_json)


def _step(campaign_id: str, step: str, url: str | None, state: Path, *, as_json: bool) -> None:
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.campaigns.calls import take

    take(AdminTarget(url, state.absolute()), campaign_id, step, as_json=as_json)
