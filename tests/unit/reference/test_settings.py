"""Settings in the docs and manifests: each has a sentence, is used by something, and no other is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from gateway.reference.settings_page import descriptions, variable
from gateway.settings import Settings
from tests.support.markdown import ROOT, documents, name_of

NAMES: Final = {variable(name, field) for name, field in Settings.model_fields.items()}
ROOMS: Final = ("gateway", "routing", "promotions", "risk")
_OTHERS: Final = {"MASHANG_ACTOR"}
_NAMED: Final = re.compile(r"MASHANG_[A-Z0-9_]*[A-Z0-9]")
_MANIFESTS: Final = ("compose.yaml", "k8s/base/settings.env", "k8s/overlays")


def _files() -> list[Path]:
    manifests = [ROOT / name for name in _MANIFESTS]
    inner = [found for each in manifests if each.is_dir() for found in sorted(each.rglob("*.yaml"))]
    living = [path for path in documents() if path.name != "CHANGELOG.md"]
    return [*living, *(each for each in manifests if each.is_file()), *inner]


def test_every_setting_has_its_sentence() -> None:
    assert set(Settings.model_fields) - set(descriptions()) == set()


@pytest.mark.parametrize("path", _files(), ids=name_of)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    assert set(_NAMED.findall(path.read_text("utf-8"))) - NAMES - _OTHERS == set()


def test_every_setting_is_read_by_something() -> None:
    sources = [path.read_text("utf-8") for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    words = set(re.findall(r"\.([a-z_]+)", "\n".join(sources)))
    assert {name for name in Settings.model_fields if name not in words} == set()
