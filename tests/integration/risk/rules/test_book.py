"""A process takes over what is published, in the background, and keeps what it has where that cannot be."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from types import ModuleType
from typing import Any

import pytest

from gateway.kernel.expressions import checked_nodes, patterns
from gateway.kernel.expressions import checking as expressions_checking
from gateway.kernel.secrets import Vault
from loadtests.traffic.risk_rules import document_of
from risk.rules import apart, artefact, book, checking, document, fetching
from risk.rules.book import RuleBook
from risk.rules.compiled import CompiledSet
from risk.rules.document import RuleSetError
from tests.support.analyst import Analyst
from tests.support.waiting import until

RULES = 40


def rules(number: int = RULES) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document_of(number)["rules"]
    return found


async def pieces(analyst: Analyst, version: int) -> int:
    count: int = await analyst.pool.fetchval("SELECT count(*) FROM risk_artefacts WHERE version = $1", version)
    return count


async def test_a_process_that_starts_has_the_set_in_force(analyst: Analyst) -> None:
    version = await analyst.published(*rules())
    started = analyst.book()
    await started.load()
    assert (started.current.version, len(started.current.codes)) == (version, RULES)


async def test_what_is_published_is_taken_over_without_anyone_waiting(analyst: Analyst) -> None:
    running = analyst.book()
    await running.load()
    before = running.current
    version = await analyst.published(*rules(12))
    await running.reload()
    assert running.current is before
    await until(lambda: running.current.version == version)
    assert len(running.current.codes) == 12
    await running.aclose()


async def test_of_two_quick_publishes_the_last_one_is_in_force_at_the_end(analyst: Analyst) -> None:
    running = analyst.book()
    await running.load()
    versions = [await analyst.save(*rules(number)) for number in (5, 6)]
    for version in versions:
        await analyst.publish(version)
        await running.reload()
    await until(lambda: running.current.version == versions[-1])
    await asyncio.wait_for(running._following, 10)  # type: ignore[arg-type]
    assert running.current.version == versions[-1]


async def test_a_publish_during_a_reload_is_taken_over_too(analyst: Analyst, monkeypatch: pytest.MonkeyPatch) -> None:
    running = analyst.book()
    await running.load()
    first, second = await analyst.save(*rules(7)), await analyst.save(*rules(8))
    reached, go_on = asyncio.Event(), asyncio.Event()
    fetch = fetching.fetched

    async def slow(pool: Any, vault: Vault, version: int) -> Any:
        found = await fetch(pool, vault, version)
        if version == first:
            reached.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(book, "fetched", slow)
    await analyst.publish(first)
    await running.reload()
    await reached.wait()
    await analyst.publish(second)
    await running.reload()
    go_on.set()
    await until(lambda: running.current.version == second)


async def test_no_rules_at_all_are_taken_over_like_any_others(analyst: Analyst) -> None:
    running = analyst.book()
    await analyst.published(*rules(3))
    await running.load()
    assert running.current
    await analyst.end_all_rules()
    await running.reload()
    await until(lambda: running.current.version == 0)
    assert not running.current


async def test_a_large_set_that_was_followed_by_another_is_let_go_after_a_while(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "PART_RULES", RULES)
    monkeypatch.setattr(book, "GRACE_S", 0.05)
    let_go = book.let_go
    gone: list[int] = []

    def noted(held: list[CompiledSet]) -> None:
        versions = [each.version for each in held]
        let_go(held)
        assert not held
        gone.extend(versions)

    monkeypatch.setattr(book, "let_go", noted)
    running = analyst.book()
    large, small = await analyst.published(*rules()), await analyst.save(*rules(4))
    await running.load()
    for version in (small, large):
        await analyst.publish(version)
        await running.reload()
        await until(lambda version=version: running.current.version == version)  # type: ignore[misc]
    await until(lambda: gone == [large])
    assert len(running.current.codes) == RULES


async def test_a_set_of_other_code_is_compiled_anew_and_kept_for_the_next_process(
    analyst: Analyst, caplog: pytest.LogCaptureFixture
) -> None:
    version = await analyst.published(*rules())
    await analyst.pool.execute("UPDATE risk_artefacts SET format = 'older' WHERE version = $1", version)
    with caplog.at_level(logging.INFO, "mashang.risk"):
        first = analyst.book()
        await first.load()
        assert "compiled anew" in caplog.text
        caplog.clear()
        second = analyst.book()
        await second.load()
        assert "compiled anew" not in caplog.text
    assert first.current.codes == second.current.codes
    assert first.current.names == second.current.names
    assert first.current.effects == second.current.effects
    assert len(first.current.codes) == RULES


async def test_a_large_set_of_other_code_is_compiled_in_a_process_of_its_own(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "IN_A_THREAD_BYTES_MAX", 0)
    version = await analyst.published(*rules())
    await analyst.pool.execute("DELETE FROM risk_artefacts WHERE version = $1", version)
    started = analyst.book()
    await started.load()
    assert (started.current.version, len(started.current.codes)) == (version, RULES)
    assert await pieces(analyst, version) > 0


async def test_processes_that_start_together_compile_a_version_once(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await analyst.published(*rules())
    await analyst.pool.execute("DELETE FROM risk_artefacts WHERE version = $1", version)
    compiled = 0
    anew = fetching._compiled_anew

    async def counted(*given: Any) -> Any:
        nonlocal compiled
        compiled += 1
        return await anew(*given)

    monkeypatch.setattr(fetching, "_compiled_anew", counted)
    monkeypatch.setattr(fetching, "_WAIT_S", 0.01)
    books = [analyst.book() for _ in range(3)]
    await asyncio.gather(*(each.load() for each in books))
    assert {each.current.version for each in books} == {version}
    assert compiled == 1


async def test_bytes_that_somebody_else_wrote_are_never_unpickled_but_made_anew(
    analyst: Analyst, caplog: pytest.LogCaptureFixture
) -> None:
    version = await analyst.published(*rules())
    await analyst.pool.execute("UPDATE risk_artefacts SET data = data || '\\x2e' WHERE version = $1", version)
    started = analyst.book()
    with caplog.at_level(logging.WARNING, "mashang.risk"):
        await started.load()
    assert "is not ours" in str([record.__dict__.get("reason") for record in caplog.records])
    assert len(started.current.codes) == RULES
    again = analyst.book()
    caplog.clear()
    await again.load()
    assert not caplog.records


async def test_a_set_of_another_installation_is_not_read(analyst: Analyst) -> None:
    version = await analyst.published(*rules())
    data = await analyst.pool.fetchval("SELECT data FROM risk_artefacts WHERE version = $1", version)
    other = Vault(hashlib.sha256(b"somebody else").digest())
    with pytest.raises(artefact.ArtefactBroken, match="not ours"):
        artefact.opened(other, version, 0, data)
    with pytest.raises(artefact.ArtefactBroken, match="not ours"):
        artefact.opened(analyst.vault, version + 1, 0, data)
    with pytest.raises(artefact.ArtefactBroken, match="not ours"):
        artefact.opened(analyst.vault, version, 1, data)
    assert artefact.opened(analyst.vault, version, 0, data)


@pytest.fixture
async def unusable(analyst: Analyst) -> int:
    """A version in force that this code does not take."""
    version = await analyst.save(*rules(2))
    await analyst.pool.execute("DELETE FROM risk_artefacts WHERE version = $1", version)
    await analyst.pool.execute("ALTER TABLE risk_rule_pieces DISABLE TRIGGER USER")
    await analyst.pool.execute("UPDATE risk_rule_pieces SET rules = '[{}]' WHERE version = $1", version)
    await analyst.pool.execute("ALTER TABLE risk_rule_pieces ENABLE TRIGGER USER")
    return version


async def test_a_set_that_cannot_be_used_leaves_the_old_one_in_force_until_another_is_published(
    analyst: Analyst, unusable: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = await analyst.published(*rules(4))
    running = analyst.book()
    await running.load()
    failures = book.RISK_LOAD_FAILURES._value.get()
    await analyst.publish(unusable)
    with caplog.at_level(logging.ERROR, "mashang.risk"):
        await running.reload()
        await until(lambda: "cannot be used" in caplog.text)
    assert running.current.version == before
    assert book.RISK_LOAD_FAILURES._value.get() == failures + 1
    better = await analyst.published(*rules(5))
    await running.reload()
    await until(lambda: running.current.version == better)


async def test_a_process_does_not_start_with_rules_that_it_cannot_use(analyst: Analyst, unusable: int) -> None:
    await analyst.publish(unusable)
    with pytest.raises(RuleSetError, match="required"):
        await analyst.book().load()
    await analyst.end_all_rules()


async def test_trouble_of_the_database_is_waited_out(analyst: Analyst, monkeypatch: pytest.MonkeyPatch) -> None:
    running: RuleBook = analyst.book()
    await analyst.end_all_rules()
    await running.load()
    monkeypatch.setattr(book, "RETRY_S", 0.01)
    fetch, calls = fetching.fetched, 0

    async def broken_once(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionResetError
        return await fetch(*given)

    monkeypatch.setattr(book, "fetched", broken_once)
    version = await analyst.published(*rules(9))
    await running.reload()
    await until(lambda: running.current.version == version)
    assert calls == 2


BEYOND = {
    "code": "R_LARGE",
    "when": "payment.amount + 1 > 2 && payment.region.matches('^(ab){9}$') && velocity('count', 'device', '1h') > 1",
    "action": "decline",
    "description": "long",
    "merchants": ["mer_a", "mer_b"],
    "tests": [{"given": {}, "hits": False}],
}
BOUNDS = [
    (checking, "TERMS_MAX"),
    (checking, "STEPS_MAX"),
    (checking, "PATTERNS_MAX"),
    (checking, "VELOCITIES_MAX"),
    (document, "DESCRIPTION_LENGTH_MAX"),
    (document, "MERCHANTS_MAX"),
    (document, "RULES_MAX"),
    (document, "TESTS_MAX"),
    (expressions_checking, "TEXT_LENGTH_MAX"),
    (checked_nodes, "OPERATIONS_MAX"),
    (patterns, "PATTERN_LENGTH_MAX"),
    (patterns, "PATTERN_SIZE_MAX"),
]


@pytest.mark.parametrize(("module", "bound"), BOUNDS)
async def test_a_bound_that_was_tightened_later_keeps_no_process_from_starting(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch, module: ModuleType, bound: str
) -> None:
    version = await analyst.published(BEYOND)
    await analyst.pool.execute("DELETE FROM risk_artefacts WHERE version = $1", version)
    monkeypatch.setattr(module, bound, 0)
    with pytest.raises(RuleSetError):
        await analyst.save(BEYOND)
    started = analyst.book()
    await started.load()
    assert (started.current.version, started.current.codes) == (version, ("R_LARGE",))
    monkeypatch.undo()
    await analyst.end_all_rules()


async def test_what_earlier_code_has_compiled_is_swept_after_a_day_but_not_of_the_set_in_force(
    analyst: Analyst,
) -> None:
    live, past, young, present = [await analyst.published(*rules(2)) for _ in range(4)]
    await analyst.publish(live)
    aged = "UPDATE risk_artefacts SET format = $2, compiled_at = now() - $3::text::interval WHERE version = $1"
    for version, code, age in (
        (live, "older", "2 days"),
        (past, "older", "25 hours"),
        (young, "older", "23 hours"),
        (present, artefact.FORMAT, "2 days"),
    ):
        await analyst.pool.execute(aged, version, code, age)
    await fetching.sweep_artefacts(analyst.pool)
    assert [await pieces(analyst, version) > 0 for version in (live, past, young, present)] == [True, False, True, True]
    await analyst.end_all_rules()
