"""Reads a history from a CSV file, gzipped or not: columns by name, times as seconds or in RFC 3339."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from gateway.kernel.expressions import FieldType, Value
from risk.backtest.column import Column, plain_column
from risk.backtest.history import FIELD_OF, NEVER_MS, History, known_after
from risk.backtest.timeline import Bools, Ints, Timeline
from risk.fields import FIELDS
from risk.velocity.spec import DIMENSIONS, LABEL_DELAY_S
from risk.velocity.travel import Place

_MS: Final = 1_000
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "payment_id", "transaction_id"),
    "at": ("at", "created_at", "time", "tx_time"),
    "amount": ("amount", "amount_fen", "amount_cents"),
    "discount": ("discount", "discount_fen"),
    "fraud": ("fraud", "is_fraud", "tx_fraud"),
    "known_at": ("known_at", "label_known_at"),
    "timezone": ("timezone",),
    "latitude": ("latitude",),
    "longitude": ("longitude",),
    **{
        dimension: (dimension, f"{dimension}_id", *(("card_bin",) if dimension == "card" else ()))
        for dimension in DIMENSIONS
    },
}
"""Under which headings what is looked for; `--map NAME=HEADING` names another one."""
_TRUE: Final = frozenset({"1", "true", "t", "yes"})
_FALSE: Final = frozenset({"0", "false", "f", "no"})


class TableError(Exception):
    """A file that cannot be read as payments; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class TableForm:
    """How a file is to be read.  `headings` (NAME: HEADING) go before ALIASES; fields can be named too.

    Times that are numbers are seconds from `start`, from whose midnight in UTC days are numbered; a label is known
    `label_delay_s` after its payment, where the file does not say when.
    """

    headings: Mapping[str, str]
    start: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    timezone: str = "UTC"
    label_delay_s: int = LABEL_DELAY_S


def read_tables(files: Sequence[Path], form: TableForm) -> History:
    """The payments of all the files, by time.  Raises TableError or OSError."""
    tables = [_columns(file) for file in files]
    headings = tables[0].keys()
    if any(table.keys() != headings for table in tables):
        raise TableError("The files have different columns.")
    joined = {heading: [text for table in tables for text in table[heading]] for heading in headings}
    return _history(joined, form)


