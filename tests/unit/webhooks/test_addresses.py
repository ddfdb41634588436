"""Which addresses webhooks may be sent to: every way of writing one that points inside is refused."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.webhooks.addresses import URL_LENGTH_MAX, AddressRefused, AddressRules

PUBLIC = AddressRules()
LOOPBACK = AddressRules((IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")))
PRODUCTION = AddressRules(any_port=False)

INSIDE = (
    "http://127.0.0.1/", "https://127.0.0.1:8443/hook", "http://127.255.255.254/", "http://0.0.0.0/", "http://0.1.2.3/",
    "http://10.0.0.1/", "http://10.255.255.255/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://100.127.255.255/",
    "http://100.100.100.200/", "http://168.63.129.16/", "http://192.0.0.192/", "http://192.0.2.1/",
    "http://198.18.0.1/", "http://198.19.255.255/", "http://198.51.100.1/", "http://203.0.113.9/", "http://224.0.0.1/",
    "http://239.255.255.250/", "http://240.0.0.1/", "http://255.255.255.255/", "http://[::]/", "http://[::1]/",
    "http://[::1]:8000/", "http://[fc00::1]/", "http://[fdff::1]/", "http://[fe80::1]/", "http://[febf::1]/",
    "http://[ff02::1]/", "http://[::ffff:7f00:1]/", "http://[::ffff:808:808]/", "http://[::7f00:1]/",
    "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::808:808]/",
    "http://[2002:7f00:1::]/", "http://[2002:808:808::]/", "http://[2001::1]/", "http://[2001:db8::1]/",
    "http://[100::1]/", "http://[3fff::1]/", "http://localhost/", "http://LOCALHOST/", "http://localhost:8000/",
    "http://foo.localhost/", "http://printer.local/", "http://metadata.google.internal/", "http://db.internal/",
    "http://intranet/", "http://router.lan/", "http://box.home.arpa/",
)  # fmt: skip

HIDING = (
    "http://2130706433/", "http://0x7f000001/", "http://0X7F000001/", "http://017700000001/", "http://0177.0.0.1/",
    "http://0x7f.0.0.1/", "http://127.1/", "http://127.0.1/", "http://127.0.0.01/", "http://127.0.0.1.0/",
    "http://00000127.0.0.1/", "http://256.1.1.1/", "http://127.0.0.1./", "http://localhost./", "http://till.example./",
    "http://[::ffff:127.0.0.1]/", "http://[0:0:0:0:0:0:0:1]/", "http://[2606:4700:0:0:0:0:0:1111]/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1/", "http://::1/", "http://[127.0.0.1]/",
    "http://%31%32%37.0.0.1/", "http://127%2e0%2e0%2e1/", "http://１２７.0.0.1/", "http://127。0。0。1/",
    "http://ⓛocalhost/", "http://例え.jp/", "http://till.example/ pay", "http://till.example\\@127.0.0.1/",
    "http://user@till.example/", "http://user:pass@till.example/", "http://till.example@127.0.0.1/",
    "http://127.0.0.1#@till.example/", "http://till.example#x", "http://till.example:80:90/", "http://till.example:/",
    "http://till.example:0/", "http://till.example:65536/", "http://till.example:99999/", "http://till.example:8x/",
    "http:///hook", "http://", "http://?x", "http:till.example", "//till.example/", "till.example", "",
    "ftp://till.example/", "file:///etc/passwd", "gopher://till.example/", "javascript:alert(1)", "HTTP://till.example/",
    "http://till..example/", "http://.till.example/", "http://-till.example/", "http://till-.example/",
    "http://till.example/\r\nHost: inside", "http://till.example/\x00", "http://till.example/\t", "http://ti\nll.example/",
    f"http://{'x' * 64}.example/", f"http://{'x.' * 127}example/",
)  # fmt: skip


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_inside_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        PUBLIC.target(url)


@pytest.mark.parametrize("url", HIDING)
@pytest.mark.parametrize("rules", [PUBLIC, LOOPBACK], ids=["public", "loopback allowed"])
def test_a_strange_way_of_writing_is_refused_even_where_loopback_is_allowed(rules: AddressRules, url: str) -> None:
    with pytest.raises(AddressRefused):
        rules.target(url)


@pytest.mark.parametrize(
    ("url", "origin", "authority", "path"),
    [
        ("https://till.example/hook", ("https", "till.example", 443), "till.example", "/hook"),
        ("https://Till.Example", ("https", "till.example", 443), "till.example", "/"),
        (
            "http://till.example:8080/a/b?c=d&e=%20",
            ("http", "till.example", 8080),
            "till.example:8080",
            "/a/b?c=d&e=%20",
        ),
        ("https://till.example?x=1", ("https", "till.example", 443), "till.example", "/?x=1"),
        ("https://xn--r8jz45g.jp/", ("https", "xn--r8jz45g.jp", 443), "xn--r8jz45g.jp", "/"),
        ("http://8.8.8.8/", ("http", "8.8.8.8", 80), "8.8.8.8", "/"),
        ("http://[2606:4700::1111]:81/", ("http", "2606:4700::1111", 81), "[2606:4700::1111]:81", "/"),
        ("http://[64:ff9b::808:808]/", ("http", "64:ff9b::808:808", 80), "[64:ff9b::808:808]", "/"),
        ("https://till.example/a@b:c", ("https", "till.example", 443), "till.example", "/a@b:c"),
        ("https://10.till.example/", ("https", "10.till.example", 443), "10.till.example", "/"),
        ("https://hooks_1.till.example/", ("https", "hooks_1.till.example", 443), "hooks_1.till.example", "/"),
    ],
)
def test_a_public_address_is_taken_apart(url: str, origin: tuple[str, str, int], authority: str, path: str) -> None:
    target = PUBLIC.target(url)
    assert (target.origin, target.authority, target.path) == (origin, authority, path)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9000/hook", "http://localhost:9000/", "http://[::1]/", "http://receiver/", "http://a.local/"],
)
def test_where_loopback_is_allowed_so_are_names_that_may_lead_there(url: str) -> None:
    LOOPBACK.target(url)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/", "http://[fc00::1]/", "http://[::2]/"])
def test_an_allowed_network_opens_no_other(url: str) -> None:
    with pytest.raises(AddressRefused):
        LOOPBACK.target(url)


@pytest.mark.parametrize("port", [1, 22, 25, 79, 81, 442, 444, 1023])
def test_in_production_no_port_of_another_service_is_knocked_at(port: int) -> None:
    PUBLIC.target(f"https://till.example:{port}/")
    with pytest.raises(AddressRefused):
        PRODUCTION.target(f"https://till.example:{port}/")


@pytest.mark.parametrize("port", [80, 443, 1024, 8443, 65_535])
def test_in_production_the_ports_of_http_and_the_unprivileged_ones_are_taken(port: int) -> None:
    assert PRODUCTION.target(f"https://till.example:{port}/").port == port


def test_an_address_that_is_too_long_is_refused() -> None:
    url = "https://till.example/".ljust(URL_LENGTH_MAX, "x")
    PUBLIC.target(url)
    with pytest.raises(AddressRefused):
        PUBLIC.target(url + "x")


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_taken_only_where_the_registry_calls_it_global(number: int) -> None:
    """Python's own table is the oracle; we refuse a little more (multicast, one cloud's inner address)."""
    address = IPv4Address(number)
    if _taken(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0, 2**128 - 1) | st.integers(2**125, 2**126 - 1) | st.integers(0, 2**32 - 1))
def test_an_ipv6_address_is_taken_only_where_the_registry_calls_it_global(number: int) -> None:
    address = IPv6Address(number)
    if _taken(address):
        assert address.is_global
        assert not address.is_multicast
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None


@pytest.mark.parametrize("text", ["1.1.1.1", "8.8.8.8", "223.5.5.5", "2400:3200::1", "2606:4700:4700::1111"])
def test_public_addresses_are_taken(text: str) -> None:
    assert _taken(ip_address(text))


def test_a_mapped_address_is_refused_even_where_its_network_is_allowed() -> None:
    with pytest.raises(AddressRefused):
        AddressRules((IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))).check(IPv6Address("::ffff:8.8.8.8"))


@given(
    st.lists(
        st.sampled_from(
            ["http", "https", "://", ":", "/", "//", "@", "#", "?", "[", "]", "\\", ".", "%", "-", "_", " ", "\t", "\n",
             "127.0.0.1", "8.8.8.8", "::1", "2606:4700::1111", "till.example", "localhost", "a", "0x7f", "80", "1",
             "%40", "%2f", "；", "。", "／", "＠"]
        ),
        max_size=12,
    ).map("".join)
    | st.text(max_size=30).map(lambda text: f"http://{text}")
)  # fmt: skip
def test_what_is_taken_means_the_same_to_every_other_reader_of_addresses(url: str) -> None:
    """Two readers that see different hosts in one address are how a check is passed by."""
    try:
        target = LOOPBACK.target(url)
    except AddressRefused:
        return
    for host, port in (
        (urlsplit(url).hostname, urlsplit(url).port),
        (httpx.URL(url).host, httpx.URL(url).port),
    ):
        assert host == target.host
        assert (port or {"http": 80, "https": 443}[target.scheme]) == target.port


def _taken(address: IPv4Address | IPv6Address) -> bool:
    try:
        PUBLIC.check(address)
    except AddressRefused:
        return False
    return True
