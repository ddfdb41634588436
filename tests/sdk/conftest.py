"""Fixtures of the SDK tests: the simulators of the run, faultless at the start of each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.channels import Simulators, start_simulators


@pytest.fixture(scope="session")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """The three simulators as processes of their own."""
    folder = tmp_path_factory.mktemp("simulators")
    with start_simulators(folder, folder / "keys") as running:
        yield running


@pytest.fixture(autouse=True)
def _faultless(simulators: Simulators) -> None:
    simulators.clear_faults()
