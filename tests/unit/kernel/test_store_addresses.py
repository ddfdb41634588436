"""Addresses of the stores: what cannot be read is refused in words that show nothing of it."""

from __future__ import annotations

import pytest

from gateway.kernel.store_addresses import require_readable


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://mashang:tr0ub4dor/x@db.internal/mashang",
        "postgresql://mashang:12/x@db.internal/mashang",
        "postgresql://mashang:tr0ub4dor?x@db.internal/mashang",
        "postgresql://mashang:tr0ub4dor#x@db.internal/mashang",
        "postgresql://mashang:tr0ub4dor@[db.internal/mashang",
        "rediss://:tr0ub4dor/x@cache.internal:6379/0",
        "redis+sentinel://:tr0ub4dor?x@one:26379,two:26379/mashang",
    ],
)
def test_a_password_that_ends_its_address_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(ValueError, match="%2F") as refused:
        require_readable(address)
    assert "tr0ub4dor" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql:///mashang?host=/run/postgresql&port=5433",
        "postgresql://mashang@/mashang?host=/tmp/a@b",
        "postgresql://mashang:a%2Fb%23c@db.internal:5432/mashang?sslmode=verify-full",
        "postgresql://mashang:a@b@one:5432,two:5432/mashang?target_session_attrs=primary",
        "postgresql://mashang@%2Frun%2Fpostgresql/mashang",
        "postgres://mashang@[::1]:5432/mashang",
        "redis://127.0.0.1:6379/0",
        "rediss://h:6379/0?password=p@ss",
        "unix:///run/@valkey#1.sock?db=0",
        "redis+cluster://mashang:secret@one:7000,two:7001",
        "rediss+sentinel://mashang:secret@10.0.0.1:26379,10.0.0.2:26379/mashang",
    ],
)
def test_every_form_that_the_stores_take_is_let_through(address: str) -> None:
    require_readable(address)
