"""Patterns are RE2's, and none of them is dear: CEL compiles a pattern anew for every text."""

from __future__ import annotations

import pytest

from gateway.kernel.expressions.patterns import pattern_problem, pattern_test


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"^62\d{4}$", "622202", True),
        (r"^62\d{4}$", "622202\n", False),  # Python's $ would match before the last newline
        (r"\d", "٣", False),  # Python's \d takes any script's digits
        (r"\w", "é", False),
        ("(?i)wechat", "WeChat", True),
        ("[一-龥]", "咖啡", True),
        ("^.$", "\U0001f600", True),
        ("^a$", "a\0b", False),  # the binding would end the text at the NUL
        ("\0", "a\0b", True),
        ("", "", True),
        ("a|b", "xb", True),
    ],
)
def test_a_pattern_is_found_as_re2_finds_it(pattern: str, text: str, matches: bool) -> None:
    assert pattern_problem(pattern) is None
    assert pattern_test(pattern)(text) is matches


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(a", "missing )"),
        ("a**", "bad repetition operator"),
        (r"(a)\1", "invalid escape"),
        ("(?=a)", "invalid"),
        (r"\pL{1,300}", "not supported here"),
        (r"\QA.B\E", "not supported here"),
        ("a(?i){3,9}", "not supported here"),
        ("a{1,300}", "repeats too much"),
        ("(a{1,100}){1,9}", "repeats too much"),
        ("((((a{1,10}){1,10}){1,9}))", "repeats too much"),
        (".{1,1000}", "repeats too much"),
        ("[[:alpha:]]{40,}{40,}", ""),
        ("([^a]{9}|b{99}){9}", "repeats too much"),
        ("a" * 257, "longer than 256"),
    ],
)
def test_what_is_no_pattern_or_too_dear_is_refused(pattern: str, problem: str) -> None:
    found = pattern_problem(pattern)
    assert found is not None
    assert problem in found
