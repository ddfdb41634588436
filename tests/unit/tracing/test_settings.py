"""The settings of tracing: what is refused, and how it is said."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway import settings as module
from gateway.settings import Settings
from tests.support.rows import settings


def chosen(**changes: object) -> Settings:
    return settings("postgresql:///x", "redis://x", **changes)


def test_nothing_is_traced_by_default_and_one_in_a_hundred_where_it_is() -> None:
    assert chosen().tracing_endpoint is None
    assert chosen().tracing_sample == 0.01
    assert chosen(tracing_endpoint="  ").tracing_endpoint is None


def test_an_endpoint_may_end_in_a_slash() -> None:
    assert chosen(tracing_endpoint="http://collector:4318/").tracing_endpoint == "http://collector:4318"


@pytest.mark.parametrize("address", ["collector:4318", "grpc://collector:4317", "http://me:word@collector:4318"])
def test_an_address_that_is_none_or_has_a_password_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        chosen(tracing_endpoint=address)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_lies_between_nothing_and_all(share: float) -> None:
    with pytest.raises(ValidationError):
        chosen(tracing_sample=share)


def test_an_endpoint_without_the_extra_is_refused_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EXPORTER", "opentelemetry.exporter.of_nobody.proto")
    with pytest.raises(ValidationError, match="needs the extra `tracing`"):
        chosen(tracing_endpoint="http://collector:4318")
