"""Which settings production refuses: each rule both ways, all of them at once, and no secret in what is said."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import pytest

from gateway.production.reasons import UnsafeInProduction, refusals
from gateway.production.rules import settings_reasons
from gateway.settings import Settings

KEY = "q6MZ0b1mZl8P1u5rVJc3nNwq0cY7l8fXo2T4aG9eRkM="
TOKEN = "9f2c4e17a8b35d60c1f7e8924b6a0d53"
SAFE: dict[str, Any] = {
    "database_url": "postgresql://pay:Uk3-vq9Zt1@db.bank.cn/mashang?sslmode=verify-full&sslrootcert=/ca.pem",
    "redis_url": "rediss://pay:Wm8-xr2Ls5@valkey.bank.cn:6380/0",
    "master_key": KEY,
    "admin_token": TOKEN,
    "public_url": "https://pay.bank.cn",
    "log_json": True,
    "trusted_proxies": 1,
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGSSLMODE", "PGPASSWORD", "PGUSER"):
        monkeypatch.delenv(name, raising=False)


def refused(**changes: Any) -> list[str]:
    return [reason.subject for reason in refusals(settings_reasons(Settings(**SAFE | changes)))]


def warned(**changes: Any) -> list[str]:
    return [reason.subject for reason in settings_reasons(Settings(**SAFE | changes)) if not reason.is_refusal]


def key_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_safe_settings_have_no_reason_against_them() -> None:
    assert settings_reasons(Settings(**SAFE)) == []


def test_keys_and_tokens_drawn_at_random_are_taken_whatever_they_are() -> None:
    for _ in range(300):
        key, token = key_of(secrets.token_bytes(32)), secrets.token_hex(32)
        assert refused(master_key=key, admin_token=token) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://pay.bank.cn",
        "https://127.0.0.1",
        "https://10.1.2.3",
        "https://[::1]",
        "https://localhost",
        "https://gateway",
        "https://pay.example",
        "https://pay.example.com",
        "https://pay.bank.local",
        "https://pay.svc.cluster.local",
        "https://user@pay.bank.cn",
        "https://pay.bank.cn/?x=1",
        "https://127.1",
        "https://0x7f.1",
        "https://pay.bank.cn ",
    ],
)
def test_a_public_address_that_is_none_is_refused(url: str) -> None:
    assert refused(public_url=url) == ["MASHANG_PUBLIC_URL"]


@pytest.mark.parametrize("url", ["https://pay.bank.cn/pay", "https://pay.bank.cn:8443", "https://8.8.8.8"])
def test_other_public_addresses_are_taken(url: str) -> None:
    assert refused(public_url=url) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"k" * 32,
        bytes(32),
        bytes(range(32)),
        bytes(range(0, 96, 3)),
        b"0123456789abcdefghijklmnopqrstuv",
        b"\x01\x9f" * 16,
    ],
)
def test_a_master_key_that_nobody_drew_is_refused(raw: bytes) -> None:
    assert refused(master_key=key_of(raw)) == ["MASHANG_MASTER_KEY"]


@pytest.mark.parametrize(
    "token",
    [
        "adm_test_Vq0b4xTz9LwUe7Rk2PjNc5Ys8HdG",
        "demo-Vq0b4xTz9LwUe7Rk2PjNc5Ys8HdG",
        "change-me-change-me-change-me",
        "a" * 32,
        "9f2c4e17a8b35d609f2c4e17a8b35d60",
        "aaaaaaaaaaaabbbbbbbbbbbbcccccccc",
        KEY[:30],
        base64.b64decode(KEY).hex(),
        base64.b64decode(KEY).hex().upper(),
        base64.urlsafe_b64encode(base64.b64decode(KEY)).decode().rstrip("="),
        "Uk3-vq9Zt1-0123456789abcdefgh",
    ],
    ids=[
        "development",
        "demo",
        "placeholder",
        "one letter",
        "twice",
        "regular",
        "of the key",
        "the key as hex",
        "the key as HEX",
        "the key for URLs",
        "of the password",
    ],
)
def test_an_admin_token_that_is_known_regular_or_shared_is_refused(token: str) -> None:
    assert refused(admin_token=token) == ["MASHANG_ADMIN_TOKEN"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://pay:Uk3-vq9Zt1@db.bank.cn/mashang",
        "postgresql://pay:Uk3-vq9Zt1@db.bank.cn/mashang?sslmode=require",
        "postgresql://pay:Uk3-vq9Zt1@db.bank.cn/mashang?sslmode=verify-ca",
        "postgresql://pay:Uk3-vq9Zt1@127.0.0.1,db.bank.cn/mashang",
        "postgresql:///mashang?host=db.bank.cn&user=pay&password=Uk3-vq9Zt1",
    ],
)
def test_a_database_across_the_network_is_verified_or_its_network_vouched_for(url: str) -> None:
    assert refused(database_url=url) == ["MASHANG_DATABASE_URL"]
    assert refused(database_url=url, plain_network_allowed=True) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///mashang?host=/run/postgresql",
        "postgresql://pay@%2Frun%2Fpostgresql/mashang",
        "postgresql://pay@127.0.0.1:5432/mashang",
        "postgresql://pay@[::1]:5432/mashang",
        "postgresql://pay@localhost/mashang",
    ],
)
def test_a_database_on_this_machine_needs_no_tls(url: str) -> None:
    assert refused(database_url=url) == []


def test_what_the_address_leaves_out_is_read_where_the_driver_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.bank.cn")
    assert refused(database_url="postgresql:///mashang") == ["MASHANG_DATABASE_URL"]
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert refused(database_url="postgresql:///mashang") == []


@pytest.mark.parametrize("password", ["postgres", "mashang", "PASSWORD", "pay"])
def test_a_guessed_database_password_is_refused(password: str) -> None:
    url = f"postgresql://pay:{password}@db.bank.cn/mashang?sslmode=verify-full"
    assert refused(database_url=url) == ["MASHANG_DATABASE_URL"]


@pytest.mark.parametrize(
    "url",
    [
        "redis://pay:Wm8-xr2Ls5@valkey.bank.cn/0",
        "rediss://pay:Wm8-xr2Ls5@valkey.bank.cn/0?ssl_cert_reqs=none",
        "rediss://pay:Wm8-xr2Ls5@valkey.bank.cn/0?ssl_check_hostname=False",
        "rediss://pay:Wm8-xr2Ls5@valkey.bank.cn/0?ssl_check_hostname=n",
        "redis:///0?host=valkey.bank.cn&password=Wm8-xr2Ls5",
        "redis+cluster://pay:Wm8-xr2Ls5@a.bank.cn,b.bank.cn",
        "redis+sentinel://pay:Wm8-xr2Ls5@a.bank.cn,b.bank.cn/main",
    ],
)
def test_valkey_across_the_network_is_verified_or_its_network_vouched_for(url: str) -> None:
    assert refused(redis_url=url) == ["MASHANG_REDIS_URL"]
    assert refused(redis_url=url, plain_network_allowed=True) == []


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1/0",
        "rediss://valkey.bank.cn/0",
        "rediss+cluster://a.bank.cn",
        "rediss://valkey.bank.cn/0?ssl_certfile=/our.pem&ssl_keyfile=/our.key&ssl_cert_reqs=none",
        "redis://valkey.bank.cn/0?ssl_certfile=/our.pem",
    ],
)
def test_valkey_over_tcp_has_a_password_on_any_network(url: str) -> None:
    assert refused(redis_url=url, plain_network_allowed=True) == ["MASHANG_REDIS_URL"]


@pytest.mark.parametrize(
    "url",
    [
        "unix:///run/valkey.sock?db=0",
        "redis://:Wm8-xr2Ls5@127.0.0.1/0",
        "rediss+cluster://pay:Wm8-xr2Ls5@a.bank.cn",
        "rediss://valkey.bank.cn/0?ssl_certfile=/our.pem&ssl_keyfile=/our.key",
    ],
)
def test_other_valkeys_are_taken(url: str) -> None:
    assert refused(redis_url=url) == []


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"log_json": False}, "MASHANG_LOG_JSON"),
        ({"log_level": "debug"}, "MASHANG_LOG_LEVEL"),
        ({"not_created_after_s": 119.0}, "MASHANG_NOT_CREATED_AFTER_S"),
        ({"webhook_lease_s": 15.0, "webhook_timeout_s": 15.0}, "MASHANG_WEBHOOK_LEASE_S"),
        ({"webhook_allowed_networks": "127.0.0.0/8"}, "MASHANG_WEBHOOK_ALLOWED_NETWORKS"),
        ({"webhook_allowed_networks": "169.254.0.0/16"}, "MASHANG_WEBHOOK_ALLOWED_NETWORKS"),
        *(
            ({"webhook_allowed_networks": network}, "MASHANG_WEBHOOK_ALLOWED_NETWORKS")
            for network in ("0.0.0.0/0", "0.0.0.0/1", "126.0.0.0/7", "160.0.0.0/4", "0.0.0.0/32", "::/0", "fe80::/10")
        ),
        *(
            ({"webhook_allowed_networks": network}, "MASHANG_WEBHOOK_ALLOWED_NETWORKS")
            for network in ("100.64.0.0/10", "100.100.100.200/32", "::ffff:127.0.0.1/128", "fd00:ec2::254/128")
        ),
    ],
)
def test_other_unsafe_settings_are_refused(changes: dict[str, Any], variable: str) -> None:
    assert refused(**changes) == [variable]


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"trusted_proxies": 0}, "MASHANG_TRUSTED_PROXIES"),
        ({"webhook_allowed_networks": "10.8.0.0/16"}, "MASHANG_WEBHOOK_ALLOWED_NETWORKS"),
        ({"retention_months": 18}, "MASHANG_RETENTION_MONTHS"),
    ],
)
def test_what_may_be_meant_is_only_told(changes: dict[str, Any], variable: str) -> None:
    assert refused(**changes) == []
    assert warned(**changes) == [variable]


def test_every_reason_is_told_at_once_and_none_quotes_a_secret() -> None:
    wrong = Settings(
        database_url="postgresql://pay:postgres@db.bank.cn/x",
        redis_url="redis://valkey.bank.cn",
        master_key=key_of(b"a-very-plain-text-master-key-32b"),
        admin_token="adm_test_Vq0b4xTz9LwUe7Rk2PjNc5Ys8HdG",
        public_url="http://127.0.0.1:8000",
    )
    reasons = refusals(settings_reasons(wrong))
    told = str(UnsafeInProduction(reasons))
    assert [reason.subject for reason in reasons] == [
        "MASHANG_PUBLIC_URL",
        "MASHANG_MASTER_KEY",
        "MASHANG_ADMIN_TOKEN",
        "MASHANG_DATABASE_URL",
        "MASHANG_DATABASE_URL",
        "MASHANG_REDIS_URL",
        "MASHANG_REDIS_URL",
        "MASHANG_LOG_JSON",
    ]
    assert "for 8 reasons" in told
    assert all(f"  {number}. {reason.subject}: " in told for number, reason in enumerate(reasons, start=1))
    assert all(reason.remedy in told for reason in reasons)
    for secret in ("postgres@", "a-very-plain", "adm_test", wrong.master_key.get_secret_value()):
        assert secret not in told
