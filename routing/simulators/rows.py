"""Rows of the books: their values in order, and the columns that a file of an earlier version lacks."""

from __future__ import annotations

import sqlite3
from typing import Any


def values_of(row: Any) -> tuple[Any, ...]:
    """The values of a slotted dataclass in the order of its fields.

    `dataclasses.astuple` copies deeply, which the hot path needs not.
    """
    return tuple([getattr(row, name) for name in row.__slots__])


def add_missing_columns(db: sqlite3.Connection, schema: str) -> None:
    """Give every table that the file has the columns that `schema` has beyond it, each with its default."""
    wanted = sqlite3.connect(":memory:")
    try:
        wanted.executescript(schema)
        tables = [str(name) for (name,) in wanted.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            present = {str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")}
            if not present:
                continue
            for _, name, kind, not_null, default, _ in wanted.execute(f"PRAGMA table_info({table})"):
                if name not in present:
                    rule = " NOT NULL" if not_null else ""
                    rule += f" DEFAULT {default}" if default is not None else ""
                    db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}{rule}")
    finally:
        wanted.close()
