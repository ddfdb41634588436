"""Who signs in the same turn of the event loop is signed together, and each gets his own signature."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.kernel.metrics import RSA_CALLS, RSA_FAULTS, RSA_SIGNATURES
from gateway.kernel.rsa import signing
from gateway.kernel.rsa.choosing import RsaWay, chosen_way, sign_alone
from gateway.kernel.rsa.signing import TOGETHER_MIN, sign_sha256
from tests.unit.kernel.rsa.lanes import PythonLanes, private_key, real_lanes, signing_by


@pytest.fixture
def lanes() -> Iterator[PythonLanes]:
    """The library written in Python signs."""
    written = PythonLanes()
    with signing_by(RsaWay(written, "a test")):
        yield written


def messages_of(count: int) -> list[bytes]:
    """Each another one."""
    return [f"message {number}".encode() for number in range(count)]


async def signed(messages: Sequence[bytes], key: RSAPrivateKey | None = None) -> list[bytes]:
    """All at once, by tasks of their own."""
    return await asyncio.gather(*[sign_sha256(key or private_key(), message) for message in messages])


def expected(messages: Sequence[bytes], key: RSAPrivateKey | None = None) -> list[bytes]:
    """By OpenSSL."""
    return [sign_alone(key or private_key(), message) for message in messages]


@pytest.mark.parametrize(
    ("count", "calls"),
    [(1, []), (3, []), (4, [4]), (7, [7]), (8, [8]), (9, [8]), (12, [8, 4]), (16, [8, 8]), (17, [8, 8])],
)
async def test_those_of_one_turn_share_calls_and_too_few_are_openssls(
    lanes: PythonLanes, count: int, calls: list[int]
) -> None:
    assert await signed(messages_of(count)) == expected(messages_of(count))
    assert lanes.calls == calls


@pytest.mark.parametrize("count", range(1, 18))
async def test_the_library_gives_each_task_the_signature_of_its_message(count: int) -> None:
    with signing_by(RsaWay(real_lanes(), "a test")):
        assert await signed(messages_of(count)) == expected(messages_of(count))


async def test_who_comes_while_the_first_eight_are_signed_joins_the_rest(lanes: PythonLanes) -> None:
    first = asyncio.ensure_future(signed(messages_of(10)))
    await asyncio.sleep(0)  # the ten wait
    await asyncio.sleep(0)
    late = asyncio.ensure_future(signed(messages_of(4)))
    assert await first == expected(messages_of(10))
    assert await late == expected(messages_of(4))
    assert sum(lanes.calls) > 8 + 4 - 1


async def test_keys_of_several_merchants_share_a_call_and_lengths_do_not(lanes: PythonLanes) -> None:
    keys = [private_key(2_048, name) for name in "abcd"] + [private_key(4_096)] * TOGETHER_MIN[4_096]
    made = await asyncio.gather(*[sign_sha256(key, b"m") for key in keys])
    assert made == [sign_alone(key, b"m") for key in keys]
    assert sorted(lanes.calls) == [4, TOGETHER_MIN[4_096]]


async def test_a_key_that_the_library_has_no_way_for_is_signed_by_openssl(lanes: PythonLanes) -> None:
    key = generate_private_key(65_537, 2_056)
    assert await signed(messages_of(8), key) == expected(messages_of(8), key)
    assert lanes.calls == []


async def test_without_the_library_nothing_waits_for_a_turn() -> None:
    with signing_by(RsaWay(None, "a test")):
        coroutine = sign_sha256(private_key(), b"m")
        with pytest.raises(StopIteration) as end:
            coroutine.send(None)
    assert end.value.value == sign_alone(private_key(), b"m")


async def test_a_wrong_result_is_made_again_by_openssl_and_counted(lanes: PythonLanes) -> None:
    lanes.spoil = lambda lane, result, _p, _q: result ^ (lane == 2)
    before = RSA_FAULTS._value.get()
    assert await signed(messages_of(8)) == expected(messages_of(8))
    assert RSA_FAULTS._value.get() == before + 1
    assert chosen_way().lanes is lanes


async def test_a_library_that_only_errs_is_given_up_and_nobody_notices(lanes: PythonLanes) -> None:
    lanes.spoil = lambda _lane, result, _p, _q: result ^ 1
    assert await signed(messages_of(17)) == expected(messages_of(17))
    assert chosen_way().lanes is None
    assert lanes.calls == [8]


async def test_an_exception_of_the_library_costs_nobody_his_signature(lanes: PythonLanes) -> None:
    lanes.error = MemoryError()
    assert await signed(messages_of(5)) == expected(messages_of(5))


async def test_who_is_cancelled_is_not_signed_and_the_others_are(lanes: PythonLanes) -> None:
    tasks = [asyncio.ensure_future(sign_sha256(private_key(), message)) for message in messages_of(9)]
    await asyncio.sleep(0)  # all nine wait
    for task in tasks[:4]:
        task.cancel()
    made = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in made[:4]] == [True] * 4
    assert made[4:] == expected(messages_of(9)[4:])
    assert lanes.calls == [5]


async def test_where_all_are_cancelled_the_next_one_is_signed(lanes: PythonLanes) -> None:
    task = asyncio.ensure_future(sign_sha256(private_key(), b"m"))
    await asyncio.sleep(0)
    task.cancel()
    assert await signed(messages_of(4)) == expected(messages_of(4))
    assert lanes.calls == [4]


def test_a_loop_that_ends_with_signatures_waiting_leaves_the_next_one_free(lanes: PythonLanes) -> None:
    async def leave() -> None:
        waiting = asyncio.ensure_future(sign_sha256(private_key(), b"never"))
        await asyncio.sleep(0)
        waiting.remove_done_callback(lambda _: None)

    ended = asyncio.new_event_loop()
    ended.run_until_complete(leave())
    for task in asyncio.all_tasks(ended):
        task.cancel()
    ended.close()
    assert asyncio.run(asyncio.wait_for(signed(messages_of(4)), 30)) == expected(messages_of(4))
    assert lanes.calls[-1] == 4


def test_loops_in_threads_of_their_own_do_not_mix(lanes: PythonLanes) -> None:
    async def main() -> list[list[bytes]]:
        several = [asyncio.to_thread(asyncio.run, signed(messages_of(9))) for _ in range(4)]
        return list(await asyncio.gather(*several, signed(messages_of(9))))

    assert asyncio.run(main()) == [expected(messages_of(9))] * 5
    assert sum(lanes.calls) >= 8


async def test_what_waits_shows_neither_message_nor_key(lanes: PythonLanes) -> None:
    task = asyncio.ensure_future(sign_sha256(private_key(), b'{"auth_code":"134500000000000001"}'))
    await asyncio.sleep(0)
    line = signing._LINES.of(asyncio.get_running_loop(), 2_048)
    [waiting] = line._waiting
    assert "1345" not in repr(waiting)
    assert str(private_key().private_numbers().p) not in repr(waiting)
    assert len(await task) == 256
    assert lanes.calls == []


async def test_signatures_and_calls_are_counted(lanes: PythonLanes) -> None:
    def counted() -> tuple[float, float, float]:
        flush_hot_metrics()
        by = RSA_SIGNATURES.collector
        return (
            by.labels("multibuffer")._value.get(),
            by.labels("openssl")._value.get(),
            RSA_CALLS.collector._value.get(),
        )

    before = counted()
    await signed(messages_of(10))
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [8, 2, 1]
    assert lanes.calls == [8]
