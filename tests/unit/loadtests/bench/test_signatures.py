"""What is taken away for signatures is never more than was spent on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.kernel.rsa.choosing import chosen_way
from gateway.kernel.rsa.crypto_mb import LANES
from loadtests.bench.signatures import SignatureCost, measure_signatures
from loadtests.counts import Signing

COST = SignatureCost(300.0, 20.0, (500.0, 600.0, 700.0, 800.0, 810.0, 820.0, 830.0, 840.0))


def test_a_call_counts_as_one_for_the_whole_number_below_the_mean() -> None:
    assert COST.call_of_us(4.9) == 800.0
    assert COST.call_of_us(5.0) == 810.0
    assert COST.call_of_us(8.0) == 840.0


def test_each_kind_of_signature_and_the_verifications_are_added() -> None:
    spent_us = COST.spent_us(Signing(alone=0.5, together=1.5, calls=0.25), 2.0)
    assert spent_us == pytest.approx(0.5 * 300 + 0.25 * 820 + 2 * 20)


def test_calls_that_nobody_could_measure_take_nothing_away() -> None:
    assert SignatureCost(300.0, 20.0).spent_us(Signing(together=8.0, calls=1.0), 1.0) == 20.0
    assert COST.spent_us(Signing(), 0.0) == 0.0


def test_the_costs_of_a_real_key_are_measured_for_every_number_of_signatures(tmp_path: Path) -> None:
    key = generate_private_key(65_537, 2_048)
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    cost = measure_signatures(file, 0.001)
    assert 0 < cost.verify_us < cost.sign_us
    assert len(cost.call_us) == (LANES if chosen_way().lanes is not None else 0)
    assert all(us > 0 for us in cost.call_us)
