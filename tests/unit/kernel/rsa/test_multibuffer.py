"""One to eight signatures by one call: equal to OpenSSL's, checked before they leave, and none that is wrong."""

from __future__ import annotations

import math

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.rsa.choosing import sign_alone
from gateway.kernel.rsa.crypto_mb import KEY_BITS, LANES, Lanes
from gateway.kernel.rsa.multibuffer import MultibufferKey, multibuffer_key, signatures_of
from tests.unit.kernel.rsa.lanes import PythonLanes, private_key, real_lanes

MESSAGES = [b"", b"a", b"POST\n/v3/pay\n1\n", bytes(range(256)) * 40, "中文".encode(), b"\0" * 64, b"x" * 63, b"8"]


@pytest.fixture(params=["written in Python", "the library"])
def lanes(request: pytest.FixtureRequest) -> Lanes:
    """Both must do the same."""
    return PythonLanes() if request.param == "written in Python" else real_lanes()


def converted(key: RSAPrivateKey) -> MultibufferKey:
    """The key as the library reads it."""
    found = multibuffer_key(key)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("bits", "count"),
    [
        *((KEY_BITS[0], count) for count in range(1, LANES + 1)),
        *((bits, count) for bits in KEY_BITS[1:] for count in (3, 8)),
    ],
)
def test_signatures_are_those_of_openssl(lanes: Lanes, bits: int, count: int) -> None:
    key = private_key(bits)
    expected = [sign_alone(key, message) for message in MESSAGES[:count]]
    assert signatures_of(lanes, [converted(key)] * count, MESSAGES[:count]) == expected


def test_each_message_is_signed_with_its_own_key(lanes: Lanes) -> None:
    keys = [private_key(2_048, name) for name in "abc"] * 2
    expected = [sign_alone(key, b"the same") for key in keys]
    assert len(set(expected)) == 3
    assert signatures_of(lanes, [converted(key) for key in keys], [b"the same"] * 6) == expected


@settings(max_examples=25)
@given(messages=st.lists(st.binary(max_size=500), min_size=1, max_size=LANES))
def test_any_messages_are_signed_by_the_library_as_by_openssl(messages: list[bytes]) -> None:
    key = private_key()
    expected = [sign_alone(key, message) for message in messages]
    assert signatures_of(real_lanes(), [converted(key)] * len(messages), messages) == expected


@pytest.mark.parametrize("count", [0, LANES + 1])
def test_no_more_than_eight_and_no_fewer_than_one(count: int) -> None:
    with pytest.raises(ValueError, match="one to 8"):
        signatures_of(PythonLanes(), [converted(private_key())] * count, [b""] * count)


def test_a_result_with_one_wrong_bit_does_not_leave() -> None:
    lanes, key = PythonLanes(), private_key()
    lanes.spoil = lambda lane, result, _p, _q: result ^ 1 if lane in {1, 3} else result
    expected: list[bytes | None] = [sign_alone(key, message) for message in MESSAGES[:4]]
    expected[1] = expected[3] = None
    assert signatures_of(lanes, [converted(key)] * 4, MESSAGES[:4]) == expected


def test_a_fault_in_one_prime_would_give_the_key_away_and_does_not_leave() -> None:
    """Right modulo q and wrong modulo p: the fault of Boneh, DeMillo and Lipton."""
    numbers = private_key().private_numbers()
    right = int.from_bytes(sign_alone(private_key(), b"m"), "big")
    modulus, exponent = numbers.public_numbers.n, numbers.public_numbers.e
    faulty = (right + numbers.q) % modulus
    assert math.gcd(pow(faulty, exponent, modulus) - pow(right, exponent, modulus), modulus) == numbers.q
    lanes = PythonLanes()
    lanes.spoil = lambda _lane, result, p, q: (result + q) % (p * q)
    assert signatures_of(lanes, [converted(private_key())] * 3, [b"m"] * 3) == [None] * 3


@pytest.mark.parametrize("idle", ["public", "private"])
def test_a_library_that_writes_nothing_and_reports_success_has_made_no_signature(
    idle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes, key = PythonLanes(), private_key()
    lanes.spoil = lambda _lane, result, _p, _q: result ^ 1
    monkeypatch.setattr(lanes, idle, lambda *_: 0)
    assert signatures_of(lanes, [converted(key)] * 4, MESSAGES[:4]) == [None] * 4


def test_a_lane_that_reports_a_failure_has_no_signature_even_if_it_looks_right() -> None:
    lanes, key = PythonLanes(), private_key()
    lanes.failed_lanes = frozenset({2})
    assert [one is None for one in signatures_of(lanes, [converted(key)] * 4, MESSAGES[:4])] == [
        False, False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(("bits", "exponent"), [(2_048, 3), (2_056, 65_537), (1_024, 65_537)])
def test_a_key_that_the_library_has_no_way_for_is_left_to_openssl(bits: int, exponent: int) -> None:
    assert multibuffer_key(generate_private_key(exponent, bits)) is None  # type: ignore[arg-type]


def made_of(p: int, q: int) -> RSAPrivateKey:
    """The key of two primes, in that order, read from a PEM as an account's is."""
    d = pow(65_537, -1, (p - 1) * (q - 1))
    public = RSAPublicNumbers(65_537, p * q)
    key = RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    read = load_pem_private_key(pem, None)
    assert isinstance(read, RSAPrivateKey)
    return read


def test_the_lesser_prime_may_be_the_first(lanes: Lanes) -> None:
    """OpenSSL makes none like that; other programs do, and then x mod q can be more than p."""
    numbers = private_key().private_numbers()
    key = made_of(*sorted((numbers.p, numbers.q)))
    read = key.private_numbers()
    assert read.p < read.q
    expected = [sign_alone(key, message) for message in MESSAGES]
    assert signatures_of(lanes, [converted(key)] * 8, MESSAGES) == expected


def test_a_key_of_primes_of_unequal_length_is_left_to_openssl() -> None:
    short, long = (generate_private_key(65_537, bits).private_numbers().p for bits in (2_000, 2_096))
    for key in (made_of(short, long), made_of(long, short)):
        assert key.key_size == KEY_BITS[0]
        assert multibuffer_key(key) is None


def test_a_converted_key_shows_none_of_its_numbers() -> None:
    key = private_key()
    text = repr(converted(key))
    numbers = key.private_numbers()
    for part in (numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp):
        assert str(part) not in text
        assert f"{part:x}" not in text
    assert "memory" not in text


def test_a_key_is_converted_once_and_few_are_kept() -> None:
    key = private_key()
    assert multibuffer_key(key) is multibuffer_key(key)
    assert multibuffer_key.cache_info().maxsize == 256
