"""Which older revision of the code to upgrade from, and its files in a folder of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MIGRATIONS: Final = "gateway/database/migrations/"
SAME_SCHEMA: Final = frozenset({("0010_risk_lists.sql", "2685c1a551e8453e28b780171b7d94a25fc67a40")})
"""Migrations that read otherwise once, with what git knows that content by, and made the same schema.

0010 said STORAGE in CREATE TABLE, which PostgreSQL 15 does not know; now an ALTER TABLE behind it says so.
"""


class NoSuchUpgrade(Exception):
    """There is no way from that revision; the message says why."""


def migrations_of(revision: str) -> dict[str, str]:
    """Names of the migrations that a revision has, each with what git knows its content by.  Raises NoSuchUpgrade."""
    lines = _git("ls-tree", revision, MIGRATIONS).decode().splitlines()
    entries = (line.split("\t") for line in lines)
    return {Path(path).name: about.split()[2] for about, path in entries}


def require_older(revision: str) -> int:
    """How many migrations it has.  Raises NoSuchUpgrade where they are not the first ones of this code."""
    theirs = migrations_of(revision)
    ours = {path.name: _blob(path) for path in sorted((ROOT / MIGRATIONS).glob("*.sql"))}
    changed = sorted(
        name for name, content in theirs.items() if ours.get(name) != content and (name, content) not in SAME_SCHEMA
    )
    if changed:
        raise NoSuchUpgrade(
            f"{revision} is no release: {', '.join(changed)} read otherwise there than here, or are not here. A "
            "database that it made has another schema under the same numbers."
        )
    if not theirs:
        raise NoSuchUpgrade(f"{revision} has no migrations")
    return len(theirs)


def last_with_an_older_schema() -> str:
    """The newest commit with fewer migrations than this code, all of which it shares.  Raises NoSuchUpgrade."""
    ours = len(list((ROOT / MIGRATIONS).glob("*.sql")))
    for revision in _git("rev-list", "--first-parent", "HEAD", "--", MIGRATIONS).decode().split():
        parent = f"{revision}^"
        try:
            if 0 < require_older(parent) < ours:
                return _git("rev-parse", "--short", parent).decode().strip()
        except NoSuchUpgrade:
            continue
    raise NoSuchUpgrade("no older revision shares its migrations with this one: name one with --from")


def name_of(revision: str) -> str:
    """The commit's short number and date."""
    return _git("show", "-s", "--format=%h of %ad", "--date=format:%Y-%m-%d %H:%M", revision).decode().strip()


def unpack(revision: str, folder: Path) -> Path:
    """The revision's files; git itself is not told of them."""
    archive = _git("archive", "--format=tar", revision)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(("tar", "--extract", "--directory", str(folder)), input=archive, check=True)
    return folder


def _blob(path: Path) -> str:
    return _git("hash-object", str(path)).decode().strip()


def _git(*arguments: str) -> bytes:
    done = subprocess.run(("git", "-C", str(ROOT), *arguments), capture_output=True, check=False)
    if done.returncode != 0:
        raise NoSuchUpgrade(f"git {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout
