"""`mashang routing enable|drain|disable|maintenance`: what an account takes from now on, over the admin API."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

_PATH: Final = "/admin/v1/channel_accounts"
_DURATION: Final = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,6})m)?", re.ASCII)

AccountName = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The channel account's id.")]


def register(routing: typer.Typer) -> None:
    """Add these commands to `mashang routing`."""
    routing.command("enable")(enable)
    routing.command("drain")(drain)
    routing.command("disable")(disable)
    routing.command("maintenance")(maintenance)


def enable(account: AccountName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Let an account take payments."""
    _carry_out("PATCH", quote(account, safe=""), {"status": "enabled"}, url, state, as_json=as_json)


def drain(account: AccountName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Let an account finish what it has, and take nothing new: before it is replaced."""
    _carry_out("PATCH", quote(account, safe=""), {"status": "draining"}, url, state, as_json=as_json)


def disable(account: AccountName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Take an account out of use; it still gives back and hears of what it took."""
    _carry_out("PATCH", quote(account, safe=""), {"status": "disabled"}, url, state, as_json=as_json)


def maintenance(
    account: AccountName,
    *,
    for_: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="Such as 30m, 2h, 1h30m or 1d.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Such as 2026-11-23T02:00:00+08:00.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Instead of --for.")] = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End the maintenance that is under way.")] = False,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Take no new payments on an account for a time, from now or from a moment on; or end that."""
    path = f"{quote(account, safe='')}/maintenance"
    if end:
        if for_ is not None or since is not None or until is not None:
            raise typer.BadParameter("--end ends it now: it takes no time")
        _carry_out("DELETE", path, None, url, state, as_json=as_json)
        return
    if (for_ is None) == (until is None):
        raise typer.BadParameter("say how long by one of the two: --for 30m, or --until TIME")
    body: dict[str, Any] = {"note": note}
    body |= {} if for_ is None else {"for_minutes": _minutes(for_)}
    body |= {name: _moment(given) for name, given in (("from", since), ("until", until)) if given is not None}
    _carry_out("POST", path, body, url, state, as_json=as_json)


def _carry_out(
    method: str, path: str, body: dict[str, Any] | None, url: str | None, state: Path, *, as_json: bool
) -> None:
    """Print the account as it is then, or how it stands in a sentence."""
    from gateway.commandline.admin import AdminTarget, call_admin
    from gateway.commandline.till.shown import print_json, say

    account = call_admin(AdminTarget(url, state.absolute()), method, f"{_PATH}/{path}", json=body)
    if as_json:
        print_json(account)
    else:
        say(f"{account['id']} is {account['status']}{_standing(account['in_force'])}.")


def _standing(in_force: dict[str, Any] | None) -> str:
    if in_force is None or in_force["open"]:
        return ""
    window = in_force["maintenance"]
    if window is None:
        return ", and closed at this hour"
    note = f" ({window['note']})" if window["note"] else ""
    return f", and in maintenance until {window['until']}{note}"


def _minutes(duration: str) -> int:
    """Raises BadParameter."""
    match = _DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        raise typer.BadParameter(f"a duration is such as 30m, 2h, 1h30m or 1d, not {duration}")
    days, hours, minutes = [int(part or 0) for part in match.groups()]
    return (days * 24 + hours) * 60 + minutes


def _moment(given: str) -> str:
    """A time without an offset is meant in this machine's zone.  Raises BadParameter."""
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"a time is such as 2026-11-23T02:00:00+08:00, not {given}") from None
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()
