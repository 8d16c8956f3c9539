"""Where reports may go: what an address must look like to be saved at all (contract 8.1, extensions "Actions")."""

import pytest

from domain.delivery import check_address, check_webhook_url
from domain.errors import Invalid


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/x?y=1#z", "http://localhost:9000/", "https://10.0.0.1", "http://[2001:db8::1]:8080/a",
        "https://xn--bcher-kva.example/", "https://my_host-1.internal/", "https://example.org.",
    ],
)  # fmt: skip
def test_urls(url: str) -> None:
    check_webhook_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://example.org/", "https://", "https:///x", "https://user@example.org/", "https://:p@example.org/",
        "https://example.org:port/", "https://example.org:0/", "https://example.org:/", "https://example.org:65536/",
        "https://exa mple.org/", "https://example.org\\@evil.org/", "https://bücher.example/", "http://.", "http://..",
        "http://-", "http://a..b", "http://%41/", "http://0x7f.1/", "http://2130706433/", "http://127.1/",
        "http://[fe80::1%25eth0]/", "http://[zz]/", "https://example.org/\n", "//example.org/",
    ],
)  # fmt: skip
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(Invalid):
        check_webhook_url(url)


@pytest.mark.parametrize("address", ["a@b.org", "first.last+tag@sub.example.org", "ü@example.org"])
def test_addresses(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@b", "a@b.org, c@d.org", "a b@c.org", "a@b.org\nBcc: x@y.org", "A <a@b.org>", "a@" + "b" * 260,
     "=?utf-8?q?=0D=0ABcc=3Ax=40y.org?=@b.org"],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(Invalid):
        check_address(address)
