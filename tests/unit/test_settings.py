"""Settings that nothing can be reached by are refused when they are read, in words that show no secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import Settings

_PASSWORD = "tr0ub4dor"
_GOOD: dict[str, Any] = {
    "database_url": "postgresql:///mashang?host=/run/postgresql",
    "redis_url": "unix:///run/valkey.sock",
    "master_key": "q6MZ0b1mZl8P1u5rVJc3nNwq0cY7l8fXo2T4aG9eRkM=",
    "admin_token": "9f2c4e17a8b35d60c1f7e8924b6a0d53",
}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("redis_url", f"http://:{_PASSWORD}@valkey.bank.cn", "redis://"),
        ("redis_url", f"REDIS://:{_PASSWORD}@valkey.bank.cn", "redis://"),
        ("redis_url", f"redis+sentinel://:{_PASSWORD}@a.bank.cn,b.bank.cn,c.bank.cn", "name of their master"),
        ("redis_url", f"redis+cluster://:{_PASSWORD}@", "at least one host"),
        ("public_url", "https://pay.bank.cn:99999", "Port"),
        ("public_url", "https://pay.bank.cn:0", "port"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_in_a_sentence(name: str, value: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**_GOOD | {name: value})
    [error] = refused.value.errors(include_input=False)
    assert told in error["msg"]
    assert _PASSWORD not in error["msg"]


@pytest.mark.parametrize("url", ["rediss://h/0", "rediss+sentinel://a,b,c/main", "redis+cluster://[::1]:7000,b"])
def test_every_form_of_a_valkey_address_is_taken(url: str) -> None:
    assert Settings(**_GOOD | {"redis_url": url}).redis_url.get_secret_value() == url


@pytest.mark.parametrize("name", ["archive_dir", "metrics_dir", "crypto_mb_library"])
def test_an_empty_path_is_no_path_and_not_the_working_directory(name: str) -> None:
    assert getattr(Settings(**_GOOD | {name: ""}), name) is None