def _columns(file: Path) -> dict[str, Sequence[str]]:
    with _opened(file) as stream, _uncollected():
        reader = csv.reader(stream)
        headings = next(reader, None)
        if not headings:
            raise TableError(f"{file} is empty.")
        rows = list(reader)
    if not rows:
        raise TableError(f"{file} has no payments.")
    try:
        return dict(zip(headings, zip(*rows, strict=True), strict=True))
    except ValueError:
        line = next(number for number, row in enumerate(rows, start=2) if len(row) != len(headings))
        raise TableError(f"{file}, line {line}: there are not as many values as headings.") from None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles, which looks at a million new lists again and again: half of the time."""
    were = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if were:
            gc.enable()


def _opened(file: Path) -> io.TextIOBase:
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(file, "rt", encoding="utf-8", newline="")
    return file.open(encoding="utf-8", newline="")


def _history(table: Mapping[str, Sequence[str]], form: TableForm) -> History:
    found = _Found(table, form)
    unsorted_ms = found.times()
    order = np.argsort(unsorted_ms, kind="stable")
    at_ms = unsorted_ms[order]
    places = order.tolist() if (np.diff(unsorted_ms) < 0).any() else None

    def ordered(values: Sequence[Any]) -> Sequence[Any]:
        return values if places is None or not values else [values[place] for place in places]

    amount_fen = found.whole("amount")[order]
    fraud, known_ms = found.labels(at_ms, ordered, order)
    keys = {name: ordered(values) for name, values in found.dimensions()}
    fields = {name: plain_column(ordered(values)) for name, values in found.fields()}
    zones = found.text("timezone")
    return History(
        ids=ordered(found.text("id") or [str(place) for place in range(len(at_ms))]),
        timeline=Timeline(at_ms),
        timezones=(form.timezone,) if zones is None else ordered(zones),
        fields={
            "payment.amount": Column(amount_fen),
            "customer.known": Column(_there(keys.get("customer"), len(at_ms))),
            "device.known": Column(_there(keys.get("device"), len(at_ms))),
            **fields,
        },
        keys=keys,
        amount_fen=amount_fen,
        discount_fen=found.whole("discount")[order] if found.has("discount") else np.zeros(len(at_ms), dtype=np.int64),
        fraud=fraud,
        known_ms=known_ms,
        day_zero_ms=_day_zero_ms(at_ms, form, relative=found.relative),
        places=ordered(found.places()),
    )


def _there(values: Sequence[str | None] | None, count: int) -> Bools:
    if values is None:
        return np.zeros(count, dtype=np.bool_)
    return np.fromiter((value is not None for value in values), np.bool_, count)


def _day_zero_ms(at_ms: Ints, form: TableForm, *, relative: bool) -> int:
    first_ms = int(form.start.timestamp()) * _MS if relative else int(at_ms[0])
    return first_ms - first_ms % (86_400 * _MS)


class _Found:
    """The columns of a file by what they mean."""

    def __init__(self, table: Mapping[str, Sequence[str]], form: TableForm) -> None:
        self._table = table
        self._form = form
        self._headings = {name: heading for name in ALIASES if (heading := self._heading(name)) is not None}
        for name in ("at", "amount"):
            if name not in self._headings:
                hint = f"name it with --map {name}=HEADING; there are {', '.join(table)}"
                raise TableError(f"No column says “{name}”: {hint}.")
        for name, heading in form.headings.items():
            if heading not in table:
                raise TableError(f"There is no column {heading} for {name}; there are {', '.join(table)}.")
            if name not in ALIASES and name not in FIELDS.fields:
                raise TableError(f"{name} is neither a field nor one of {', '.join(ALIASES)}.")
        self.relative = False

    def _heading(self, name: str) -> str | None:
        given = self._form.headings.get(name)
        return given or next((alias for alias in ALIASES[name] if alias in self._table), None)

    def has(self, name: str) -> bool:
        """Whether the file says it."""
        return name in self._headings

    def text(self, name: str) -> Sequence[str] | None:
        """A column as it stands there."""
        return self._table[self._headings[name]] if name in self._headings else None

    def whole(self, name: str) -> Ints:
        """A column of whole numbers.  Raises TableError."""
        texts = self._table[self._headings[name]]
        try:
            return np.fromiter(map(int, texts), np.int64, len(texts))
        except ValueError:
            row = next(row for row, text in enumerate(texts, 1) if not _is_whole(text))
            wrong = f"row {row} says “{texts[row - 1]}”"
            raise TableError(f"The column {self._headings[name]} takes whole numbers: {wrong}.") from None

    def times(self) -> Ints:
        """ms since the epoch.  Raises TableError."""
        texts = self._table[self._headings["at"]]
        self.relative = bool(_NUMBER.fullmatch(texts[0]))
        start_ms = round(self._form.start.timestamp() * _MS)
        try:
            if self.relative and "." not in texts[0]:
                return start_ms + _MS * self.whole("at")
            return np.fromiter(map(self._time_ms, texts), np.int64, len(texts))
        except ValueError as error:
            raise TableError(f"The column {self._headings['at']} is no time: {error}.") from None

    def _time_ms(self, text: str) -> int:
        if self.relative:
            return round(self._form.start.timestamp() * _MS) + round(float(text) * _MS)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(f"{text} has no time zone")
        return round(moment.timestamp() * _MS)

    def places(self) -> Sequence[Place | None]:
        """Where payments were made; empty where the file does not say.  Raises TableError."""
        latitudes, longitudes = self.text("latitude"), self.text("longitude")
        if latitudes is None or longitudes is None:
            return ()
        try:
            return [_place(*both) if all(both) else None for both in zip(latitudes, longitudes, strict=True)]
        except ValueError as error:
            raise TableError(f"A place is in degrees: {error}.") from None

    def labels(self, at_ms: Ints, ordered: Callable[[Sequence[Any]], Sequence[Any]], order: Ints) -> tuple[Bools, Ints]:
        """Whether it was fraud, and when that is known; shape (n,) by time.  An empty label is none."""
        texts = self.text("fraud")
        if texts is None:
            return np.zeros(len(at_ms), dtype=np.bool_), np.full(len(at_ms), NEVER_MS)
        said = [_flag(text) for text in ordered(texts)]
        fraud = np.fromiter((flag is True for flag in said), np.bool_, len(said))
        known_ms = known_after(at_ms, self._form.label_delay_s * _MS)
        told = self.text("known_at")
        if told is not None:
            given = [self._time_ms(text) if text else NEVER_MS for text in told]
            known_ms = np.array(given, dtype=np.int64)[order]
        unknown = np.fromiter((flag is None for flag in said), np.bool_, len(said))
        return fraud, np.where(unknown, NEVER_MS, known_ms)

    def dimensions(self) -> Iterator[tuple[str, Sequence[str | None]]]:
        """The dimensions that the file names; an empty text names nobody."""
        for dimension in DIMENSIONS:
            texts = self.text(dimension)
            if texts is not None:
                yield dimension, [text or None for text in texts] if "" in texts else texts

    def fields(self) -> Iterator[tuple[str, Sequence[Value | None]]]:
        """The request's fields: of the dimensions, and what --map or a heading calls by a field's own name."""
        for dimension, values in self.dimensions():
            if dimension in FIELD_OF:
                yield FIELD_OF[dimension], values
        for name, field in FIELDS.fields.items():
            heading = self._form.headings.get(name, name)
            if heading in self._table and name != "payment.amount":
                yield name, [_value(text, field.type, name) for text in self._table[heading]]


def _place(latitude: str, longitude: str) -> Place:
    return Place(round(float(latitude) * 100), round(float(longitude) * 100))


def _flag(text: str) -> bool | None:
    """Raises TableError."""
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    if not lowered:
        return None
    raise TableError(f"A label is 0, 1 or empty, not {text[:20]}.")


def _value(text: str, kind: FieldType, name: str) -> Value | None:
    if not text:
        return None
    try:
        match kind:
            case FieldType.INT:
                return int(text)
            case FieldType.DOUBLE:
                return float(text)
            case FieldType.BOOL:
                return _flag(text)
            case FieldType.STRING_LIST:
                return tuple(text.split("|"))
            case FieldType.STRING:
                return text
    except ValueError:
        raise TableError(f"{name} takes {kind}, not {text[:20]}.") from None


def _is_whole(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
