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

from gateway.database.concurrent import NotMade, read_index
from gateway.database.migrate import Migration
from gateway.database.statements import Statement, split

FIRST: Final = 20
"""The migrations before this one were released before the rules."""
_TABLE: Final = re.compile(r"^create (?:unlogged |temp |temporary )?table (?:if not exists )?([\w.]+)")
_PARTITION: Final = re.compile(r"^create table .*?\bpartition of ([\w.]+)")
_INDEX: Final = re.compile(
    r"^create (?:unique )?index (?P<concurrently>concurrently )?(?P<exists>if not exists )?(?:\w+ )?on (?P<only>only )?"
    r"(?P<table>[\w.]+)"
)
_DROP_ON: Final = re.compile(r"^drop (?:(?:trigger|policy) (?:if exists )?\w+ on|table (?:if exists )?) ?([\w.]+)")
_ALTER: Final = re.compile(r"^alter table (?:if exists )?(?:only )?([\w.]+) (.*)$")
_TRIGGER: Final = re.compile(r"^create (?:or replace )?(?:constraint )?trigger .*? on ([\w.]+) ")
_CHANGE: Final = re.compile(r"^(?:with .*?\b)?(?:update|delete from|merge into) (?:only )?([\w.]+)")
_READS: Final = re.compile(r"^(?:select|with|insert .*\bselect|create .*?\btable .*\bas (?:select|with))\b")
_REFERENCES: Final = re.compile(r"\breferences ([\w.]+)")
_TAKES_AWAY: Final = re.compile(
    r"^(?:drop (?!index concurrently)|revoke )|^alter (?!table )\w+ .*\b(?:rename|set schema|owner to|drop attribute)\b"
)
_ACTION_TAKES_AWAY: Final = re.compile(
    r"^(?:drop (?:column )?(?!constraint|not null)|drop constraint (?:if exists )?\w+_(?:pkey|key)\b|rename "
    r"|alter .* drop (?:default|identity|expression)|set schema|owner to|disable trigger"
    r"|(?:enable|force) row level security)"
)
_CONSTANT: Final = re.compile(
    r"default (?P<open>\()?(?:''|array\[\]|-?[\d.]+|true|false|null|now\(\)|current_timestamp)"
    r"(?:::[a-z][\w ]*(?:\(\d+(?:, ?\d+)?\))?(?:\[\])?)?(?(open)\))"
    r"(?=$| (?:not )?null\b| collate\b| (?:constraint|check|references|unique|primary key)\b)"
)
_DYNAMIC: Final = re.compile(
    r"\b(?:alter|create|drop|truncate|insert|update|delete|merge|lock|reindex|refresh|execute|perform|call|commit)\b",
    re.IGNORECASE,
)
_REPEATABLE: Final = re.compile(
    r"^(?:create (?:unique )?index (?:concurrently )?if not exists|drop index concurrently if exists"
    r"|update|delete|create or replace|create (?:table|sequence) if not exists|reindex|analyze|comment on|grant"
    r"|drop [a-z ]+ if exists|alter type [\w.]+ add value if not exists)\b"
)
_ACTION_REPEATABLE: Final = re.compile(
    r"^(?:add column if not exists|drop constraint if exists|drop column if exists|validate constraint"
    r"|alter (?:column )?\w+ (?:set not null|set default|drop not null|set statistics)|set \()"
)
_SOME: Final = "until none is left"
_FORBIDDEN: Final = {
    r"^(?:vacuum full|cluster)\b": "it rewrites the table while nobody can use it",
    r"^reindex (?!.*concurrently)": "REINDEX keeps everybody who writes waiting: use REINDEX … CONCURRENTLY",
    r"^lock\b": "a migration holds nothing that payments need",
    r"^truncate\b": "it takes the table for itself, and rows that old code needs",
    r"^(?:begin|commit|rollback|start transaction|end|abort|savepoint|release|prepare transaction)\b": (
        "the runner opens and ends transactions"
    ),
    r"^(?:set (?!local)|reset\b|discard\b)": "use SET LOCAL: the session goes on to the next migration",
    r"^set local (?:lock|statement)_timeout\b|^select .*\bset_config\b": "how long it may wait is the runner's",
    r"^call\b": "what a procedure changes cannot be checked: write it out",
    r"^refresh materialized view (?!concurrently)": "nobody can read it meanwhile: REFRESH … CONCURRENTLY",
    r"^create (?:or replace )?rule\b": "it makes something else of what the code of before says",
    r"^alter domain .*\b(?:add|set not null)\b": "it reads every table of that type under its lock",
    r"^alter index .*\bset tablespace\b": "it rewrites the index while nobody can use it",
}
_USED: Final = "code of before may use it: say since when none does, `-- contract: NUMBER`"
_BUILDS_INDEX: Final = "it builds an index while nobody can use the table: make it concurrently, then ADD … USING INDEX"
_READS_TABLE: Final = (
    "it reads the whole table under its lock: add it NOT VALID, and VALIDATE it in a migration outside of a transaction"
)
_ACTIONS: Final = {
    r"^alter (?:column )?\w+ (?:set data )?type\b": "a change of type rewrites the table: add a column, and fill it",
    r"^add (?:constraint \w+ )?primary key(?! using index)": _BUILDS_INDEX,
    r"^add (?:constraint \w+ )?unique(?! using index)": _BUILDS_INDEX,
    r"^add (?:constraint \w+ )?exclude\b": _BUILDS_INDEX,
    r"^add (?:constraint \w+ )?(?:check|foreign key|not null)\b(?!.* not valid$)": _READS_TABLE,
    r"^alter (?:column )?\w+ set expression\b": "it rewrites the table while nobody can use it",
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
    """What earlier statements have said, over all migrations: tables, checks that are there to let NOT NULL be set."""

    tables: set[str] = field(default_factory=set)
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
    locked: set[str] = set()
    for statement in split(migration.sql):
        if (made := _TABLE.match(statement.bare)) is not None and _name(made[1]) not in seen.tables:
            new.add(_name(made[1]))
        for reason in _of_statement(statement, migration, new, seen):
            yield statement, reason
        if not migration.is_outside_transaction:
            for reason in _of_locks(statement, new, locked):
                yield statement, reason
    seen.tables |= new


def _of_locks(statement: Statement, new: set[str], locked: set[str]) -> Iterator[str]:
    """What is wrong with a statement behind others of its transaction; `locked` has what these hold, and gets more."""
    if locked and _READS.match(statement.bare):
        yield f"{' and '.join(sorted(locked))} is locked while it reads: make it a migration of its own"
    wanted = _locked(statement.bare) - new
    if wanted - locked and len(wanted | locked) > 1:
        yield (
            f"{' and '.join(sorted(wanted | locked))} are locked in one transaction: the first one is held while the "
            "second one is waited for; make it two migrations"
        )
    locked |= wanted


def _locked(bare: str) -> set[str]:
    """The tables that this needs for itself."""
    match = _ALTER.match(bare) or _TRIGGER.match(bare) or _DROP_ON.match(bare)
    names = {match[1]} if match is not None else set()
    if bare.startswith(("create table", "alter table")):
        names |= set(_REFERENCES.findall(bare))
    return {_name(name) for name in names}


def _name(table: str) -> str:
    return table.removeprefix("public.")


def _of_statement(statement: Statement, migration: Migration, new: set[str], seen: _Seen) -> Iterator[str]:
    outside, bare = migration.is_outside_transaction, statement.bare
    alter = _ALTER.match(bare)
    actions = [] if alter is None else list(_actions(alter[2]))
    for pattern, reason in _FORBIDDEN.items():
        if re.match(pattern, bare):
            yield reason
    if bare.startswith("do ") and _DYNAMIC.search(statement.bodies or statement.text):
        yield "what a DO block changes cannot be checked: write it out"
    if "concurrently" in bare and not outside:
        yield "CONCURRENTLY needs a line `-- outside transaction`"
    if outside and not (all(map(_ACTION_REPEATABLE.match, actions)) if actions else _REPEATABLE.match(bare)):
        yield "outside of a transaction each statement must be one that can be repeated (IF NOT EXISTS and the like)"
    if (whole := _PARTITION.match(bare)) is not None and _name(whole[1]) not in new:
        yield "it takes the whole table for itself: months are made by partitions.py"
    yield from _of_index(statement, new)
    yield from _of_change(statement, outside, new)
    if _TAKES_AWAY.match(bare) and not _has_contract(statement):
        yield _USED
    if alter is not None and _name(alter[1]) not in new:
        for action in actions:
            yield from _of_action(_name(alter[1]), action, statement, seen)


def _actions(text: str) -> Iterator[str]:
    """The actions of an ALTER TABLE, which commas divide where no bracket is open."""
    depth, begin = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            yield text[begin:place].strip()
            begin = place + 1
    yield text[begin:].strip()


def _of_change(statement: Statement, outside: bool, new: set[str]) -> Iterator[str]:
    change = _CHANGE.match(statement.bare)
    if change is None or _name(change[1]) in new:
        return
    if not outside:
        yield f"rows are changed outside of a transaction, some at a time (`-- {_SOME}`)"
    elif not (statement.has_note(_SOME) and re.search(r"\blimit \d", statement.bare)):
        yield f"rows are changed some at a time: `-- {_SOME}`, and LIMIT"


def _of_index(statement: Statement, new: set[str]) -> Iterator[str]:
    index = _INDEX.match(statement.bare)
    if index is None or _name(index["table"]) in new:
        return
    if index["concurrently"] is None:
        yield "it keeps everybody who writes waiting: CREATE INDEX CONCURRENTLY IF NOT EXISTS, outside of a transaction"
    elif index["exists"] is None:
        yield "say IF NOT EXISTS: a migration that was broken off is run again"
    elif not _can_be_made(statement):
        yield "the runner makes it, month by month: write its name and its table's without quotes or schema"


def _of_action(table: str, action: str, statement: Statement, seen: _Seen) -> Iterator[str]:
    """One of the actions of an ALTER TABLE on a table that is there already."""
    for pattern, reason in _ACTIONS.items():
        if re.match(pattern, action):
            yield reason
    if _ACTION_TAKES_AWAY.match(action) and not _has_contract(statement):
        yield _USED
    if (added := re.match(r"add (?:constraint (?P<name>\w+) )", action)) is not None and action.endswith("not valid"):
        seen.added_not_valid.add(added["name"])
        if (column := re.search(r"check \(\(?(\w+) is not null\)?\) not valid$", action)) is not None:
            seen.not_null[f"{table}.{added['name']}"] = (table, column[1])
    elif re.match(r"add (?:column )?(?!constraint|primary|unique|check|foreign|exclude|not null)", action):
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


def _can_be_made(statement: Statement) -> bool:
    try:
        return read_index(statement) is not None
    except NotMade:
        return False


def _of_column(action: str) -> Iterator[str]:
    default = re.search(r"\bdefault\b", action)
    if default is not None and _CONSTANT.search(action) is None:
        yield "a default that is no constant can rewrite the table: add the column, then set the default, then fill it"
    if re.search(r"\bnot null\b", action) and (default is None or re.search(r"\bdefault null\b", action)):
        yield "code of before inserts without it, and rows have none: give it a default, or let it be null"
    if re.search(r"\b(?:big|small)?serial[248]?\b|generated .*(?:identity|stored)", action):
        yield "it rewrites the table while nobody can use it"
    if re.search(r"\b(?:check|references|unique|primary key)\b", action):
        yield "its constraint is checked under the table's lock: add it by itself, NOT VALID, and validate it later"


def _has_contract(statement: Statement) -> bool:
    return re.search(r"^-- contract: \d{4}$", statement.text, re.MULTILINE) is not None
