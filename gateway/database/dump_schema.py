"""Writes schema.sql: the whole schema as the migrations make it, in one file to read and to review.

`make schema` runs it on an embedded server of its own.  It is pg_dump's output without its noise: keys stand in
their tables, partitions in one line.  The months are left out, for they depend on the date.  Databases are made by
the migrations, never from this file.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.database.migrate import migrate
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.postgres import Postgres, programs

SCHEMA: Final = Path(__file__).with_name("schema.sql")
HEADER: Final = """\
-- The whole schema, as the migrations make it.  Made by `make schema`, held equal to the migrations by a test; for
-- reading and review: databases are made by the migrations.  The monthly partitions are left out.
"""
_MONTHS: Final = "*_[0-9][0-9][0-9][0-9]_[0-9][0-9]"
_NOISE: Final = re.compile(r"^(--|SET |SELECT pg_catalog\.set_config|\\)")
_TABLE: Final = re.compile(r"CREATE TABLE (\w+) \(\n(.*?)\n\)(.*);", re.DOTALL)
_ATTACH: Final = re.compile(r"ALTER TABLE ONLY (\w+) ATTACH PARTITION (\w+) (.*);")
_KEY: Final = re.compile(r"ALTER TABLE ONLY (\w+)\n\s+ADD (CONSTRAINT \w+ (?:PRIMARY KEY|UNIQUE) \(.*\));")
_KIND: Final = re.compile(r" (?:INDEX|TRIGGER) .*|_\d+ PARTITION.*")
_FOREIGN_KEY: Final = re.compile(r"(ALTER TABLE) ONLY (\w+)\n\s+(ADD CONSTRAINT \w+ FOREIGN KEY .*);")


def dump(database_url: str, pg_dump: Path | None = None) -> str:
    """The schema of a database as readable SQL.  Raises subprocess.CalledProcessError where pg_dump fails."""
    return readable(pg_dumped(database_url, pg_dump))


def pg_dumped(database_url: str, pg_dump: Path | None = None) -> str:
    """What pg_dump itself writes of the schema, the months left out."""
    command = [
        str(pg_dump or programs() / "pg_dump"),
        "--schema-only",
        "--no-owner",
        "--no-privileges",
        f"--exclude-table={_MONTHS}",
        database_url,
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603  our own words
    return done.stdout


def readable(dumped: str) -> str:
    """What pg_dump wrote, as a person would have written it."""
    text = "\n".join(line for line in dumped.splitlines() if not _NOISE.match(line))
    text = text.replace("public.", "").replace('pg_catalog."C"', '"C"')
    blocks = [block.strip() for block in re.split(r"\n{3,}", text) if block.strip()]
    partitions = {match[2]: (match[1], match[3]) for block in blocks if (match := _ATTACH.fullmatch(block))}
    keys: dict[str, list[str]] = {}
    for block in blocks:
        if match := _KEY.fullmatch(block):
            keys.setdefault(match[1], []).append(match[2])
    written = [_written(block, partitions, keys) for block in blocks]
    return HEADER + "".join(_spaced([block for block in written if block is not None]))


def _written(block: str, partitions: dict[str, tuple[str, str]], keys: dict[str, list[str]]) -> str | None:
    """One block of the file; None for what is told elsewhere."""
    if match := _TABLE.fullmatch(block):
        name, columns, options = match.groups()
        if name in partitions:
            parent, bounds = partitions[name]
            return f"CREATE TABLE {name} PARTITION OF {parent} {bounds}{_options(options)};"
        parts = [columns, *(f"    {key}" for key in sorted(keys.get(name, ())))]
        return f"CREATE TABLE {name} (\n" + ",\n".join(parts) + f"\n){_options(options)};"
    if _ATTACH.fullmatch(block) or _KEY.fullmatch(block) or block.startswith("ALTER INDEX "):
        return None
    if match := re.match(r"CREATE (?:UNIQUE )?INDEX \w+ ON (?:ONLY )?(\w+)", block):
        return None if match[1] in partitions else block.replace(" ON ONLY ", " ON ").replace(" USING btree", "")
    if match := _FOREIGN_KEY.fullmatch(block):
        return f"{match[1]} {match[2]} {match[3]};"
    return block


def _spaced(blocks: list[str]) -> Iterator[str]:
    """Blocks with an empty line between them, but for lines of one kind, which stand together."""
    before = ""
    for block in blocks:
        kind = "" if "\n" in block else _KIND.sub("", block)
        yield f"{block}\n" if kind and kind == before else f"\n{block}\n"
        before = kind


def _options(text: str) -> str:
    """The options after a table's closing bracket, in one line."""
    return re.sub(r"\s+", " ", text)


def main() -> None:
    """Migrate an empty database of an embedded server and write what came of it."""
    with tempfile.TemporaryDirectory(prefix="mashang-schema-") as name:
        folder = private_folder(Path(name))
        server = Postgres(folder / "postgres", socket_folder(folder), folder / "postgres.log", durable=False)
        server.start()
        try:
            server.wait_ready()
            asyncio.run(migrate(server.url("postgres")))
            SCHEMA.write_text(dump(server.url("postgres")), encoding="utf-8")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
