"""Calls of `mashang campaign …`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson
from rich.console import Console

from gateway.commandline.admin import AdminTarget, Refused, call_admin, new_key
from gateway.commandline.campaigns.tables import (
    benefit_of,
    campaigns_table,
    money,
    print_campaign,
    versions_table,
)
from gateway.commandline.till.shown import print_json, problems_table, say
from gateway.devstack.screen import program
from gateway.kernel.money import fen_of_yuan
from gateway.processes.errors import StackError
from promotions.campaigns.document import FIELDS
from promotions.examples import example, names

_PATH: Final = "/admin/v1/campaigns"
_PAGE: Final = 100
_FEN: Final = re.compile(r"([0-9]{1,16})(?: ?fen)?")
_YUAN: Final = re.compile(r"[¥￥] ?([0-9]{1,14}(?:\.[0-9]{1,2})?)|([0-9]{1,14}(?:\.[0-9]{1,2})?) ?(?:yuan|元)")
_DONE: Final = {"activate": "is active", "pause": "is paused", "resume": "is active again", "end": "has ended"}


def create(target: AdminTarget, file: Path, *, activate: bool, as_json: bool) -> None:
    """Write a draft.  Raises StackError with all that is wrong with it."""
    found = call_admin(target, "POST", _PATH, json=_document(_read(file)))
    if activate:
        found = call_admin(target, "POST", f"{_PATH}/{found['id']}/activate")
    if as_json:
        print_json(found)
        return
    print_campaign(found)
    if not activate:
        say(f"A draft gives nothing yet: {program()} campaign activate {found['id']}")


def list_campaigns(target: AdminTarget, filters: Mapping[str, str | None], limit: int, *, as_json: bool) -> None:
    """Print the newest of those that the filters let through."""
    query = {name: value for name, value in filters.items() if value is not None}
    found: list[dict[str, Any]] = []
    has_more = True
    while has_more and len(found) < limit:
        page = call_admin(target, "GET", _PATH, params=query | {"limit": min(_PAGE, limit - len(found))})
        found += page["data"]
        has_more = page["has_more"]
        query["starting_after"] = found[-1]["id"] if found else ""
    if as_json:
        print_json(found)
    elif found:
        console = Console()
        console.print(campaigns_table(found, console.width), markup=False)
    else:
        say("There are no such campaigns. “mashang campaign examples” has some to begin from.")


def show(target: AdminTarget, campaign_id: str, *, as_json: bool) -> None:
    """Print a campaign."""
    _tell(call_admin(target, "GET", _of(campaign_id)), None, as_json=as_json)


def check(target: AdminTarget, file: Path, payments: int, *, as_json: bool) -> bool:
    """Print what is wrong with a campaign, or what it would match; whether nothing is wrong."""
    given = _document(_read(file))
    found = call_admin(target, "POST", f"{_PATH}/check", params={"payments": payments}, json=given)
    if as_json:
        print_json(found)
    elif found["valid"]:
        matched = found["payments"]
        say("Nothing is wrong with it.")
        Console().print(f"Its condition holds for {matched['matched']} of the {matched['looked_at']} newest payments.")
        if matched["needs_history"]:
            say("It asks what the customer did before; of past payments that is not known, and counts as null.")
    else:
        Console().print(problems_table(found["problems"]), markup=False)
    return bool(found["valid"])


def replace(target: AdminTarget, campaign_id: str, file: Path, *, as_json: bool) -> None:
    """Write the next version, whole; a file that `show --json` printed builds on what it was then."""
    given = _read(file)
    headers = {}
    if given.get("object") == "campaign":
        if given.get("id") != campaign_id:
            raise StackError(f"{file} is of {given.get('id')}, not of {campaign_id}.")
        headers["If-Match"] = f'"{given.get("revision")}"'
    found = call_admin(target, "PUT", _of(campaign_id), headers=headers, json=_document(given))
    _tell(found, f"Version {found['version']} is in force.", as_json=as_json)


def change(target: AdminTarget, campaign_id: str, changed: Sequence[str], *, as_json: bool) -> None:
    """Write the next version with other fields.  Raises StackError for a field that is none."""
    patch: dict[str, Any] = {}
    for each in changed:
        _set(patch, each)
    found = call_admin(target, "PATCH", _of(campaign_id), json=patch)
    _tell(found, f"Version {found['version']} is in force.", as_json=as_json)


def take(target: AdminTarget, campaign_id: str, step: str, *, as_json: bool) -> None:
    """Activate, pause, resume or end a campaign."""
    found = call_admin(target, "POST", f"{_of(campaign_id)}/{step}")
    _tell(found, f"“{found['name']}” {_DONE[step]}.", as_json=as_json)


def top_up(target: AdminTarget, campaign_id: str, amount_fen: int, key: str | None, *, as_json: bool) -> None:
    """Add money, once for each key.  Raises StackError, with the key where that is open."""
    used = key or new_key()
    try:
        found = call_admin(
            target,
            "POST",
            f"{_of(campaign_id)}/top_up",
            headers={"Idempotency-Key": used},
            json={"amount": amount_fen},
        )
    except Refused:
        raise
    except StackError as error:
        raise StackError(f"{error}\nThe same again adds nothing twice with: --key {used}") from error
    _tell(found, f"{money(amount_fen)} ({amount_fen} fen) are in the budget, under the key {used}.", as_json=as_json)


def versions(target: AdminTarget, campaign_id: str, limit: int, *, as_json: bool) -> None:
    """Print the newest versions."""
    found = call_admin(target, "GET", f"{_of(campaign_id)}/versions", params={"limit": limit})["data"]
    if as_json:
        print_json(found)
    else:
        Console().print(versions_table(found), markup=False)


def show_examples(name: str | None, *, as_json: bool) -> None:
    """Print an example as a file would have it, or what there is.  Raises StackError where there is none."""
    if name is not None and name not in names():
        raise StackError(f"There is no example {name}; there are {', '.join(names())}.")
    if name is not None:
        sys.stdout.write(orjson.dumps(example(name), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    if as_json:
        print_json({each: example(each) for each in names()})
        return
    console = Console()
    for each in names():
        console.print(f"{each}: {example(each)['name']} ({benefit_of(example(each))})", markup=False, soft_wrap=True)
    say("To begin from one: mashang campaign examples NAME > campaign.json")


def fen_of(text: str) -> int:
    """An amount as it is typed: fen, or yuan with their sign.  Raises ValueError with a sentence."""
    fen, yuan = _FEN.fullmatch(text.strip()), _YUAN.fullmatch(text.strip())
    if fen is None and yuan is None:
        raise ValueError("an amount is a number of fen (500000), or of yuan with its sign (¥5000.00 or 5000yuan)")
    amount_fen = int(fen[1]) if fen is not None else fen_of_yuan(str(yuan and (yuan[1] or yuan[2])))
    if amount_fen < 1:
        raise ValueError("an amount is at least 1 fen")
    return amount_fen


def _tell(found: dict[str, Any], said: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_campaign(found)
    if said is not None:
        say(said)


def _of(campaign_id: str) -> str:
    return f"{_PATH}/{quote(campaign_id, safe='')}"


def _read(file: Path) -> dict[str, Any]:
    """The JSON object in a file.  Raises StackError."""
    try:
        given = orjson.loads(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise StackError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise StackError(f"{file} is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise StackError(f"{file} is no campaign: that is a JSON object.")
    return given


def _document(given: dict[str, Any]) -> dict[str, Any]:
    """What can be written of a campaign that the gateway has shown; anything else as it is."""
    if given.get("object") != "campaign":
        return given
    return {name: given[name] for name in FIELDS if name in given}


def _set(patch: dict[str, Any], text: str) -> None:
    """Add `limits.per_customer.day=2` to a merge patch; what is no JSON is a text.  Raises StackError."""
    path, equals, value = text.partition("=")
    *outer, last = path.split(".")
    if not equals or not all([*outer, last]):
        raise StackError(f"--set takes FIELD=JSON, such as limits.budget_per_day=300000, not {text}")
    for name in outer:
        patch = patch.setdefault(name, {})
    try:
        patch[last] = orjson.loads(value)
    except ValueError:
        patch[last] = value
