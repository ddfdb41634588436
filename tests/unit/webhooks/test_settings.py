"""The settings of webhooks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest
from pydantic import ValidationError

from gateway.webhooks.addresses import AddressRefused
from gateway.webhooks.running import address_rules
from tests.support.rows import settings

_URL = "postgresql://localhost/x"


def test_allowed_networks_are_read_and_none_is_allowed_by_default() -> None:
    assert settings(_URL).webhook_networks == ()
    read = settings(_URL, webhook_allowed_networks=" 10.1.0.0/16, fd00::/8 ,").webhook_networks
    assert read == (IPv4Network("10.1.0.0/16"), IPv6Network("fd00::/8"))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "everything", "10.0.0.0/33", "localhost"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        settings(_URL, webhook_allowed_networks=text)


def test_only_in_production_are_ports_of_other_services_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASHANG_ENV", raising=False)
    address_rules(settings(_URL)).target("https://till.example:22/")
    monkeypatch.setenv("MASHANG_ENV", "production")
    with pytest.raises(AddressRefused):
        address_rules(settings(_URL)).target("https://till.example:22/")
