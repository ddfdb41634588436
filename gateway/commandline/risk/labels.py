"""Calls of `mashang risk cases label` and `import-labels`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.admin.risk.label_schemas import LabelRequest
from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json, say
from gateway.processes.errors import StackError

_PATH: Final = "/admin/v1/risk/labels"
_AT_ONCE: Final = 500
"""Rows in a request: with long notes they are still far below its bound."""
_REFUSED_SHOWN: Final = 20
_COLUMNS: Final = frozenset({"payment_id", "fraud", "source", "note", "known_at"})
_FRAUD: Final = {"1": True, "true": True, "fraud": True, "0": False, "false": False, "good": False}


def label(target: AdminTarget, body: Mapping[str, Any], *, as_json: bool) -> None:
    """Record a label.  Raises StackError where it is refused."""
    found = call_admin(target, "POST", _PATH, by=body["by"], json=dict(body))
    if as_json:
        print_json(found)
    else:
        word = "fraud" if found["fraud"] else "good"
        say(f"{found['payment_id']} is labelled {word} by {found['source']}, known at {found['known_at']}.")


def import_labels(target: AdminTarget, file: Path, source: str, by: str, *, as_json: bool) -> bool:
    """Send a file's rows; whether none was refused.  Raises StackError for a file that is no such CSV.

    The file is read before anything is sent, so that a wrong line in it leaves nothing half done.
    """
    rows = _rows(file, source, by)
    counts: Counter[str] = Counter()
    refused: list[tuple[int, str, str]] = []
    with _progress() as progress:
        task = progress.add_task("labels", total=len(rows))
        for first, batch in _batches(rows):
            found = call_admin(target, "POST", f"{_PATH}/bulk", by=by, json={"labels": batch})
            for number, each in enumerate(found["results"], first):
                counts[each["result"]] += 1
                if each["result"] not in {"added", "unchanged"}:
                    refused.append((number, each["payment_id"], each["result"]))
            progress.advance(task, len(batch))
    _print(counts, refused, as_json=as_json)
    return not refused


def _rows(file: Path, source: str, by: str) -> list[dict[str, Any]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        reader = csv.DictReader(opened)
        named = set(reader.fieldnames or ())
        if not {"payment_id", "fraud"} <= named <= _COLUMNS:
            raise StackError(f"{file} begins with a line of column names: payment_id, fraud, source, note, known_at.")
        return [_row(file, number, each, source, by) for number, each in enumerate(reader, 2)]


def _row(file: Path, line: int, read: Mapping[str, str | None], source: str, by: str) -> dict[str, Any]:
    fraud = _FRAUD.get((read["fraud"] or "").strip().lower())
    if fraud is None or not read["payment_id"]:
        raise StackError(f"{file}, line {line}: it takes a payment's id, and 1 or 0 for fraud.")
    optional = {name: (read.get(name) or "").strip() for name in ("note", "known_at")}
    given = {name: text for name, text in optional.items() if text}
    named = (read.get("source") or "").strip() or source
    row = {"payment_id": read["payment_id"].strip(), "fraud": fraud, "source": named, "by": by, **given}
    _require_takable(row, f"{file}, line {line}")
    return row


def _require_takable(row: Mapping[str, Any], place: str) -> None:
    """What the API would refuse a whole request for, told before the first is sent.  Raises StackError."""
    try:
        LabelRequest.model_validate(row)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        raise StackError(f"{place}: “{wrong['loc'][0]}”: {wrong['msg']}.") from None


def _batches(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Slices with the number of their first line in the file."""
    iterator, line = iter(rows), 2
    while batch := list(islice(iterator, _AT_ONCE)):
        yield line, batch
        line += len(batch)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _print(counts: Mapping[str, int], refused: Sequence[tuple[int, str, str]], *, as_json: bool) -> None:
    if as_json:
        rows = [{"line": line, "payment_id": payment_id, "result": why} for line, payment_id, why in refused]
        print_json({**counts, "refused": rows})
        return
    say(f"{counts.get('added', 0)} added, {counts.get('unchanged', 0)} stood already, {len(refused)} refused.")
    if refused:
        table = Table("line", "payment", "why not")
        for line, payment_id, why in refused[:_REFUSED_SHOWN]:
            table.add_row(str(line), payment_id, why.replace("_", " "))
        Console().print(table, markup=False)
