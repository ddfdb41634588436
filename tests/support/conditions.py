"""Generated conditions and values, with cel-expr-python itself as the oracle of their verdicts."""

from __future__ import annotations

from functools import cache
from typing import Any

from cel_expr_python import cel
from hypothesis import strategies as st

from gateway.kernel.expressions import Field, Fields, FieldType, Function, Parameter, Value

NAMES = {
    FieldType.INT: ("f.i", "f.j"),
    FieldType.DOUBLE: ("f.x", "f.y"),
    FieldType.STRING: ("f.s", "f.t"),
    FieldType.BOOL: ("f.b", "f.c"),
    FieldType.STRING_LIST: ("f.l",),
}
LOOKUP = "look('up')"
FIELDS = Fields(
    *(Field(name, kind, "One.", nullable=True) for kind, names in NAMES.items() for name in names),
    functions=[Function("look", (Parameter.one_of("where", "Where.", ["up"]),), FieldType.INT, "A lookup.")],
)
INTS = (0, 1, -1, 2, 3, 7, -7, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), -(2**63) + 1)
DOUBLES = (0.0, -0.0, 1.0, -1.5, 0.1, 7.0, 1e308, 5e-324, 2.0**53, 2.0**63, -(2.0**63), 9223372036854774784.0)
STRINGS = ("", "a", "a\0b", "b", "ab", "aba", "é", "\U0001f600", "\0", "\uffff", "A")
PATTERNS = ("a", "^a+$", "(?i)A", "^.$", r"\\d", "[ab]{2}", "a$")
WORDS = {
    FieldType.INT: st.sampled_from(INTS),
    FieldType.DOUBLE: st.sampled_from(DOUBLES),
    FieldType.STRING: st.sampled_from(STRINGS),
    FieldType.BOOL: st.booleans(),
}
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.INT: WORDS[FieldType.INT] | st.integers(-(2**63), 2**63 - 1) | st.integers(-4, 4),
    FieldType.DOUBLE: WORDS[FieldType.DOUBLE] | st.sampled_from((float("nan"), float("inf"), -float("inf"))),
    FieldType.STRING: WORDS[FieldType.STRING],
    FieldType.BOOL: WORDS[FieldType.BOOL],
    FieldType.STRING_LIST: st.lists(WORDS[FieldType.STRING], max_size=3).map(tuple),
}
TYPES = {
    FieldType.INT: cel.Type.INT,
    FieldType.DOUBLE: cel.Type.DOUBLE,
    FieldType.STRING: cel.Type.STRING,
    FieldType.BOOL: cel.Type.BOOL,
    FieldType.STRING_LIST: cel.Type.List(cel.Type.STRING),
}
PLAIN = (FieldType.INT, FieldType.DOUBLE, FieldType.STRING, FieldType.BOOL)


def values() -> st.SearchStrategy[dict[str, Value | None]]:
    """Values of all fields and of the lookup, each of them null now and then."""
    named = {name: st.none() | VALUES[kind] for kind, names in NAMES.items() for name in names}
    return st.fixed_dictionaries({**named, LOOKUP: st.none() | VALUES[FieldType.INT]})


def literal(value: Value) -> str:
    """The value as CEL writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, str):
        return "'" + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in value) + "'"
    return repr(value)


def leaves(kind: FieldType) -> st.SearchStrategy[str]:
    """Fields and literals of a type."""
    fields = st.sampled_from(NAMES[kind])
    return fields | fields | WORDS[kind].map(literal) | (st.just(LOOKUP) if kind is FieldType.INT else st.nothing())


def binary(signs: tuple[str, ...], operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Two operands and a sign between, in brackets."""
    return st.builds(lambda a, sign, b: f"({a} {sign} {b})", operands, st.sampled_from(signs), operands)


