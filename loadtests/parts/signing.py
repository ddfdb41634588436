"""What RSA signatures cost the gateway in CPU: by how many wait, or in payments, by each way in turn.

`python -m loadtests.parts.signing` has 1 to 16 tasks sign in the same turn of an event loop, beside OpenSSL.  With
`--stacks` two stacks stand side by side, one with MASHANG_RSA=openssl, the other with multibuffer; each pair of rounds
loads both one after the other, and the next pair the other way round.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from rich.console import Console
from rich.table import Table

from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.choosing import RsaWay, choose, find_way, use
from gateway.kernel.rsa.signing import sign_sha256
from loadtests.bench.measure import measure
from loadtests.counts import Signing
from loadtests.stack import RunningStack, own_stack
from loadtests.traffic.generators import Load

_MESSAGE: Final = b"x" * 400
_WAITING: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16)
_TURNS: Final = 5
"""Of each way before the other one's turn."""
_console = Console()


def main(
    bits: Annotated[int, typer.Option(help="Length of the key: 2048, 3072 or 4096.")] = 2_048,
    rounds: Annotated[int, typer.Option(min=1, help="How often the two ways take turns.")] = 15,
    stacks: Annotated[bool, typer.Option(help="Payments over two stacks instead.")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="Counted seconds of each round of payments.")] = 10.0,
    open_requests: Annotated[int, typer.Option(min=1, help="Payments that are open at once.")] = 128,
) -> None:
    """Print CPU by way and their ratio.  Raises CryptoMbUnavailableError where the library cannot be used."""
    choose(RsaChoice.MULTIBUFFER)
    if stacks:
        _compare_stacks(rounds, seconds, open_requests)
    else:
        _compare_waiting(generate_private_key(65_537, bits), rounds)


def _compare_waiting(key: RSAPrivateKey, rounds: int) -> None:
    table = Table(title=f"CPU of a signature with {key.key_size} bits, by how many are waiting")
    for name in ("waiting", "OpenSSL", "several at once", "ratio"):
        table.add_column(name, justify="right")
    for waiting in _WAITING:
        alone_us, together_us, ratio = asyncio.run(_costs(key, waiting, rounds))
        table.add_row(str(waiting), f"{alone_us:.0f} µs", f"{together_us:.0f} µs", f"{ratio:.2f}")
    _console.print(table)


async def _costs(key: RSAPrivateKey, waiting: int, rounds: int) -> tuple[float, float, float]:
    """Medians of each way in µs, and the median of their ratios pair by pair."""
    ways = (find_way(RsaChoice.OPENSSL), find_way(RsaChoice.MULTIBUFFER))
    pairs = [[await _signature_us(key, waiting, way) for way in ways] for _ in range(rounds)]
    alone, together = zip(*pairs, strict=True)
    ratios = [after / before for before, after in pairs]
    return statistics.median(alone), statistics.median(together), statistics.median(ratios)


async def _signature_us(key: RSAPrivateKey, waiting: int, way: RsaWay) -> float:
    use(way)
    begun_ns = time.thread_time_ns()
    for _ in range(_TURNS):
        await asyncio.gather(*[sign_sha256(key, _MESSAGE) for _ in range(waiting)])
    return (time.thread_time_ns() - begun_ns) / 1_000 / _TURNS / waiting


def _compare_stacks(rounds: int, seconds: float, open_requests: int) -> None:
    names = (RsaChoice.OPENSSL.value, RsaChoice.MULTIBUFFER.value)
    costs: dict[str, list[float]] = {name: [] for name in names}
    with own_stack(environment=_signed_by(names[0])) as alone, own_stack(environment=_signed_by(names[1])) as together:
        stacks = {names[0]: alone, names[1]: together}
        for stack in stacks.values():
            stack.set_latency()
        before = together.counts()
        for number in range(rounds):
            for name in names if number % 2 == 0 else reversed(names):
                costs[name].append(_gateway_us(stacks[name], seconds, open_requests))
            _console.print(", ".join(f"{name} {taken[-1]:.0f} µs" for name, taken in costs.items()))
        _show_stacks(costs, (together.counts() - before).signing)


def _signed_by(way: str) -> dict[str, str]:
    return {"MASHANG_RSA": way}


def _gateway_us(stack: RunningStack, seconds: float, open_requests: int) -> float:
    url = f"{stack.ready.gateway}/v1/payments"
    load = Load(url, stack.ready.merchant.api_key, "wechat", open_requests, seconds, warm_up_s=2)
    return measure(load, stack.process_groups).cpu_us_per_payment["gateway"]


def _show_stacks(costs: dict[str, list[float]], signing: Signing) -> None:
    table = Table(title="CPU of the gateway per payment")
    for name in ("", "median", "least", "most"):
        table.add_column(name, justify="right")
    picks: tuple[Callable[[list[float]], float], ...] = (statistics.median, min, max)
    for name, taken in costs.items():
        table.add_row(name, *(f"{pick(taken):.0f} µs" for pick in picks))
    alone, together = costs.values()
    ratios = [after / before for before, after in zip(alone, together, strict=True)]
    table.add_row("ratio", *(f"{pick(ratios):.3f}" for pick in picks))
    share = signing.together / max(signing.together + signing.alone, 1)
    _console.print(table, f"{signing.per_call:.2f} signatures a call; {share:.1%} of them by the library.")


if __name__ == "__main__":
    typer.run(main)
