"""Where a webhook may not go (issue: the SSRF corpus is refused, all of it; anchors D.3)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.guard import MOST_ADDRESSES, Guard
from domain.outbound import AllowedHosts, NotAllowed, is_metadata, is_public

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]

INTERNAL = [
    # this machine
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::",
    # private, carrier-grade, benchmarks, documentation
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "192.0.0.1",
    "198.18.0.1", "198.19.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
    # multicast, reserved, broadcast
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    # link-local and metadata
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "febf::1", "100.100.100.200",
    "fd00:ec2::254", "fd20:ce::254", "fd00:42::42",
    # IPv6: unique local, site-local, multicast, documentation, discard, segment routing, protocols
    "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1",
    "2001:10::1", "2001:20::1", "64:ff9b:1::1",
    # IPv4 in IPv6: mapped, compatible, NAT64, 6to4, Teredo (server and client), ISATAP
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::127.0.0.1", "::10.1.2.3",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::6440:1", "2002:7f00:1::", "2002:a00:1::1",
    "2002:a9fe:a9fe::", "2002:c0a8:101::1", "2001:0:7f00:1::", "2001:0:808:808:0:0:80ff:fffe",
    "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1",
]  # fmt: skip
"""Every kind of address that is no public one, in every form that leads there."""

SPELLINGS = [
    "https://localhost/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/",
    "https://127.0.1/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://127.0.0.1/", "https://0/",
    "https://[0:0:0:0:0:0:0:1]/", "https://127.0.0.1./", "https://①②⑦.0.0.1/", "https://127。0。0。1/",
    "https://8.8.8.8@127.0.0.1/", "https://127.0.0.1#@8.8.8.8/", "https://8.8.8.8\\@127.0.0.1/",
    "https://%31%32%37.0.0.1/", "https://[fe80::1%25lo]/", "https://169.254.169.254/latest/meta-data/",
    "https://[64:ff9b::169.254.169.254]/", "http://metadata.google.internal/", "https://user:p@example.org/",
    "http://example.org/", "https://example.org:22/", "https://example.org:25/", "https://example.org:6379/",
    "https://example.org:8080/", "ftp://example.org/", "file:///etc/passwd", "gopher://127.0.0.1:70/_", "//127.0.0.1/",
    "https:127.0.0.1", "https:///127.0.0.1", "https://example.org:443@127.0.0.1/", "https://\t127.0.0.1/",
    "https://exam\r\nple.org/", "https://127.0.0.1:443/", "https://[::1]:8443/", "https://0x7f.1/", "https://017700000001/",
]  # fmt: skip


def resolver(**names: list[str]) -> Guard:
    return Guard(AllowedHosts(), lambda host, _port: names.get(host.replace(".", "_"), ["127.0.0.1"]))


def refused(guard: Guard, url: str) -> bool:
    try:
        guard.addresses(guard.check(url))
    except NotAllowed:
        return True
    return False


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_is_refused_however_it_is_come_to(address: str) -> None:
    bare = address.partition("%")[0]
    assert not is_public(ip_address(bare))
    assert refused(resolver(hook_example=[address]), "https://hook.example/")
    literal = f"[{bare}]" if ":" in bare else bare
    assert refused(resolver(), f"https://{literal}/")
    # One bad address among good ones is enough, wherever it stands.
    for several in (["8.8.8.8", address], [address, "8.8.8.8"]):
        assert refused(resolver(hook_example=several), "https://hook.example/")


def wrapped(inner: int) -> list[IPv6Address]:
    """Every form in which an IPv6 address stands for an IPv4 address or leads there."""
    return [
        IPv6Address(0xFFFF << 32 | inner),
        IPv6Address(int(IPv6Address("64:ff9b::")) | inner),
        IPv6Address(int(IPv6Address("2002::")) | inner << 80),
        IPv6Address(int(IPv6Address("2001:0:808:808::")) | (inner ^ 0xFFFFFFFF)),
        IPv6Address(int(IPv6Address("2606:4700::5efe:0:0")) | inner),
        IPv6Address(int(IPv6Address("::ffff:0:0:0")) | inner),
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | inner),
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | inner >> 16 << 64 | (inner & 0xFFFF) << 40),
    ]


@given(st.integers(0, 2**32 - 1))
def test_what_leads_to_an_internal_address_is_internal_itself(number: int) -> None:
    inner = IPv4Address(number)
    for outer in wrapped(number):
        assert not is_public(outer) or is_public(inner)
        assert not is_metadata(inner) or is_metadata(outer)


@given(st.integers(0, 2**128 - 1))
def test_every_address_is_judged(number: int) -> None:
    address = IPv6Address(number)
    assert is_public(address) in (True, False)
    assert not (is_public(address) and is_metadata(address))


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_of_a_url_gets_through(url: str) -> None:
    assert refused(resolver(), url)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_reached(address: str) -> None:
    guard = resolver(hook_example=[address])
    for port in ("", ":443", ":8443", ":80"):
        parts = guard.check(f"https://hook.example{port}/x")
        assert [str(found) for found in guard.addresses(parts)] == [str(ip_address(address))]


def test_a_name_with_no_or_too_many_addresses() -> None:
    with pytest.raises(OSError, match="no address"):
        resolver(hook_example=[]).addresses(resolver().check("https://hook.example/"))
    many = [f"8.8.8.{number}" for number in range(MOST_ADDRESSES + 1)]
    assert refused(resolver(hook_example=many), "https://hook.example/")


ALLOWED = AllowedHosts.parse(
    ["hooks.internal", "build.internal:9000", "10.1.0.0/16", "192.168.7.7:8080", "[fd00:1::/32]:9443", "::1"]
)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://hooks.internal/", "10.9.9.9"),
        ("https://HOOKS.internal.:8443/", "127.0.0.1"),
        ("http://build.internal:9000/", "192.168.1.1"),
        ("http://10.1.255.3/", "10.1.255.3"),
        ("http://somewhere.example/", "10.1.0.1"),
        ("http://somewhere.example/", "::ffff:10.1.0.1"),
        ("http://192.168.7.7:8080/", "192.168.7.7"),
        ("https://[fd00:1::5]:9443/", "fd00:1::5"),
        ("http://[::1]/", "::1"),
        ("https://elsewhere.example/", "8.8.8.8"),
    ],
)
def test_what_the_operator_allows(url: str, address: str) -> None:
    guard = Guard(ALLOWED, lambda _host, _port: [address])
    assert guard.addresses(guard.check(url))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://hooks.internal:9000/", "10.9.9.9"),  # another port than the known ones
        ("http://build.internal/", "192.168.1.1"),  # another port than the named one
        ("http://other.internal/", "10.2.0.1"),
        ("http://sub.hooks.internal/", "10.9.9.9"),
        ("http://192.168.7.7/", "192.168.7.7"),
        ("https://[fd00:2::5]:9443/", "fd00:2::5"),
        ("http://elsewhere.example/", "8.8.8.8"),  # no TLS
        ("https://elsewhere.example:9000/", "8.8.8.8"),
        # never, not even by an allowed name
        ("http://hooks.internal/", "169.254.169.254"),
        ("http://hooks.internal/", "::ffff:169.254.169.254"),
        ("http://hooks.internal/", "64:ff9b::a9fe:a9fe"),
        ("http://hooks.internal/", "fe80::1"),
        ("http://hooks.internal/", "fd00:ec2::254"),
    ],
)
def test_what_the_operator_has_not_allowed(url: str, address: str) -> None:
    assert refused(Guard(ALLOWED, lambda _host, _port: [address]), url)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "169.254.0.0/16", "169.254.169.254"])
def test_metadata_is_never_reached(network: str) -> None:
    """The judgement of architecture 10: link-local metadata addresses, never."""
    guard = Guard(AllowedHosts.parse([network]), lambda _host, _port: ["169.254.169.254"])
    assert is_metadata(ip_address("169.254.169.254"))
    assert refused(guard, "http://169.254.169.254/")
    assert refused(guard, "http://hook.example/")


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.internal", "http://x", "x:0", "x:65536", "x:y", "10.0.0.1/8", "a b", "10.0.0.0/33", "[x]:1", "1.2",
     "[::1", "::1]:80", "x/24"],
)  # fmt: skip
def test_an_entry_that_is_none(entry: str) -> None:
    with pytest.raises(ValueError, match="is no name, address or CIDR"):
        AllowedHosts.parse([entry])
