"""`mashang risk cases …`: the analyst's queue, complaints and labels, over the admin API."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

cases = typer.Typer(help="Cases, complaints and labels (docs/risk-cases.md).", no_args_is_help=True)

CaseName = Annotated[str, typer.Argument(metavar="CASE", help="Its id, “case_…”.")]
PaymentId = Annotated[str, typer.Argument(metavar="PAYMENT", help="Its id, “pay_…”.")]
By = Annotated[str, typer.Option(help="Who does it.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write it as a page to this file instead.")]
Listed = Annotated[
    list[str] | None, typer.Option(help="customer, device, ip, card, merchant, store or terminal; may be repeated.")
]


class Status(StrEnum):
    """Which cases to list."""

    OPEN = "open"
    DECIDED = "decided"


class Order(StrEnum):
    """What stands first."""

    DUE = "due"
    AMOUNT = "amount"


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.add_typer(cases, name="cases")


@cases.command("list")
def list_cases(
    *,
    status: Annotated[Status, typer.Option(help="Open ones, or decided ones, the newest first.")] = Status.OPEN,
    order: Annotated[Order, typer.Option(help="What is due first, or what most is at stake in.")] = Order.DUE,
    kind: Annotated[str | None, typer.Option(help="review or complaint.")] = None,
    by: Annotated[str | None, typer.Option(help="Whom they are with, or who decided them.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Of one merchant, “mer_…”.")] = None,
    unclaimed: Annotated[bool, typer.Option("--unclaimed", help="Only those that nobody works on.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that should have been decided.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 20,
    html: Html = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print the queue."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.cases.calls import list_cases as run

    filters = {"status": status.value, "order": order.value, "kind": kind, "by": by, "merchant_id": merchant}
    chosen = {name: value for name, value in filters.items() if value is not None}
    chosen |= {"unclaimed": str(unclaimed).lower(), "overdue": str(overdue).lower()}
    run(AdminTarget(url, state.absolute()), chosen, limit, html, as_json=as_json)


@cases.command("show")
def show_case(
    case_id: CaseName, *, html: Html = None, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False
) -> None:
    """Print a case with its evidence."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.cases.calls import show_case as run

    run(AdminTarget(url, state.absolute()), case_id, html, as_json=as_json)


@cases.command("claim")
def claim(
    case_id: CaseName,
    *,
    by: By,
    take_over_from: Annotated[str | None, typer.Option(help="Who works on it now.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Work on a case, alone, until the claim runs out."""
    _step(case_id, "claim", {"by": by, "take_over_from": take_over_from}, url, state, as_json=as_json)


@cases.command("release")
def release(case_id: CaseName, *, by: By, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Give a case back to the queue."""
    _step(case_id, "release", {"by": by}, url, state, as_json=as_json)


@cases.command("note")
def note(
    case_id: CaseName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What was seen, and where.")],
    *,
    by: By,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Write something down."""
    _step(case_id, "notes", {"by": by, "note": text}, url, state, as_json=as_json)


@cases.command("verdict")
def verdict(
    case_id: CaseName,
    decided: Annotated[str, typer.Argument(metavar="VERDICT", help="good or fraud.")],
    *,
    by: By,
    note: Annotated[str, typer.Option(help="What was seen, and where.")],
    block: Listed = None,
    watch: Listed = None,
    allow: Listed = None,
    base_version: Annotated[
        int | None, typer.Option(min=0, help="As it was shown: refused where something came in since.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="So long they stay on the list; for ever without it.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Decide a case; values of its payment can go on lists with it."""
    seen = {"by": by, "note": note, "verdict": decided, "base_version": base_version}
    listed = {"block": block or None, "watch": watch or None, "allow": allow or None, "expires_in_days": days}
    _step(case_id, "verdict", seen | listed, url, state, as_json=as_json)


@cases.command("reopen")
def reopen(
    case_id: CaseName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What came to light.")],
    *,
    by: By,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Open a decided case again."""
    _step(case_id, "reopen", {"by": by, "note": text}, url, state, as_json=as_json)


@cases.command("complain")
def complain(
    payment_id: PaymentId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="In the customer's words.")],
    *,
    reason: Annotated[str, typer.Option(help="Such as not_authorised or not_received.")],
    channel: Annotated[str, typer.Option(help="Over which way it came: wechat, issuer, phone, …")],
    number: Annotated[str, typer.Option(help="Its number there; the same one is taken once.")],
    by: By,
    evidence: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="Where a file lies; may be repeated.")
    ] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Take a customer's complaint about a payment: it opens its case, or joins it."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.cases.calls import complain as run

    named = [item.partition("=") for item in evidence or ()]
    if not all(equals for _, equals, _ in named):
        raise typer.BadParameter("--evidence takes NAME=URL")
    body = {
        "payment_id": payment_id,
        "reason": reason,
        "text": text,
        "channel": channel,
        "channel_complaint_id": number,
        "by": by,
        "evidence": [{"kind": "url", "name": name, "url": address} for name, _, address in named],
    }
    run(AdminTarget(url, state.absolute()), body, as_json=as_json)


@cases.command("label")
def label(
    payment_id: PaymentId,
    known: Annotated[str, typer.Argument(metavar="LABEL", help="fraud or good.")],
    *,
    source: Annotated[str, typer.Option(help="Who knows: chargeback, issuer, merchant, police or other.")],
    by: By,
    note: Annotated[str | None, typer.Option(help="Such as the reason's code.")] = None,
    known_at: Annotated[str | None, typer.Option(help="When it became known, such as 2026-11-22T10:00:00Z.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Say what became known of a payment."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.labels import label as run

    if known not in {"fraud", "good"}:
        raise typer.BadParameter("a label is fraud or good")
    body: dict[str, Any] = {"payment_id": payment_id, "fraud": known == "fraud", "source": source, "by": by}
    body |= {name: value for name, value in (("note", note), ("known_at", known_at)) if value is not None}
    run(AdminTarget(url, state.absolute()), body, as_json=as_json)


@cases.command("import-labels")
def import_labels(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a heading line.")],
    *,
    source: Annotated[str, typer.Option(help="Of rows that name none.")] = "chargeback",
    by: By,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Import labels from a CSV file with the columns payment_id, fraud (1 or 0) and, if wanted, source, note, known_at.

    A file can be imported again: what stands already is not added twice. Exit status 1 where rows were refused.
    """
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.labels import import_labels as run

    if not run(AdminTarget(url, state.absolute()), file, source, by, as_json=as_json):
        raise typer.Exit(1)


def _step(case_id: str, name: str, body: dict[str, Any], url: str | None, state: Path, *, as_json: bool) -> None:
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.cases.calls import step as run

    said = {field: value for field, value in body.items() if value is not None}
    run(AdminTarget(url, state.absolute()), case_id, name, said, as_json=as_json)
