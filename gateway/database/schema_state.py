"""How a database's schema stands to this code: what has to run yet, whether code and schema go together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.concurrent import INVALID
from gateway.database.migrate import Migration, migrations
from gateway.database.starting import once_there
from gateway.kernel.clock import Deadline

_LOOK_S: Final = 0.5
_RAN: Final = (
    # Whoever ran the first migrations knew no contracts: the column may not be there.
    "SELECT number, name, applied_at, (to_jsonb(m) ->> 'contract')::integer AS contract FROM schema_migrations m"
    " ORDER BY number"
)


class SchemaMismatch(Exception):
    """This code cannot run on that schema; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """A database as this code sees it.

    `ran` maps numbers to the names that are noted there; `contract` is the number up to which code has to know the
    migrations to run there at all, 0 where any code can.
    """

    known: Sequence[Migration]
    ran: dict[int, str]
    contract: int = 0
    invalid_indexes: Sequence[str] = ()

    @property
    def pending(self) -> list[Migration]:
        """What has to run yet."""
        return [migration for migration in self.known if migration.number not in self.ran]

    @property
    def newer(self) -> list[str]:
        """What ran there and is not known here: later code has been at it."""
        return [name for number, name in self.ran.items() if number > len(self.known)]

    def require_fit(self) -> None:
        """Raise SchemaMismatch where this code cannot run on it.

        A newer schema does, for migrations only add; but for what they take away, which says whose code it was for.
        """
        if self.pending:
            raise SchemaMismatch(
                f"The database has schema {max(self.ran, default=0):04d}, this code needs {len(self.known):04d}: "
                "run `mashang migrate` first (docs/upgrading.md)."
            )
        if self.contract > len(self.known):
            raise SchemaMismatch(
                f"The database has given up what code older than schema {self.contract:04d} uses, and this code knows "
                f"only {len(self.known):04d}: run a newer version (docs/upgrading.md)."
            )


async def read_state(connection: asyncpg.Connection) -> SchemaState:
    """Look."""
    known = migrations()
    try:
        rows = await connection.fetch(_RAN)
    except asyncpg.UndefinedTableError:
        return SchemaState(known, {})
    contract = max((row["contract"] or 0 for row in rows), default=0)
    invalid = [f"{row['name']} on {row['of_table']}" for row in await connection.fetch(INVALID)]
    return SchemaState(known, {row["number"]: row["name"] for row in rows}, contract, invalid)


async def state_of(database_url: str) -> SchemaState:
    """The same over a connection of its own."""
    connection = await asyncpg.connect(database_url)
    try:
        return await read_state(connection)
    finally:
        await connection.close()


async def require_fit(database_url: str) -> None:
    """For a process that starts: raises SchemaMismatch, or what the connection raised within ten seconds."""
    (await once_there(lambda: state_of(database_url))).require_fit()


async def await_schema(database_url: str, within_s: float) -> bool:
    """Wait until nothing has to run any more, whoever runs it; False where that does not come within the time."""
    deadline = Deadline.after(within_s)
    while True:
        try:
            if not (await state_of(database_url)).pending:
                return True
        except BROKEN:  # it may be starting as well
            pass
        if deadline.passed:
            return False
        await asyncio.sleep(min(_LOOK_S, max(deadline.left_s, 0)))
