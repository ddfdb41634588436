"""Which way signs: what is asked for, what there is, and why not the other."""

from __future__ import annotations

import logging
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.commandline.operations.signing import require_rsa
from gateway.kernel.rsa import choosing, crypto_mb
from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.choosing import FAULTS_MAX, RsaWay, choose, chosen_way, count_faults, find_way, require_sound
from gateway.kernel.rsa.crypto_mb import CryptoMbUnavailableError
from gateway.processes.errors import StackError
from gateway.settings import Settings
from tests.unit.kernel.rsa.lanes import PythonLanes, real_lanes, signing_by

NOWHERE = Path("/nowhere/libcrypto_mb.so.13")


def test_openssl_signs_where_it_is_asked_for() -> None:
    way = find_way(RsaChoice.OPENSSL)
    assert (way.lanes, way.choice) == (None, RsaChoice.OPENSSL)


def test_a_library_that_is_not_there_leaves_it_to_openssl_and_says_why() -> None:
    way = find_way(RsaChoice.AUTO, NOWHERE)
    assert way.choice is RsaChoice.OPENSSL
    assert str(NOWHERE) in way.reason


def test_who_insists_on_the_library_is_refused_without_it() -> None:
    with pytest.raises(CryptoMbUnavailableError, match="does not load"):
        find_way(RsaChoice.MULTIBUFFER, NOWHERE)


@pytest.mark.parametrize("choice", RsaChoice)
def test_a_process_that_cannot_sign_as_asked_does_not_start(choice: RsaChoice) -> None:
    settings = cast("Settings", SimpleNamespace(rsa=choice, crypto_mb_library=NOWHERE))
    if choice is RsaChoice.MULTIBUFFER:
        with pytest.raises(StackError, match="MASHANG_RSA=multibuffer cannot be kept to"):
            require_rsa(settings)
    else:
        require_rsa(settings)


def test_another_library_is_told_from_this_one(tmp_path: Path) -> None:
    source, library = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text("unsigned long long mbx_get_cpu_features(void) { return ~0ULL; }")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (cc) to build another library with")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    assert "another one than expected" in find_way(RsaChoice.AUTO, library).reason


def test_a_processor_without_the_instructions_leaves_it_to_openssl(tmp_path: Path) -> None:
    source, library = tmp_path / "old.c", tmp_path / "libold.so"
    source.write_text("unsigned long long mbx_get_cpu_features(void) { return 0x10000000000ULL; }")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (cc) to build a library with")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    assert "no AVX-512 IFMA" in find_way(RsaChoice.AUTO, library).reason


def test_without_the_packages_it_is_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(package: str) -> Any:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(crypto_mb, "files", none)
    choosing.sound_library.cache_clear()
    way = find_way(RsaChoice.AUTO)
    assert (way.choice, "extra `multibuffer`" in way.reason) == (RsaChoice.OPENSSL, True)


def test_a_library_that_signs_otherwise_than_openssl_is_not_used() -> None:
    lanes = PythonLanes()
    require_sound(lanes)
    lanes.spoil = lambda lane, result, _p, _q: result ^ (lane == 7)
    with pytest.raises(CryptoMbUnavailableError, match="are not OpenSSL's"):
        require_sound(lanes)


def test_the_library_signs_where_it_can() -> None:
    real_lanes()
    assert find_way(RsaChoice.MULTIBUFFER).choice is RsaChoice.MULTIBUFFER


def test_the_choice_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    before = chosen_way()
    with signing_by(before), caplog.at_level(logging.INFO, "mashang.rsa"):
        way = choose(RsaChoice.OPENSSL)
        assert chosen_way() is way
    assert [(record.getMessage(), record.__dict__["way"]) for record in caplog.records] == [
        ("RSA signatures", "openssl")
    ]
    assert chosen_way() is before


def test_a_library_that_errs_too_often_is_given_up() -> None:
    lanes = PythonLanes()
    with signing_by(RsaWay(lanes, "a test")):
        count_faults(FAULTS_MAX - 1)
        assert chosen_way().lanes is lanes
        count_faults(1)
        assert chosen_way().lanes is None
        assert "wrong too often" in chosen_way().reason


def test_where_nobody_chose_it_is_found_out_at_the_first_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    with signing_by(chosen_way()):
        monkeypatch.setattr(choosing._Process, "way", None)
        assert chosen_way().choice in {RsaChoice.OPENSSL, RsaChoice.MULTIBUFFER}
        assert chosen_way() is chosen_way()
