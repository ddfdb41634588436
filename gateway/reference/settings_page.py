"""docs/settings.md: every setting with its default and what it is for, as gateway/settings.py says."""

from __future__ import annotations

import ast
import inspect
import textwrap
from enum import Enum
from typing import Final

from pydantic.fields import FieldInfo

from gateway.settings import Settings

_HEAD: Final = """\
<!-- Made by `make docs` from gateway/settings.py: change that instead. -->

# Settings

Environment variables of `mashang serve`, `worker`, `migrate` and `doctor`; give gateways and workers the same.
`mashang settings` prints those in force, secrets masked; `mashang settings --check` says what
[production refuses](operating.md#settings-that-production-takes). Only those without a default have to be set; most
others never need to be. Commands also read `MASHANG_ACTOR`, a person's name for the
[audit trail](audit.md#the-audit-trail).

| variable | default | what |
|---|---|---|
"""


def settings_page() -> str:
    """The page's Markdown."""
    told = descriptions()
    return _HEAD + "".join(_row(name, field, told[name]) for name, field in Settings.model_fields.items())


def descriptions() -> dict[str, str]:
    """What stands below each field in the source; a field without is left out."""
    [settings] = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body
    assert isinstance(settings, ast.ClassDef)
    found = {}
    for field, text in zip(settings.body, settings.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(text):
            assert isinstance(text, ast.Expr)
            found[field.target.id] = inspect.cleandoc(ast.literal_eval(text.value)).replace("\n", " ")
    return found


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable of a field."""
    alias = field.validation_alias
    return alias if isinstance(alias, str) else f"MASHANG_{name.upper()}"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _row(name: str, field: FieldInfo, told: str) -> str:
    return f"| `{variable(name, field)}` | {_default(field)} | {told.replace('|', '&#124;')} |\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    if value is None or value == "":
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"
