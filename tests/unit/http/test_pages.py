"""Pages come in the reader's language, and are inert wherever they are opened."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.pages import Language, language_of, page, wants_page


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, Language.CHINESE),
        ("", Language.CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.CHINESE),
        ("en-GB,en;q=0.9,zh;q=0.8", Language.ENGLISH),
        ("fr,en;q=0.2", Language.ENGLISH),
        ("fr", Language.CHINESE),
        ("en;q=0.1, zh;q=0.2", Language.CHINESE),
        ("zh;q=0, en;q=0.001", Language.ENGLISH),
        ("en;q=nan,zh;q=0.5", Language.CHINESE),
        ("en;q=9,zh;q=0.5", Language.CHINESE),
        ("EN", Language.ENGLISH),
        ("*", Language.CHINESE),
    ],
)
def test_the_language_is_the_one_that_the_reader_prefers(header: str | None, language: Language) -> None:
    assert language_of(header) is language


@given(st.text(max_size=400))
def test_any_header_names_some_language(header: str) -> None:
    assert language_of(header) in Language


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html, application/json", False),
        ("text/html;q=0.5", True),
    ],
)
def test_a_browser_gets_a_page_and_a_till_json(accept: str | None, *, is_page: bool) -> None:
    assert wants_page(accept) is is_page


def test_a_page_allows_its_own_style_and_nothing_else() -> None:
    made = page(Language.ENGLISH, "<&>", "p{color:red}", "<p>x</p>")
    digest = base64.b64encode(hashlib.sha256(b"p{color:red}").digest()).decode()
    policy = made.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert f"style-src 'sha256-{digest}'" in policy
    text = bytes(made.body).decode()
    assert "<title>&lt;&amp;&gt;</title>" in text
    assert '<html lang="en">' in text
    assert not re.search(r"<script|<link|<img|style=|src=", text)
    assert made.headers["x-robots-tag"] == "noindex, nofollow"
    assert made.headers["content-type"] == "text/html; charset=utf-8"
