"""Every log call of the service, read from its source: for the test that keeps the catalogue of events."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
_PACKAGES: Final = ("gateway", "routing", "promotions", "risk")
_LEFT_OUT: Final = ("routing/simulators", "routing/simulation", "gateway/devstack", "gateway/doctor", "gateway/audit",
                    "gateway/commandline", "gateway/kernel/logs.py")  # fmt: skip
"""Tools for a terminal, and the one place where a line is made of what others call."""
_LEVELS: Final = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR"}


@dataclass(frozen=True, slots=True)
class LogCall:
    """One call; `event` is None where it is no constant text, `extra` the source of the fields."""

    place: str
    logger: str
    level: str
    event: str | None
    arguments: int
    fields: frozenset[str]


def log_calls() -> list[LogCall]:
    """All of them, by place."""
    return [call for package in _PACKAGES for path in sorted((ROOT / package).rglob("*.py")) for call in _in(path)]


def _in(path: Path) -> Iterator[LogCall]:
    name = str(path.relative_to(ROOT))
    if name.startswith(_LEFT_OUT):
        return
    tree = ast.parse(path.read_text("utf-8"))
    logger = next((_text(one) for one in ast.walk(tree) if _is_get_logger(one)), None)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        place = f"{name}:{node.lineno}"
        match node.func:
            case ast.Attribute(value=ast.Name(id="_log"), attr=attribute) if attribute in _LEVELS:
                yield _call(place, str(logger), _LEVELS[attribute], node, node.args, tree)
            case ast.Name(id="log_event"):
                yield _call(place, str(logger), "INFO", node, node.args[1:2], tree, fields=node.args[2])


def _call(
    place: str,
    logger: str,
    level: str,
    node: ast.Call,
    arguments: list[ast.expr],
    tree: ast.Module,
    fields: ast.expr | None = None,
) -> LogCall:
    event = arguments[0].value if isinstance(arguments[0], ast.Constant) else None
    extra = fields or next((keyword.value for keyword in node.keywords if keyword.arg == "extra"), None)
    names = frozenset() if extra is None else frozenset(_names(extra, node, tree))
    if any(keyword.arg == "exc_info" for keyword in node.keywords) or _is_exception(node):
        names |= {"exception"}
    return LogCall(place, logger, level, event if isinstance(event, str) else None, len(arguments), names)


def _names(extra: ast.expr, call: ast.Call, tree: ast.Module) -> Iterator[str]:
    """The keys of a dictionary, through a name that was given to it before or a function that makes it."""
    match extra:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if key is None:
                    yield from _names(value, call, tree)
                else:
                    assert isinstance(key, ast.Constant), "a field's name is a constant"
                    yield str(key.value)
        case ast.Name(id=name):
            yield from _assigned(name, call, tree)
        case ast.Call(func=ast.Name(id=name)):
            [function] = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.name == name]
            for one in ast.walk(function):
                if isinstance(one, ast.Return) and one.value is not None:
                    yield from _names(one.value, call, tree)
        case _:
            raise AssertionError(f"fields that cannot be read: {ast.unparse(extra)}")


def _assigned(name: str, call: ast.Call, tree: ast.Module) -> Iterator[str]:
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = [one for one in functions if one.lineno <= call.lineno <= (one.end_lineno or 0)]
    for one in ast.walk(max(inside, key=lambda function: function.lineno)):
        match one:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Dict() as value) if target == name:
                yield from _names(value, call, tree)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=target), slice=ast.Constant(value=str(key)))]) if (
                target == name
            ):
                yield key


def _is_exception(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "exception"


def _is_get_logger(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "getLogger"


def _text(node: ast.AST) -> str | None:
    match node:
        case ast.Call(args=[ast.Constant(value=str(text))]):
            return text
    return None
