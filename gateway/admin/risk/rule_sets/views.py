"""How rule sets look in the admin API, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from gateway.kernel.clock import rfc3339
from gateway.kernel.documents import Problem
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from risk.rules.document import RuleSetError
from risk.rules.lifecycle import NamesMissing, NeverPublished, NoSuchVersion, RuleSetChanged, TestsFailed
from risk.rules.store import Database, StoredRuleSet, find

SUBJECT: Final = "risk_rules"
"""In the audit trail."""
_TOLD_MAX: Final = 20
"""So many problems stand in the message of a refusal; a check tells all."""


async def rule_set_of(database: Database, version: int) -> StoredRuleSet:
    """The version.  Raises the 404."""
    stored = await find(database, version)
    if stored is None:
        raise no_version()
    return stored


def summary_json(stored: StoredRuleSet) -> dict[str, Any]:
    """RuleSetSummary."""
    return {
        "object": "risk_rule_set",
        "version": stored.version,
        "status": stored.status,
        **stored.head,
        "rule_count": stored.rule_count,
        "test_count": stored.test_count,
        "failed_tests": stored.failures,
        "created_at": rfc3339(stored.created_at),
        "published_at": None if stored.published_at is None else rfc3339(stored.published_at),
    }


def told_json(stored: StoredRuleSet) -> dict[str, Any]:
    """For the audit trail: the rules themselves stay in the version, which never changes."""
    return {"version": stored.version, "note": stored.note, "rules": stored.rule_count}


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what risk.rules refuses into the error answer.  Raises InvalidRequest and Conflict."""
    try:
        yield
    except NoSuchVersion:
        raise no_version() from None
    except RuleSetChanged as error:
        message = f"Version {error.version} is in force: look at what differs first."
        raise Conflict("rule_set_changed", message, param="base_version") from None
    except NeverPublished:
        raise Conflict("never_published", "This version was never in force: publish it.", param="version") from None
    except NamesMissing as error:
        what = f"The version names {_joined(error.missing)}, and there is no such thing any more."
        hint = "Make it again under that name, or save a version without it."
        raise Conflict("rule_set_outdated", f"{what} {hint}", param="version") from None
    except TestsFailed as error:
        raise Conflict("tests_failed", _told(map(_problem, error.failures)), param="version") from None


def refused(error: RuleSetError) -> InvalidRequest:
    """The answer to a document with problems."""
    return InvalidRequest("rule_set_refused", _told(error.problems), param=error.problems[0].path)


def no_version() -> InvalidRequest:
    """The 404."""
    return not_found("version", "version")


def _problem(failure: Mapping[str, Any]) -> Problem:
    return Problem(**failure)


def _joined(named: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))


def _told(problems: Iterable[Problem]) -> str:
    texts = [*map(str, problems)]
    more = len(texts) - _TOLD_MAX
    return f"{'; '.join(texts[:_TOLD_MAX])}{f'; and {more} more' if more > 0 else ''}"
