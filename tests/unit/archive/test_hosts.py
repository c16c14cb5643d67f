"""Hosts of URLs: addresses in every notation, names for DNS, and what is neither."""

from __future__ import annotations

import random
import socket
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_siliconflow.archive.hosts import address_of, ascii_host, is_inside_name, is_metadata_name
from airflow_provider_siliconflow.archive.ip_ranges import special_purpose
from tests.unit.archive.test_ip_ranges import cases


@pytest.mark.parametrize("case", cases("legacy_numeric"), ids=lambda case: case["input"])
def test_the_corpus_of_old_notations(case: dict[str, Any]) -> None:
    address = address_of(ascii_host(case["input"]))
    assert str(address) == case["canonical"]
    assert address is not None
    assert bool(special_purpose(address)) == case["blocked"]


@pytest.mark.parametrize(
    "host", [case["input"] for name in ("malformed_numeric_hosts", "non_host_prefixes") for case in cases(name)]
)
def test_the_corpus_of_broken_addresses(host: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has its own words
        address_of(ascii_host(host))


@pytest.mark.parametrize("case", cases("dns_hostnames"), ids=lambda case: case["input"])
def test_the_corpus_of_names_with_numbers(case: dict[str, Any]) -> None:
    assert address_of(ascii_host(case["input"])) is None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("017700000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F.0x0.0X0.0x1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("169.254.43518", "169.254.169.254"),
        ("0251.0376.0251.0376", "169.254.169.254"),
        ("１２７．０．０．１", "127.0.0.1"),
        ("127。0。0。1", "127.0.0.1"),
        ("①②⑦.⓪.⓪.①", "127.0.0.1"),
        ("２１３０７０６４３３", "127.0.0.1"),
        ("::FFFF:127.0.0.1", "::ffff:127.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_notations_beyond_the_corpus(host: str, address: str) -> None:
    assert address_of(ascii_host(host)) == ip_address(address)


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "a..b", "08", "300.1.2.3", "1.2.3.256", "0x100.1", "4294967296", "0x1ffffffff", "0x", "127.0x.0.1",
        "127.0.0.1 ", "127.0.0.1\n", "a b", "a\\b", "a%b", "a@b", "a:b", "::1%lo", "fe80::1%25eth0", "[::1]",
        "a" * 64, ".".join(["a" * 60] * 5), "9" * 5000, "xn--" + "a" * 70, "1:2:3:4:5:6:7:8:9",
    ],
)  # fmt: skip
def test_what_is_neither_an_address_nor_a_name(host: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has its own words
        address_of(ascii_host(host))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "metadata",
        "redis",
        "instance-data",
        "metadata.google.internal",
        "metadata.google.internal.",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "printer.local",
        "nas.lan",
        "router.home.arpa",
        "254.169.254.169.in-addr.arpa",
        "wiki.corp",
        "localhost.localdomain",
    ],
)
def test_names_that_mean_something_inside_only(host: str) -> None:
    assert is_inside_name(ascii_host(host))


@pytest.mark.parametrize("host", ["Metadata.Google.Internal.", "metadata.goog", "metadata.tencentyun.com"])
def test_names_of_metadata_services(host: str) -> None:
    assert is_metadata_name(ascii_host(host))


@pytest.mark.parametrize(
    "host", ["s3.siliconflow.cn", "bucket_1.oss-cn-shanghai.aliyuncs.com", "local.example.com", "internal.cn", "a.b."]
)
def test_names_of_the_internet(host: str) -> None:
    assert address_of(ascii_host(host)) is None
    assert not is_inside_name(ascii_host(host))
    assert not is_metadata_name(ascii_host(host))


def _spell(number: int, digits: random.Random) -> str:
    """Write a number as one of the bases of C, with the zeros and cases it allows."""
    zeros = "0" * digits.randrange(3)
    hexadecimal = f"0{digits.choice('xX')}{zeros}{number:x}"
    spellings = [str(number), f"0{zeros}{number:o}", hexadecimal, hexadecimal.upper().replace("0X", "0x", 1)]
    return digits.choice(spellings)


def _spellings(address: IPv4Address, digits: random.Random) -> str:
    """Write an IPv4 address as `inet_aton` may read it: one to four parts, each in a base of its own."""
    octets = address.packed
    count = digits.randrange(1, 5)
    parts = [*octets[: count - 1], int.from_bytes(octets[count - 1 :], "big")]
    return ".".join(_spell(part, digits) for part in parts)


BLOCKED_V4 = st.one_of(
    *(
        st.ip_addresses(v=4, network=network)
        for network in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "0.0.0.0/8")
    ),
    st.sampled_from([IPv4Address("168.63.129.16"), IPv4Address("192.0.0.192"), IPv4Address("100.100.100.200")]),
)


@given(BLOCKED_V4, st.randoms(use_true_random=False))
def test_a_blocked_address_is_blocked_in_each_spelling(address: IPv4Address, digits: random.Random) -> None:
    host = _spellings(address, digits)
    assert IPv4Address(socket.inet_aton(host)) == address
    read = address_of(ascii_host(host))
    assert read == address
    assert special_purpose(address)


@given(st.text(alphabet="0123456789abcdefxX.", min_size=1, max_size=24))
@example("0")
@example("1.2.3")
@example("0x7f.1.")
def test_whatever_the_platform_reads_as_an_address_is_read_the_same_or_refused(host: str) -> None:
    """The rule of the guard before DNS: no text is a name to us and an address to C."""
    try:
        platform = IPv4Address(socket.inet_aton(host))
    except OSError:
        return
    try:
        assert address_of(ascii_host(host)) == platform
    except ValueError:
        return
