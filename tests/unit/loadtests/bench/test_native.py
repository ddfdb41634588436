"""What perf saw is told by whose machine code it is."""

from loadtests.bench.native import Kind, by_kind

LINES = """
     7f02ebf94c0c _PyEval_EvalFrameDefault (/usr/lib/libpython3.11.so.1.0)
     7f02ebf94c0d _PyType_Lookup+0x1f (/usr/lib/libpython3.11.so.1.0)
     7f02ebf94c0e _PyObject_Malloc (/usr/lib/libpython3.11.so.1.0)
     7f02ebf94c0f deduce_unreachable.constprop.0 (/usr/lib/libpython3.11.so.1.0)
     7f02ebf94c10 gc_collect_main (/usr/lib/libpython3.11.so.1.0)
     7f02ebf94c11 ossl_rsaz_amm52x20_x2_ifma256 (/x/cryptography/hazmat/bindings/_rust.abi3.so)
 ffffffff81000000 tcp_v4_rcv ([kernel.kallsyms])
     7f02ebf94c12 uv_timer_stop (/x/uvloop/loop.cpython-311-x86_64-linux-gnu.so)
     7f02ebf94c13 [unknown] (/usr/lib/libc.so.6)
     not a sample
""".splitlines()


def test_each_sample_counts_for_its_library_but_the_collector_and_memory_by_their_functions() -> None:
    assert by_kind(LINES) == {
        Kind.PYTHON: 2,
        Kind.MEMORY: 1,
        Kind.COLLECTOR: 2,
        Kind.OPENSSL: 1,
        Kind.KERNEL: 1,
        Kind.UVLOOP: 1,
        Kind.LIBRARIES: 1,
    }
