"""A sampled stack belongs to the phase of whoever of us had it done."""

from pathlib import Path

import pytest

from loadtests.bench.phases import BACKGROUND, FILES, FUNCTIONS, Phase, by_phase, phase_of, unmapped

LOOP = "_run_module_as_main (<frozen runpy>:173);serve (gateway/cli.py:87);Runner.run (asyncio/runners.py:86)"
FLOW = f"{LOOP};PaymentFlow.take (gateway/payments/flow.py:105)"
CHECKOUT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("stack", "phase"),
    [
        (FLOW, Phase.FLOW),
        (f"{FLOW};new_id (gateway/kernel/ids.py:27)", Phase.FLOW),
        (f"{FLOW};desk (risk/desk.py:9);Block._read (gateway/kernel/expressions/blocks.py:75)", Phase.RISK),
        (f"{FLOW};price (promotions/desk.py:9);Block._read (gateway/kernel/expressions/blocks.py:75)", Phase.PRICING),
        (f"{FLOW};charge (routing/channels/wechat.py:9);token_hex (secrets.py:48)", Phase.CHANNEL),
        (f"{FLOW};charge (routing/channels/wechat.py:9);sign_sha256 (gateway/kernel/rsa/signing.py:41)", Phase.SIGN),
        (
            f"{LOOP};_Line._sign (gateway/kernel/rsa/signing.py:70);f (gateway/kernel/rsa/crypto_mb.py:78)",
            Phase.SIGN,
        ),
        (f"{FLOW};send (routing/channels/transport.py:108)", Phase.TRANSPORT),
        (f"{FLOW};Router.choose (routing/router.py:91)", Phase.ROUTING),
        (f"{LOOP};GroupCommit._run (gateway/database/group_commit.py:76);f (asyncpg/pool.py:7)", Phase.STATEMENTS),
        (
            f"{LOOP};GroupCommit._run (gateway/database/group_commit.py:76);f (gateway/database/intents.py:7)",
            Phase.INTENT,
        ),
        (f"{LOOP};run_asgi (uvicorn/protocols/http/httptools_impl.py:420);f (gateway/http/edge.py:69)", Phase.HTTP_IN),
        (f"{FLOW};Payment.to_json (gateway/payments/payment.py:193);f (enum.py:1)", Phase.ANSWER),
        (f"{FLOW};labels (gateway/kernel/hot_metrics.py:97)", Phase.TELEMETRY),
        (f"{LOOP};Line._run (gateway/database/valkey_line.py:103)", Phase.VALKEY),
    ],
)
def test_the_innermost_function_of_ours_decides_and_what_many_use_counts_for_its_caller(
    stack: str, phase: Phase
) -> None:
    assert phase_of(stack) is phase


@pytest.mark.parametrize(
    ("stack", "phase"),
    [
        (LOOP, Phase.LOOP),
        (f"{LOOP};Connection._send (redis/asyncio/connection.py:9);writelines (asyncio/streams.py:3)", Phase.VALKEY),
        (f"{LOOP};release (asyncpg/pool.py:223)", Phase.STATEMENTS),
        (f"{LOOP};_remove (_weakrefset.py:39)", Phase.LOOP),
        ("boot (threading.py:1);work (somewhere/else.py:2)", Phase.OTHER),
    ],
)
def test_without_a_function_of_ours_the_library_decides(stack: str, phase: Phase) -> None:
    assert phase_of(stack) is phase


def test_a_task_beside_the_payments_keeps_what_it_has_others_do() -> None:
    exchange = f"{LOOP};HealthExchange.run (routing/health/sharing.py:37);submit (gateway/database/valkey_line.py:85)"
    assert phase_of(exchange) is Phase.BACKGROUND


def test_samples_add_up_and_sleeping_threads_are_none() -> None:
    sleeping = "run (threading.py:971);HoldingHandler._flush_for_ever (gateway/kernel/logs.py:78)"
    lines = [f"{FLOW} 7", f"{FLOW};new_id (gateway/kernel/ids.py:27) 2", f"{LOOP} 4", f"{sleeping} 99"]
    assert by_phase(lines) == {Phase.FLOW: 9, Phase.LOOP: 4}


def test_what_has_no_phase_is_named() -> None:
    assert unmapped([f"{FLOW} 7", "boot (threading.py:1);work (somewhere/else.py:2) 3"]) == {
        "work (somewhere/else.py:2)": 3
    }


def test_every_file_of_the_tables_is_there() -> None:
    for beginning in (*FILES, *BACKGROUND):
        path = CHECKOUT / beginning
        assert path.is_dir() if beginning.endswith("/") else list(path.parent.glob(f"{path.name}*")), beginning


def test_every_function_of_the_table_is_defined_in_a_file_of_the_tables() -> None:
    sources = [path.read_text() for beginning in FILES for path in _python_files(CHECKOUT / beginning)]
    for name in FUNCTIONS:
        assert any(f"def {name.rpartition('.')[2]}(" in source for source in sources), name


def _python_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*.py"))
