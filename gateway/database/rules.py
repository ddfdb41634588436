"""What may stand in a migration, so that payments go on while it runs and the code of before runs on after it.

Each rule is one that migration linters and guides agree on: squawk (squawkhq.com/docs/rules), strong_migrations
(github.com/ankane/strong_migrations) and pgroll (github.com/xataio/pgroll); the locks are those of PostgreSQL's manual,
"Explicit Locking" and "ALTER TABLE".  Tables that the same file makes are nobody's yet: anything may be done to them.

Whoever takes something away says since when no code uses it: `-- contract: 0021` before the statement means that code
which knows migration 0021 does without.  docs/upgrading.md has the recipes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.database.migrate import Migration
from gateway.database.statements import Statement, split

FIRST: Final = 20
"""The migrations before this one were released before the rules."""
_TABLE: Final = re.compile(r"^create (?:unlogged )?table (?:if not exists )?([\w.]+)")
_INDEX: Final = re.compile(
    r"^create (?:unique )?index (?P<concurrently>concurrently )?(?P<exists>if not exists )?(?:\w+ )?on (?P<only>only )?"
    r"(?P<table>[\w.]+)"
)
_ALTER: Final = re.compile(r"^alter table (?:if exists )?(?:only )?([\w.]+) (.*)$")
_TRIGGER: Final = re.compile(r"^create (?:or replace )?(?:constraint )?trigger .*? on ([\w.]+) ")
_CHANGE: Final = re.compile(r"^(?:update|delete from|truncate|truncate table) (?:only )?([\w.]+)")
_COMMA: Final = re.compile(r",(?![^(]*\))")
_TAKES_AWAY: Final = re.compile(
    r"^drop (?:table|view|materialized view|function|procedure|type|sequence|trigger|schema|index)\b"
    r"|^alter (?:table|view|function|type|sequence|index) .*\brename\b"
)
_ACTION_TAKES_AWAY: Final = re.compile(r"^(?:drop (?:column )?(?!constraint|not null)|rename |alter .* drop default)")
_CONSTANT: Final = re.compile(
    r"default (?:''(?:::\w+(?:\[\])?)?|-?[\d.]+|true|false|null|now\(\)|current_timestamp)(?:$| |,)"
)
_DYNAMIC: Final = re.compile(r"\b(?:alter|create|drop|truncate|update|delete|lock|reindex)\b", re.IGNORECASE)
_REPEATABLE: Final = re.compile(
    r"^(?:create (?:unique )?index (?:concurrently )?if not exists|drop index concurrently if exists"
    r"|alter table (?:only )?[\w.]+ validate constraint|update|delete|create or replace|create table if not exists"
    r"|alter table (?:only )?[\w.]+ (?:add column if not exists|drop constraint if exists|drop column if exists"
    r"|alter (?:column )?\w+ (?:set not null|set default|drop not null|set statistics)|set \())"
)
_FORBIDDEN: Final = {
    r"^(?:vacuum full|cluster)\b": "it rewrites the table while nobody can use it",
    r"^reindex (?!.*concurrently)": "REINDEX keeps everybody who writes waiting: use REINDEX … CONCURRENTLY",
    r"^lock\b": "a migration holds nothing that payments need",
    r"^truncate\b": "it takes the table for itself, and rows that old code needs",
    r"^(?:begin|commit|rollback|start transaction)\b": "the runner opens and ends transactions",
    r"^set (?!local)": "use SET LOCAL: the session goes on to the next migration",
}
_BUILDS_INDEX: Final = "it builds an index while nobody can use the table: make it concurrently, then ADD … USING INDEX"
_READS_TABLE: Final = (
    "it reads the whole table under its lock: add it NOT VALID, and VALIDATE it in a migration outside of a transaction"
)
_ACTIONS: Final = {
    r"^alter (?:column )?\w+ (?:set data )?type\b": "a change of type rewrites the table: add a column, and fill it",
    r"^add (?:constraint \w+ )?primary key(?! using index)": _BUILDS_INDEX,
    r"^add (?:constraint \w+ )?unique(?! using index)": _BUILDS_INDEX,
    r"^add (?:constraint \w+ )?exclude\b": _BUILDS_INDEX,
    r"^add (?:constraint \w+ )?(?:check|foreign key)(?!.* not valid$)": _READS_TABLE,
    r"^set (?:logged|unlogged|tablespace|access method)\b": "it rewrites the table while nobody can use it",
    r"^attach partition\b": "it reads the partition under its lock: months are made by partitions.py",
    r"^detach partition\b": "months are cut off by gateway/retention",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A statement that must not stand where it does."""

    migration: str
    statement: str
    reason: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.reason}\n    {self.statement[:160]}"


