"""Calls, tables and progress of `mashang segments`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.commandline.admin import AdminTarget, Refused, call_admin, new_key
from gateway.commandline.owner import Owner
from gateway.commandline.till.shown import print_json, say
from gateway.coupons.schemas import CustomerId
from gateway.processes.errors import StackError

_PATH: Final = "/admin/v1/segments"
_AT_ONCE: Final = 1_000
_ID: Final[TypeAdapter[str]] = TypeAdapter(CustomerId)
_TRIES_MAX: Final = 6


def list_segments(target: AdminTarget, *, as_json: bool) -> None:
    """A table of all segments.  Raises StackError."""
    found = call_admin(target, "GET", _PATH)["data"]
    if as_json:
        print_json(found)
    elif not found:
        say("There are no segments.")
    else:
        table = Table("segment", "customers", "changed")
        for each in found:
            table.add_row(each["name"], f"{each['customers']:,}", each["changed_at"])
        Console().print(table, markup=False)


def add(target: AdminTarget, name: str, file: Path, owner: Owner, *, as_json: bool) -> None:
    """Put a file's customers in.  Raises StackError."""
    told = _send(target, ("PUT", f"{_PATH}/{name}/customers"), file, owner, "added")
    if as_json:
        print_json(told)
    else:
        say(f"{told['added']:,} of {told['asked']:,} added to {name}, which has {told['customers']:,} now.")


def remove(target: AdminTarget, name: str, file: Path, owner: Owner, *, as_json: bool) -> None:
    """Take a file's customers out.  Raises StackError."""
    told = _send(target, ("POST", f"{_PATH}/{name}/customers/remove"), file, owner, "removed")
    if as_json:
        print_json(told)
    else:
        say(f"{told['removed']:,} of {told['asked']:,} removed from {name}, which has {told['customers']:,} now.")


def find(target: AdminTarget, customer: str, owner: Owner, *, as_json: bool) -> None:
    """Which segments somebody is in.  Raises StackError."""
    found = call_admin(target, "POST", f"{_PATH}/find", json={**owner.of(target), "customer": customer})["segments"]
    if as_json:
        print_json(found)
    else:
        say(", ".join(found) or "The customer is in no segment.")


def delete(target: AdminTarget, name: str, *, as_json: bool) -> None:
    """Step by step until it is gone.  Raises StackError."""
    removed = 0
    with _progress() as progress:
        bar = progress.add_task("taken out", total=None)
        while True:
            found = _patiently(lambda: call_admin(target, "DELETE", f"{_PATH}/{name}"))
            removed += found["removed"]
            progress.update(bar, completed=removed, total=removed + found["customers"])
            if found["deleted"]:
                break
    if as_json:
        print_json({"name": name, "deleted": True, "removed": removed})
    else:
        say(f"The segment {name} is gone; {removed:,} customers were in it.")


def _send(target: AdminTarget, call: tuple[str, str], file: Path, owner: Owner, counted: str) -> dict[str, int]:
    """A file's customers, batch by batch; what the answers count, together.

    The file is read to its end before anything is sent, so that a wrong line in it leaves nothing half done.
    """
    customers = list(dict.fromkeys(_customers(file)))
    if not customers:
        raise StackError(f"{file} has no customers.")
    of, told = owner.of(target), {"asked": len(customers), counted: 0, "customers": 0}
    with _progress() as progress:
        bar = progress.add_task("customers", total=len(customers))
        for first in range(0, len(customers), _AT_ONCE):
            batch = customers[first : first + _AT_ONCE]
            found = _sent(target, call, {**of, "customers": batch})
            told |= {counted: told[counted] + found[counted], "customers": found["customers"]}
            progress.advance(bar, len(batch))
    return told


def _sent(target: AdminTarget, call: tuple[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    once = {"Idempotency-Key": new_key()}
    return _patiently(lambda: call_admin(target, *call, headers=once, json=body))


def _customers(file: Path) -> Iterator[str]:
    """Raises StackError with the first line that is no id."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise StackError(f"{file} is no UTF-8.") from None
    for number, line in enumerate(lines, 1):
        try:
            if customer := line.strip():
                yield _ID.validate_python(customer)
        except ValidationError as error:
            raise StackError(f"{file}, line {number} is no customer's id: {error.errors()[0]['msg']}.") from None


def _patiently(step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A step that can be taken again: through a gateway that restarts or is busy.  Raises StackError."""
    for tries in range(1, _TRIES_MAX + 1):
        try:
            return step()
        except Refused:
            raise
        except StackError:
            if tries == _TRIES_MAX:
                raise
            time.sleep(2.0 ** (tries - 2))
    raise AssertionError("the last try has returned or raised")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
