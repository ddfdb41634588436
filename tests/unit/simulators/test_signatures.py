"""Answers that are not due yet are signed together, each with the signature that OpenSSL would have made alone."""

from __future__ import annotations

import asyncio
import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.kernel.rsa.choosing import RsaWay, chosen_way
from gateway.kernel.rsa.crypto_mb import LANES
from routing.simulators import signatures
from routing.simulators.signatures import Signatory, sign

NEVER_S = 3_600.0


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65_537, 2_048)


@pytest.fixture
def many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that signs eight at once, whatever this one can."""
    way = chosen_way()
    monkeypatch.setattr(signatures, "chosen_way", lambda: RsaWay(way.lanes or _NoLanes(), "a test says so"))


class _NoLanes:
    """Never asked: who signs decides by the way that was truly chosen."""

    def private(self, *_: object) -> int:
        raise AssertionError

    public = private


def _expected(key: RSAPrivateKey, text: bytes) -> bytes:
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256()))


def test_a_signature_made_at_once_is_openssls(key: RSAPrivateKey) -> None:
    assert sign(key, b"text") == _expected(key, b"text")


@pytest.mark.usefixtures("many_at_once")
async def test_eight_answers_that_are_not_due_for_an_hour_are_signed_as_soon_as_they_are_eight(
    key: RSAPrivateKey,
) -> None:
    signatory, until_s = Signatory(), asyncio.get_running_loop().time() + NEVER_S
    texts = [b"text %d" % number for number in range(LANES)]
    waiting = [asyncio.create_task(signatory.sign(key, text, until_s)) for text in texts[:-1]]
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in waiting)
    last = await asyncio.wait_for(signatory.sign(key, texts[-1], until_s), 10)
    found = [*await asyncio.wait_for(asyncio.gather(*waiting), 10), last]
    assert found == [_expected(key, text) for text in texts]


@pytest.mark.usefixtures("many_at_once")
async def test_the_first_that_must_go_takes_the_others_along(key: RSAPrivateKey) -> None:
    signatory, loop = Signatory(), asyncio.get_running_loop()
    late = asyncio.create_task(signatory.sign(key, b"late", loop.time() + NEVER_S))
    await asyncio.sleep(0)
    soon = asyncio.create_task(signatory.sign(key, b"soon", loop.time() + 0.02))
    found = await asyncio.wait_for(asyncio.gather(late, soon), 10)
    assert list(found) == [_expected(key, b"late"), _expected(key, b"soon")]


async def test_an_answer_that_is_due_is_signed_at_once(key: RSAPrivateKey) -> None:
    now_s = asyncio.get_running_loop().time()
    assert await asyncio.wait_for(Signatory().sign(key, b"text", now_s), 10) == _expected(key, b"text")


@pytest.mark.usefixtures("many_at_once")
async def test_one_that_is_cancelled_holds_up_nobody(key: RSAPrivateKey) -> None:
    signatory, until_s = Signatory(), asyncio.get_running_loop().time() + 0.05
    gone = asyncio.create_task(signatory.sign(key, b"gone", until_s))
    stays = asyncio.create_task(signatory.sign(key, b"stays", until_s))
    await asyncio.sleep(0)
    gone.cancel()
    assert await asyncio.wait_for(stays, 10) == _expected(key, b"stays")
