"""Only from a revision whose migrations are the first ones of this code can a database be upgraded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gateway.database.rules import FIRST
from loadtests.upgrade import revisions
from loadtests.upgrade.revisions import MIGRATIONS, NoSuchUpgrade, last_with_an_older_schema, require_older, unpack


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three commits: one migration, the same written anew, and a second one beside it."""
    root = tmp_path / "repository"
    folder = root / MIGRATIONS
    folder.mkdir(parents=True)
    monkeypatch.setattr(revisions, "ROOT", root)
    _git(root, "init", "--quiet")
    for name, text in (("0001_a.sql", "SELECT 1"), ("0001_a.sql", "SELECT 2"), ("0002_b.sql", "SELECT 3")):
        (folder / name).write_text(text)
        _git(root, "add", ".")
        _git(root, "-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "--message", text)
    return root


def test_the_last_revision_with_fewer_migrations_is_taken(repository: Path) -> None:
    revision = last_with_an_older_schema()
    assert require_older(revision) == 1
    assert revisions.migrations_of(revision) == revisions.migrations_of("HEAD^")


def test_a_revision_whose_migration_was_written_anew_is_no_release(repository: Path) -> None:
    with pytest.raises(NoSuchUpgrade, match=r"0001_a\.sql read otherwise there"):
        require_older("HEAD~2")


def test_a_revision_with_a_migration_that_is_not_here_is_refused(repository: Path) -> None:
    (repository / MIGRATIONS / "0002_b.sql").unlink()
    with pytest.raises(NoSuchUpgrade, match=r"0002_b\.sql"):
        require_older("HEAD")


def test_a_migration_that_made_the_same_schema_in_other_words_is_no_hindrance(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "SAME_SCHEMA", frozenset(revisions.migrations_of("HEAD~2").items()))
    assert require_older("HEAD~2") == 1


def test_from_what_was_released_one_can_upgrade() -> None:
    if _git(revisions.ROOT, "rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("the history is not here: a shallow clone, or no clone")
    [behind] = (path.name for path in (revisions.ROOT / MIGRATIONS).glob(f"{FIRST:04d}_*.sql"))
    added = _git(revisions.ROOT, "log", "--diff-filter=A", "--format=%h", "--", MIGRATIONS + behind)
    assert require_older(f"{added}^") == FIRST - 1, "a released migration was changed"


def test_an_unknown_revision_is_told(repository: Path) -> None:
    with pytest.raises(NoSuchUpgrade, match="no-such"):
        require_older("no-such")


def test_a_revision_is_unpacked_as_it_was(repository: Path, tmp_path: Path) -> None:
    folder = unpack("HEAD~2", tmp_path / "old")
    assert (folder / MIGRATIONS / "0001_a.sql").read_text() == "SELECT 1"


def _git(root: Path, *arguments: str) -> str:
    """What it says; nothing where it fails."""
    done = subprocess.run(("git", "-C", str(root), *arguments), check=False, capture_output=True, text=True)
    return done.stdout.strip()
