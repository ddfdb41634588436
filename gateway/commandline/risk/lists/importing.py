"""`mashang risk lists import`: checks a CSV file, sends it in numbered batches, and waits until it counts.

The import is known by the file's digest: the same command again goes on behind the last batch that has arrived.
"""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from gateway.commandline.admin import AdminTarget, Refused, call_admin
from gateway.commandline.owner import Owner
from gateway.commandline.risk.lists.calls import LISTS, owner_of
from gateway.commandline.till.shown import print_json, say
from gateway.payments.schemas import Moment
from gateway.processes.errors import StackError
from risk.lists.entry import NUMBERS, OF_MERCHANTS, OF_REALMS, ValueRefused, value_of
from risk.lists.importing import BATCH_MAX, GROUPS_MAX

_MOMENT: Final = TypeAdapter[datetime](Moment)
_COLUMNS: Final = frozenset({"field", "value", "merchant_id", "realm", "expires_at", "reason"})
_BATCH_BYTES_MAX: Final = 400_000
"""Of a request, estimated; far below what the gateway takes."""
_GROUP_BYTES: Final = 200
_TRIES_MAX: Final = 6
_SHOWN_EVERY: Final = 10_000


class Defaults(NamedTuple):
    """What holds for rows that say nothing else."""

    field: str | None
    owner: Owner
    until: str | None


class _Row(NamedTuple):
    """`group` is what it has in common with others, as the API takes it."""

    value: str
    group: tuple[tuple[str, str], ...]


class _File:
    """A CSV file of entries, read from its beginning as often as it takes."""

    def __init__(self, path: Path, target: AdminTarget, defaults: Defaults) -> None:
        self._path = path
        self._target = target
        self._defaults = defaults
        self._owners: dict[str, dict[str, str]] = {}
        self._moments: set[str] = set()

    def check(self, progress: Progress) -> tuple[int, str]:
        """How many rows there are, and the digest of all.  Raises StackError with the first line that is wrong."""
        bar = progress.add_task("checked", total=None)
        digest, rows = hashlib.sha256(), 0
        for line, row in self._rows():
            try:
                common = dict(row.group)
                scope = common.get("realm", common.get("merchant_id"))
                value_of(common["field"], row.value, scope)
            except ValueRefused as error:
                raise StackError(f"{self._path}, line {line}: {common['field']} {error}.") from None
            if not self._is_moment(common.get("expires_at")):
                wrong = common["expires_at"]
                raise StackError(f"{self._path}, line {line}: {wrong} is no time such as 2027-01-01T00:00:00Z.")
            digest.update(repr(row).encode(errors="replace"))
            rows += 1
            if rows % _SHOWN_EVERY == 0:
                progress.update(bar, completed=rows)
        if not rows:
            raise StackError(f"{self._path} has no entries.")
        progress.update(bar, completed=rows, total=rows)
        return rows, digest.hexdigest()

    def _is_moment(self, text: str | None) -> bool:
        """Whether the gateway would take it: nothing may turn out wrong when half of a file is sent."""
        if text is not None and text not in self._moments:
            try:
                _MOMENT.validate_python(text)
            except ValidationError:
                return False
            self._moments.add(text)
        return True

    def batches(self) -> Iterator[list[_Row]]:
        """The same ones each time the file is read."""
        batch: list[_Row] = []
        size, groups = 0, set[tuple[tuple[str, str], ...]]()
        for _, row in self._rows():
            more = len(row.value.encode(errors="replace")) + 8
            if row.group not in groups:
                more += _GROUP_BYTES + sum(len(text.encode(errors="replace")) for _, text in row.group)
            is_full = len(batch) == BATCH_MAX or size + more > _BATCH_BYTES_MAX or len(groups) == GROUPS_MAX
            if batch and is_full:
                yield batch
                batch, size, groups = [], 0, set()
            batch.append(row)
            groups.add(row.group)
            size += more
        if batch:
            yield batch

    def _rows(self) -> Iterator[tuple[int, _Row]]:
        """With the number of each line.  Raises StackError."""
        with self._path.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened)
            named = set(reader.fieldnames or ())
            if not {"value"} <= named <= _COLUMNS:
                raise StackError(f"{self._path} begins with a line of column names: value, {', '.join(_OPTIONAL)}.")
            try:
                for read in reader:
                    yield reader.line_num, self._row(read, reader.line_num)
            except UnicodeDecodeError:
                raise StackError(f"{self._path} is no UTF-8 behind line {reader.line_num}.") from None

    def _row(self, read: Mapping[str, str | None], line: int) -> _Row:
        given = {name: text for name in _OPTIONAL if (text := (read.get(name) or "").strip())}
        field = given.get("field") or self._defaults.field
        if field not in NUMBERS:
            raise StackError(f"{self._path}, line {line}: what is listed? Name the `field`, or --field.")
        if self._defaults.until is not None:
            given.setdefault("expires_at", self._defaults.until)
        if field in OF_REALMS | OF_MERCHANTS and not {"merchant_id", "realm"} & given.keys():
            given.update(self._owner(field))
        return _Row((read["value"] or "").strip(), tuple(sorted({**given, "field": field}.items())))

    def _owner(self, field: str) -> dict[str, str]:
        if field not in self._owners:
            self._owners[field] = owner_of(self._defaults.owner, self._target, field)
        return self._owners[field]


_OPTIONAL: Final = tuple(sorted(_COLUMNS - {"value"}))


class _Rate(ProgressColumn):
    """Entries a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


def import_file(
    target: AdminTarget, name: str, path: Path, defaults: Defaults, *, reason: str, replaces: bool, as_json: bool
) -> None:
    """Import a file, or go on with it.  Raises StackError."""
    file = _File(path, target, defaults)
    with _progress() as progress:
        rows, digest = file.check(progress)
        mode = "replace" if replaces else "merge"
        body = {"mode": mode, "reason": reason, "source": f"sha256:{digest}"}
        begun = call_admin(target, "POST", f"{LISTS}/{name}/imports", json=body)
        address = f"{LISTS}/{name}/imports/{begun['id']}"
        if begun["batches"]:
            say(f"Going on with {begun['id']} behind batch {begun['batches']}.")
        if begun["status"] == "open":
            batches = file.batches()
            bar = progress.add_task("sent", total=rows)
            for _, batch in zip(range(begun["batches"]), batches, strict=False):
                progress.advance(bar, len(batch))
            for number, batch in enumerate(batches, begun["batches"] + 1):
                _call(target, f"{address}/batches", {"number": number, "groups": _groups(batch)})
                progress.advance(bar, len(batch))
        done = _finish(target, address, progress)
    if as_json:
        print_json(done)
    else:
        say(f"{done['added']:,} added to {name}, {done['renewed']:,} renewed ({done['id']}).")


def _finish(target: AdminTarget, address: str, progress: Progress) -> dict[str, Any]:
    bar = progress.add_task("parts compiled", total=None)
    parts: int | None = None
    while True:
        found = _call(target, f"{address}/finish", {})
        if found["status"] == "done":
            progress.update(bar, total=parts or 1, completed=parts or 1)
            return found
        parts = parts or found["parts_left"]
        progress.update(bar, total=parts, completed=parts - found["parts_left"])


def _groups(batch: list[_Row]) -> list[dict[str, Any]]:
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for row in batch:
        groups.setdefault(row.group, []).append(row.value)
    return [{**dict(group), "values": values} for group, values in groups.items()]


def _call(target: AdminTarget, address: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A step that can be sent again: through a gateway that restarts or is busy.  Raises StackError."""
    for tries in range(1, _TRIES_MAX + 1):
        try:
            return call_admin(target, "POST", address, json=body)
        except Refused:
            raise
        except StackError:
            if tries == _TRIES_MAX:
                raise
            time.sleep(2.0 ** (tries - 2))
    raise AssertionError("the last try has returned or raised")


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
