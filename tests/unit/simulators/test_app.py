"""A simulator that cannot sign as the settings ask it to ends with a sentence, and serves nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.kernel.rsa.choosing import chosen_way
from routing.simulators.app import choose_way_to_sign


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("multibuffer", "MASHANG_RSA=multibuffer cannot be kept to: the library does not load"),
        ("fast", "MASHANG_RSA is auto or openssl or multibuffer, not 'fast'"),
        ("", "MASHANG_RSA is auto or openssl or multibuffer, not ''"),
    ],
)
def test_what_cannot_be_kept_to_is_told_in_a_sentence(
    asked: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = chosen_way()
    monkeypatch.setenv("MASHANG_RSA", asked)
    monkeypatch.setenv("MASHANG_CRYPTO_MB_LIBRARY", str(tmp_path / "nowhere.so"))
    with pytest.raises(SystemExit) as end:
        choose_way_to_sign()
    assert str(end.value).startswith(told)
    assert chosen_way() is before
