"""What the fuzz tests send: arbitrary values, and the ones that break things elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.support.json_schema import resolved

EXAMPLES: Final = os.environ.get("FUZZ_EXAMPLES")
MINUTES: Final = float(os.environ.get("FUZZ_MINUTES", "0")) / 3
"""`make fuzz` searches for FUZZ_MINUTES, with new examples in every run; three parts share them."""
IS_LONG: Final = EXAMPLES is not None or MINUTES > 0


def bounded(examples: int, *, per_minute: int = 0) -> settings:
    """So many examples, the same in every run; FUZZ_EXAMPLES or FUZZ_MINUTES search further, with new ones."""
    return settings(
        max_examples=int(EXAMPLES or examples) + round(per_minute * MINUTES),
        deadline=None,
        derandomize=not IS_LONG,
        database=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much),
    )


INJECTIONS: Final = (
    "' OR '1'='1", "'; DROP TABLE payments; --", "$1", "%s %(id)s %n", "{0} {{x}} ${jndi:ldap://127.0.0.1/a}",
    "redis.call('FLUSHALL')", "{payments}:1", "a\r\nSet-Cookie: x=1", "a\nlevel=error event=forged",
    "</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "payment.amount > 0 || true",
    "../../etc/passwd", "%00", "\x00", "a\x00b", "\x1b[31m", "\ufeffbom", "\u202egnp.exe", "\u200b",
    "\u00e9", "e\u0301", "\uff07", "\ufb01", "\u0130", "\u0662", "🧧👩\u200d👧", "\ud83d", "\udfff\ud800",
    "NaN", "Infinity", "1e309", "true", "null", "[]", "A" * 5_000,
)  # fmt: skip
"""SQL, Lua, logs, headers, pages, CEL, paths; controls, twins of normalisation, RTL, emoji, halves of surrogates."""
TEXTS: Final = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=st.characters(codec=None, categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=10),
    st.sampled_from(["", "1", "2599", "CNY", "barcode", "pay_", "\u0661\u0662\u0663", "1e5", "-0"]),
    st.sampled_from(INJECTIONS),
)
NUMBERS: Final = st.one_of(
    st.integers(min_value=-(10**30), max_value=10**30),
    st.sampled_from([0, -1, 1, 1.5, 2**31, 2**63 - 1, 2**63, 2**64, 10**400]),
    st.floats(allow_nan=True, allow_infinity=True),
)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
QUOTED: Final = st.one_of(
    TEXTS.map(lambda text: quote(text, safe="", errors="surrogatepass")),
    st.binary(max_size=40).map(lambda raw: quote(raw, safe="")),
)
"""A piece of a path or of a query."""
HEADER_VALUES: Final = st.one_of(
    st.binary(max_size=60).filter(lambda raw: not set(raw) & set(b"\r\n\x00\x0b\x0c") and raw == raw.strip()),
    st.sampled_from([text.encode() for text in INJECTIONS if text.isascii() and text.isprintable()]),
)
Place = tuple[str, ...]
"""Where in a document a field stands."""


def fields_of(schema: Mapping[str, Any], document: Mapping[str, Any], base: Any) -> Iterator[Place]:
    """The places of all fields that a schema names, or that stand in a valid request."""
    schema = resolved(schema, document)
    for one in schema.get("anyOf", ()):
        yield from fields_of(one, document, base)
    names = set(schema.get("properties", ())) | (set(base) if isinstance(base, dict) else set())
    for name in sorted(names):
        yield (name,)
        inner = base.get(name) if isinstance(base, dict) else None
        for place in fields_of(schema.get("properties", {}).get(name, {}), document, inner):
            yield (name, *place)


def changed(base: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """The document with another value there."""
    name, *rest = place
    inner = base.get(name)
    return {**base, name: changed(inner if isinstance(inner, dict) else {}, tuple(rest), value) if rest else value}


def at(document: Any, place: Sequence[str]) -> Any:
    """What stands there, None where nothing does."""
    for name in place:
        document = document.get(name) if isinstance(document, dict) else None
    return document