@cache
def computed(kind: FieldType, depth: int) -> st.SearchStrategy[str]:
    """A value of a type, of at most `depth` operations on one another."""
    if depth == 0:
        return leaves(kind)
    same = computed(kind, depth - 1)
    choice = st.builds(lambda c, a, b: f"({c} ? {a} : {b})", conditions(depth - 1), same, same)
    if kind is FieldType.INT:
        sizes = computed(FieldType.STRING, depth - 1).map(lambda text: f"size({text})") | st.just("f.l.size()")
        cut = computed(FieldType.DOUBLE, depth - 1).map(lambda text: f"int({text})")
        arithmetic = binary(("+", "-", "*", "/", "%"), same) | same.map(lambda text: f"(-({text}))")
        return leaves(kind) | arithmetic | sizes | cut | choice
    if kind is FieldType.DOUBLE:
        widened = computed(FieldType.INT, depth - 1).map(lambda text: f"double({text})")
        arithmetic = binary(("+", "-", "*", "/"), same) | same.map(lambda text: f"(-({text}))")
        return leaves(kind) | arithmetic | widened | choice
    if kind is FieldType.STRING:
        return leaves(kind) | binary(("+",), same) | choice
    return conditions(depth)


@cache
def comparisons(depth: int, arithmetic: int = 1) -> st.SearchStrategy[str]:
    """Comparisons, memberships, tests of texts, boolean fields and literals."""
    below = max(min(depth - 1, arithmetic), 0)

    def compared(kind: FieldType) -> st.SearchStrategy[str]:
        operands = computed(kind, below)
        listed = st.lists(operands, min_size=1, max_size=3).map(", ".join)
        return binary(("==", "!=", "<", "<=", ">", ">="), operands) | st.builds(
            lambda a, among: f"({a} in [{among}])", operands, listed
        )

    texts = computed(FieldType.STRING, below)
    tested = st.builds(
        lambda a, test, b: f"{a}.{test}({b})", texts, st.sampled_from(("startsWith", "endsWith", "contains")), texts
    )
    matched = st.builds(lambda a, pattern: f"{a}.matches('{pattern}')", texts, st.sampled_from(PATTERNS))
    known = st.sampled_from([name for names in NAMES.values() for name in names]).map(lambda name: f"known({name})")
    plain = st.one_of(*(compared(kind) for kind in PLAIN))
    return plain | plain | tested | matched | known | leaves(FieldType.BOOL) | texts.map(lambda a: f"({a} in f.l)")


@cache
def conditions(depth: int, arithmetic: int = 1) -> st.SearchStrategy[str]:
    """Conditions of at most `depth` connectives on one another."""
    if depth == 0:
        return comparisons(0)
    below = conditions(depth - 1, arithmetic)
    joined = binary(("&&", "||", "&&", "||", "==", "!="), below)
    choice = st.builds(lambda c, a, b: f"({c} ? {a} : {b})", below, below, below)
    return comparisons(depth, arithmetic) | joined | joined | below.map(lambda text: f"!({text})") | choice


class Oracle:
    """cel-expr-python's own verdicts. What only Mashang knows (`known`, lookups) stands there as variables."""

    def __init__(self) -> None:
        variables = {name: TYPES[kind] for kind, names in NAMES.items() for name in names}
        asked = {_asked(name): cel.Type.BOOL for names in NAMES.values() for name in names}
        self._programs: dict[str, Any] = {}
        self._environment = cel.NewEnv(variables={**variables, **asked, "looked_up": cel.Type.INT})

    def verdict(self, text: str, values: dict[str, Value | None]) -> bool | None:
        """True, false, or None for an error."""
        data: dict[str, Any] = {_asked(name): values[name] is not None for names in NAMES.values() for name in names}
        for names in NAMES.values():
            for name in names:
                text = text.replace(f"known({name})", _asked(name))
        for name, value in values.items():
            if _is_cut_short(value):
                text = text.replace(name, literal(value))
            elif value is not None:
                data["looked_up" if name == LOOKUP else name] = list(value) if isinstance(value, tuple) else value
        result = self._program(text.replace(LOOKUP, "looked_up")).eval(data=data)
        if result.type() == cel.Type.ERROR:
            return None
        verdict = result.value()
        assert isinstance(verdict, bool)
        return verdict

    def _program(self, text: str) -> Any:
        if text not in self._programs:
            self._programs[text] = self._environment.compile(text)
        return self._programs[text]


def _is_cut_short(value: Value | None) -> bool:
    """Whether cel-expr-python 0.1.3 would hand CEL less than the value: it ends texts at their first NUL."""
    return "\0" in (value if isinstance(value, str) else "".join(value) if isinstance(value, tuple) else "")


def _asked(name: str) -> str:
    return "known_" + name.replace(".", "_")
