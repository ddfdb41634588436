"""Fixtures of the SDK tests: the simulators of the run, faultless before each test, and a server to be told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from routing.simulators.provision import provision
from tests.sdk.harness import Counter, Sdk, npm_driver, opened_sdk, python_driver
from tests.sdk.merchants import alipay_official_merchant
from tests.support.channels import CHANNELS, Simulators, start_simulators
from tests.support.receivers import Receiver, answering, start_receiver

ALIPAY_SDKS: Final = ("python-alipay-sdk", "alipay-sdk-python", "alipay-sdk-python-gbk", "npm-alipay-sdk")
BILLS_OF_TODAY: Final = {"statement_today": True}


def _provide(keys: Path, settings: Mapping[str, Mapping[str, Any]]) -> Path:
    """Make the simulators' configuration with other switches than the real channels'."""
    made = provision(keys, dict.fromkeys(CHANNELS, "http://127.0.0.1:1"))
    for channel, switches in settings.items():
        config = json.loads(made.simulators[channel].read_text("utf-8"))
        made.simulators[channel].write_text(json.dumps(config | {"settings": dict(switches)}), "utf-8")
    return keys


@pytest.fixture(scope="session")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """The three simulators as processes of their own; bills are there at once."""
    folder = tmp_path_factory.mktemp("simulators")
    keys = _provide(folder / "keys", {"wechat": BILLS_OF_TODAY, "alipay": BILLS_OF_TODAY})
    with start_simulators(folder, keys) as running:
        yield running


@pytest.fixture(scope="session")
def certificate_simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """The same for a merchant whom WeChat tells by its platform certificate, as older merchants are told."""
    folder = tmp_path_factory.mktemp("simulators")
    with start_simulators(folder, _provide(folder / "keys", {"wechat": {"notify_key": "certificate"}})) as running:
        yield running


@pytest.fixture(autouse=True)
def _faultless(simulators: Simulators) -> None:
    simulators.clear_faults()


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """A server that acknowledges whatever comes, in words that suit every channel."""
    with start_receiver() as running:
        running.behaviour = answering(200, body=b"success")
        yield running


@pytest.fixture(scope="session")
def alipay(simulators: Simulators) -> Counter:
    """A counter at Alipay."""
    return Counter("alipay", simulators)


@pytest.fixture(scope="module", params=ALIPAY_SDKS)
def alipay_sdk(request: pytest.FixtureRequest, alipay: Counter) -> Iterator[Sdk]:
    """Each SDK of Alipay in turn: their drivers know the same calls, with Alipay's own names."""
    with opened_sdk(*_alipay_driver(request.param, alipay.settings)) as opened:
        yield opened


def _alipay_driver(name: str, settings: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    match name:
        case "python-alipay-sdk":
            return python_driver("alipay", "alipay_community_sdk.py"), settings
        case "npm-alipay-sdk":
            return npm_driver(), settings | {"sdk": "alipay"}
        case _:
            charset = "gbk" if name.endswith("gbk") else "utf-8"
            merchant = alipay_official_merchant(settings, "absolute", charset)
            return python_driver("alipay-official", "alipay_official_sdk.py"), merchant
