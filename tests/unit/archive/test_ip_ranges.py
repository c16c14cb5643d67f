"""The address tables, against the public corpus of basecamp/surfguard and the documents of the clouds."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Any

import pytest

from airflow_provider_siliconflow.archive import ip_ranges
from airflow_provider_siliconflow.archive.ip_ranges import metadata_service, special_purpose
from tests.conftest import ROOT

CORPUS = ROOT / "tests" / "data" / "ssrf"

#: Where we refuse what the corpus's default policy allows. AMT and AS112 are reachable from everywhere, and yet no
#: storage can be there: AS112 answers queries for private reverse zones, AMT relays multicast. IANA registers both
#: as special-purpose, and Microsoft's AntiSSRF refuses them. The corpus's own strict policy does the same.
STRICTER: list[IPv4Network | IPv6Network] = [
    IPv4Network("192.31.196.0/24"),
    IPv4Network("192.52.193.0/24"),
    IPv4Network("192.175.48.0/24"),
    IPv6Network("2001:3::/32"),
    IPv6Network("2001:4:112::/48"),
    IPv6Network("2620:4f:8000::/48"),
    IPv6Network("::ffff:0:192.31.196.0/120"),
    IPv6Network("::ffff:0:192.52.193.0/120"),
    IPv6Network("::ffff:0:192.175.48.0/120"),
]
#: Where we allow what the corpus's strict policy refuses: behind a DNS64, as every IPv6-only network of AWS has, each
#: storage that has no IPv6 address of its own is reached by 64:ff9b::/96. The IPv4 address inside is checked.
NEEDED = IPv6Network("64:ff9b::/96")


def cases(name: str) -> list[dict[str, Any]]:
    """Return the cases of a file of the corpus."""
    found: list[dict[str, Any]] = json.loads((CORPUS / f"{name}.json").read_text())["cases"]
    assert found
    return found


ADDRESSES = [case for name in ("allowed", "blocked", "boundaries") for case in cases(name)]


@pytest.mark.parametrize("case", ADDRESSES, ids=lambda case: case["input"])
def test_the_corpus_of_addresses(case: dict[str, Any]) -> None:
    address = ip_address(case["input"])
    expected = case["policies"]["default"]
    if any(address in network for network in STRICTER if network.version == address.version):
        assert expected == "allowed"
        expected = case["policies"]["iana_special_use"]
    assert ("blocked" if special_purpose(address) else "allowed") == expected


@pytest.mark.parametrize("case", ADDRESSES, ids=lambda case: case["input"])
def test_what_both_policies_of_the_corpus_say_is_what_we_say(case: dict[str, Any]) -> None:
    address = ip_address(case["input"])
    ours = "blocked" if special_purpose(address) else "allowed"
    said = set(case["policies"].values())
    assert ours in said
    if len(said) == 2:
        assert (ours == "allowed") == (address in NEEDED)


#: Address and the document that names it.
METADATA = {
    "169.254.169.254": "AWS, Azure, Google, Oracle, IBM, DigitalOcean, Huawei, OpenStack: instance metadata",
    "169.254.170.2": "AWS: credentials of ECS tasks",
    "169.254.170.23": "AWS: EKS Pod Identity",
    "169.254.0.23": "Tencent Cloud: metadata.tencentyun.com",
    "169.254.42.42": "Scaleway",
    "168.63.129.16": "Azure: WireServer",
    "192.0.0.192": "Oracle Cloud Classic",
    "100.100.100.200": "Alibaba Cloud",
    "100.96.0.96": "Volcano Engine",
    "fd00:ec2::254": "AWS: instance metadata over IPv6",
    "fd00:ec2::23": "AWS: EKS Pod Identity over IPv6",
    "fd20:ce::254": "Google Cloud over IPv6",
    "fd00:c1::a9fe:a9fe": "Oracle Cloud over IPv6",
    "fd00:100::100:200": "Alibaba Cloud over IPv6",
    "fd00:42::42": "Scaleway over IPv6",
    "fd00:a9fe:a9fe::1": "Akamai over IPv6",
    "fe80::a9fe:a9fe": "OpenStack over IPv6",
}

#: Ways to write an IPv4 address as an IPv6 one, each with the RFC that defines it.
IPV6_FORMS: dict[str, Callable[[IPv4Address], int]] = {
    "IPv4-compatible (RFC 4291)": lambda v4: int(v4),
    "IPv4-mapped (RFC 4291)": lambda v4: 0xFFFF << 32 | int(v4),
    "SIIT (RFC 2765)": lambda v4: 0xFFFF << 48 | int(v4),
    "NAT64 (RFC 6052)": lambda v4: 0x0064FF9B << 96 | int(v4),
    "NAT64 local (RFC 8215)": lambda v4: 0x0064FF9B0001 << 80 | int(v4),
    "6to4 (RFC 3056)": lambda v4: 0x2002 << 112 | int(v4) << 80,
    "Teredo client (RFC 4380)": lambda v4: 0x20010000 << 96 | 0x08080808 << 64 | int(v4) ^ 0xFFFFFFFF,
    "Teredo server (RFC 4380)": lambda v4: 0x20010000 << 96 | int(v4) << 64,
    "ISATAP in a private network (RFC 5214)": lambda v4: 0x26000000 << 96 | 0x00005EFE << 32 | int(v4),
    "ISATAP with the bit for a unique address": lambda v4: 0x26000000 << 96 | 0x02005EFE << 32 | int(v4),
}


@pytest.mark.parametrize("address", METADATA)
def test_metadata_services_are_known_in_each_form(address: str) -> None:
    assert metadata_service(ip_address(address))
    assert special_purpose(ip_address(address))
    if ":" not in address:
        for make in IPV6_FORMS.values():
            form = ipaddress.IPv6Address(make(IPv4Address(address)))
            assert metadata_service(form), form
            assert special_purpose(form), form


@pytest.mark.parametrize("form", IPV6_FORMS)
@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.31.255.255", "100.64.0.1", "0.0.0.1"])
def test_private_addresses_are_known_in_each_form(address: str, form: str) -> None:
    inner = IPv4Address(address)
    assert special_purpose(inner)
    assert special_purpose(ipaddress.IPv6Address(IPV6_FORMS[form](inner)))
    assert metadata_service(inner) is None


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "47.96.0.1",  # Alibaba Cloud OSS
        "1.1.1.1",
        "168.63.129.15",
        "168.63.129.17",
        "2400:3200::1",  # Alibaba Cloud
        "2600:1f00::1",  # AWS
        "64:ff9b::47.96.0.1",  # behind NAT64
        "2600::5efe:8.8.8.8",  # an interface identifier that happens to look like ISATAP
    ],
)
def test_public_addresses(address: str) -> None:
    assert special_purpose(ip_address(address)) is None
    assert metadata_service(ip_address(address)) is None


def test_an_address_with_a_zone_is_not_public() -> None:
    assert special_purpose(ip_address("2400:3200::1%eth0"))


def test_both_ends_of_each_range_and_their_neighbours() -> None:
    """A wrong prefix length shows at an end: the range is refused whole, and what refuses its neighbour is another."""
    for table in (ip_ranges.SPECIAL_IPV4, ip_ranges.SPECIAL_IPV6):
        for cidr, purpose in table.items():
            network = ipaddress.ip_network(cidr)
            assert special_purpose(network[0]), f"{cidr}: {purpose}"
            assert special_purpose(network[-1]), f"{cidr}: {purpose}"


_PROPERTIES = (
    "is_global", "is_private", "is_reserved", "is_multicast", "is_loopback", "is_link_local", "is_unspecified",
    "is_site_local", "ipv4_mapped", "sixtofour", "teredo",
)  # fmt: skip


def test_the_answer_does_not_depend_on_the_tables_of_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: object) -> None:
        raise AssertionError("Python's own tables were asked")

    before = {case["input"]: special_purpose(ip_address(case["input"])) for case in ADDRESSES}
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        for name in _PROPERTIES:
            if hasattr(kind, name):
                monkeypatch.setattr(kind, name, property(forbidden))
    with pytest.raises(AssertionError):
        _ = ip_address("8.8.8.8").is_global
    assert {case["input"]: special_purpose(ip_address(case["input"])) for case in ADDRESSES} == before
