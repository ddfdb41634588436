"""Every log call of the service, read from its source: for the test that keeps the catalogue of events."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
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
                yield _of(node, tree, place=place, logger=str(logger), level=_LEVELS[attribute])
            case ast.Name(id="log_event"):
                yield _of_hot(node, tree, place=place, logger=str(logger))


def _of(call: ast.Call, tree: ast.Module, *, place: str, logger: str, level: str) -> LogCall:
    """A call of the logging package."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    fields = frozenset(_names(given["extra"], call, tree)) if "extra" in given else frozenset()
    if "exc_info" in given or ast.unparse(call.func).endswith(".exception"):
        fields |= {"exception"}
    return LogCall(place, logger, level, _text(call), len(call.args), fields)


def _of_hot(call: ast.Call, tree: ast.Module, *, place: str, logger: str) -> LogCall:
    """A call of `log_event(logger, event, fields)`."""
    _, event, fields = call.args
    text = event.value if isinstance(event, ast.Constant) and isinstance(event.value, str) else None
    return LogCall(place, logger, "INFO", text, 1, frozenset(_names(fields, call, tree)))


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


def _is_get_logger(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "getLogger"


def _text(node: ast.AST) -> str | None:
    """The first argument, where it is a constant text."""
    match node:
        case ast.Call(args=[ast.Constant(value=str(text)), *_]):
            return text
    return None