@dataclass(slots=True)
class _Seen:
    """What earlier statements have said, over all migrations: checks that are there to let NOT NULL be set."""

    not_null: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Table and column by `table.constraint`."""
    validated: set[tuple[str, str]] = field(default_factory=set)
    added_not_valid: set[str] = field(default_factory=set)
    """Constraints of this very transaction."""


def breaches(migrations: Sequence[Migration], first: int = FIRST) -> list[Breach]:
    """All that is wrong with these migrations, from that number on."""
    seen, found = _Seen(), []
    for migration in migrations:
        seen.added_not_valid.clear()
        reasons = list(_of_migration(migration, seen))
        if migration.number >= first:
            found += [Breach(migration.name, statement.bare, reason) for statement, reason in reasons]
    return found


def _of_migration(migration: Migration, seen: _Seen) -> Iterator[tuple[Statement, str]]:
    new: set[str] = set()
    altered: set[str] = set()
    for statement in split(migration.sql):
        if (made := _TABLE.match(statement.bare)) is not None:
            new.add(made[1])
        for reason in _of_statement(statement, migration, new, seen):
            yield statement, reason
        if (table := _locked(statement, new)) is not None:
            altered.add(table)
            if len(altered) > 1 and not migration.is_outside_transaction:
                yield (
                    statement,
                    (
                        f"{' and '.join(sorted(altered))} are locked in one transaction: the first one is held "
                        "while the second one is waited for; make it two migrations"
                    ),
                )


def _locked(statement: Statement, new: set[str]) -> str | None:
    """The table that is there already which this needs for itself."""
    match = _ALTER.match(statement.bare) or _TRIGGER.match(statement.bare)
    return match[1] if match is not None and match[1] not in new else None


def _of_statement(statement: Statement, migration: Migration, new: set[str], seen: _Seen) -> Iterator[str]:
    outside, bare = migration.is_outside_transaction, statement.bare
    for pattern, reason in _FORBIDDEN.items():
        if re.match(pattern, bare):
            yield reason
    if bare.startswith("do ") and _DYNAMIC.search(statement.bodies):
        yield "what a DO block changes cannot be checked: write it out"
    if "concurrently" in bare and not outside:
        yield "CONCURRENTLY needs a line `-- outside transaction`"
    if outside and not _REPEATABLE.match(bare):
        yield "outside of a transaction each statement must be one that can be repeated (IF NOT EXISTS and the like)"
    yield from _of_index(bare, new)
    if (change := _CHANGE.match(bare)) is not None and change[1] not in new and not outside:
        yield "rows are changed outside of a transaction, some at a time (`-- until none is left`)"
    if _TAKES_AWAY.match(bare) and not bare.startswith("drop index concurrently") and not _has_contract(statement):
        yield "code of before may use it: say since when none does, `-- contract: NUMBER`"
    if (alter := _ALTER.match(bare)) is not None and alter[1] not in new:
        for action in map(str.strip, _COMMA.split(alter[2])):
            yield from _of_action(alter[1], action, statement, seen)


def _of_index(bare: str, new: set[str]) -> Iterator[str]:
    index = _INDEX.match(bare)
    if index is None or index["table"] in new:
        return
    if index["concurrently"] is None:
        yield "it keeps everybody who writes waiting: CREATE INDEX CONCURRENTLY IF NOT EXISTS, outside of a transaction"
    elif index["exists"] is None:
        yield "say IF NOT EXISTS: a migration that was broken off is run again"


def _of_action(table: str, action: str, statement: Statement, seen: _Seen) -> Iterator[str]:
    """One of the actions of an ALTER TABLE on a table that is there already."""
    for pattern, reason in _ACTIONS.items():
        if re.match(pattern, action):
            yield reason
    if _ACTION_TAKES_AWAY.match(action) and not _has_contract(statement):
        yield "code of before may use it: say since when none does, `-- contract: NUMBER`"
    if (added := re.match(r"add (?:constraint (?P<name>\w+) )", action)) is not None and action.endswith("not valid"):
        seen.added_not_valid.add(added["name"])
        if (column := re.search(r"check \(\(?(\w+) is not null\)?\) not valid$", action)) is not None:
            seen.not_null[f"{table}.{added['name']}"] = (table, column[1])
    elif re.match(r"add (?:column )?(?!constraint|primary|unique|check|foreign|exclude)", action):
        yield from _of_column(action)
    if (validated := re.match(r"validate constraint (\w+)", action)) is not None:
        if validated[1] in seen.added_not_valid:
            yield "it is validated in another migration than it was added: else the table is locked while it is read"
        if (there := seen.not_null.get(f"{table}.{validated[1]}")) is not None:
            seen.validated.add(there)
    column = re.match(r"alter (?:column )?(\w+) set not null", action)
    if column is not None and (table, column[1]) not in seen.validated:
        yield (
            f"it reads the whole table under its lock: add CHECK ({column[1]} IS NOT NULL) NOT VALID, validate it in a "
            "later migration, then set it"
        )


def _of_column(action: str) -> Iterator[str]:
    default = re.search(r"\bdefault\b", action)
    if default is not None and _CONSTANT.search(action) is None:
        yield "a default that is no constant can rewrite the table: add the column, then set the default, then fill it"
    if "not null" in action and default is None:
        yield "code of before inserts without it, and rows have none: give it a default, or let it be null"
    if re.search(r"\b(?:big|small)?serial\b|generated .*(?:identity|stored)", action):
        yield "it rewrites the table while nobody can use it"
    if re.search(r"\b(?:check|references|unique|primary key)\b", action):
        yield "its constraint is checked under the table's lock: add it by itself, NOT VALID, and validate it later"


def _has_contract(statement: Statement) -> bool:
    return re.search(r"^-- contract: \d{4}$", statement.text, re.MULTILINE) is not None
