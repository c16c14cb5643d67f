"""Address ranges that no storage of the service can be in, from IANA's registries and the clouds' documents."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

# The tables are our own: Python's `is_global` and `is_reserved` differ between releases and know no cloud.

#: IANA IPv4 Special-Purpose Address Registry (2025-10-09), whole, and IANA IPv4 Multicast Address Space Registry.
SPECIAL_IPV4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private use",
    "100.64.0.0/10": "shared address space",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private use",
    "192.0.0.0/24": "IETF protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relay anycast",
    "192.168.0.0/16": "private use",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}

#: IANA IPv6 Special-Purpose Address Registry (2025-10-09), whole but for the translated IPv4 addresses decoded below,
#: and IANA Internet Protocol Version 6 Address Space (fec0::/10, ff00::/8).
SPECIAL_IPV6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "IPv4-compatible",
    "::ffff:0:0/96": "IPv4-mapped",
    "64:ff9b:1::/48": "local NAT64",
    "100::/64": "discard-only",
    "100:0:0:1::/64": "dummy prefix",
    "2001::/23": "IETF protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}

#: IANA IPv6 Global Unicast Address Assignments (2025-10-10), the rows with status ALLOCATED. The rest of IPv6 is
#: nobody's: a network that uses it is a private one.
_IPV6_ALLOCATED = """
    2001::/23 2001:200::/23 2001:400::/23 2001:600::/23 2001:800::/22 2001:c00::/23 2001:e00::/23 2001:1200::/23
    2001:1400::/22 2001:1800::/23 2001:1a00::/23 2001:1c00::/22 2001:2000::/19 2001:4000::/23 2001:4200::/23
    2001:4400::/23 2001:4600::/23 2001:4800::/23 2001:4a00::/23 2001:4c00::/23 2001:5000::/20 2001:8000::/19
    2001:a000::/20 2001:b000::/20 2002::/16 2003::/18 2400::/12 2410::/12 2600::/12 2610::/23 2620::/23 2630::/12
    2800::/12 2a00::/12 2a10::/12 2c00::/12
"""

#: Addresses at which a cloud serves credentials or controls to its machines. They are refused even to a connection
#: whose API is private: no gateway keeps videos there.
_METADATA = {
    # AWS, Azure, Google, Oracle, Huawei, IBM, DigitalOcean, Hetzner, OpenStack: 169.254.169.254; AWS container
    # credentials: 169.254.170.2 and .23; Tencent: 169.254.0.23; Scaleway: 169.254.42.42. OpenStack: fe80::a9fe:a9fe.
    "169.254.0.0/16": "link-local, where clouds serve metadata",
    "fe80::/10": "link-local, where clouds serve metadata",
    "168.63.129.16/32": "Azure WireServer",  # learn.microsoft.com, "What is IP address 168.63.129.16?"
    "192.0.0.192/32": "Oracle Cloud Classic metadata",
    "100.100.100.200/32": "Alibaba Cloud metadata",
    "100.96.0.96/32": "Volcano Engine metadata",
    "fd00:ec2::/32": "AWS instance services",  # metadata ::254, Pod Identity ::23, DNS ::253, NTP ::123
    "fd20:ce::254/128": "Google Cloud metadata",
    "fd00:c1::a9fe:a9fe/128": "Oracle Cloud metadata",
    "fd00:100::100:200/128": "Alibaba Cloud metadata",
    "fd00:42::42/128": "Scaleway metadata",
    "fd00:a9fe:a9fe::1/128": "Akamai metadata",
}

#: Prefixes of /96 whose last 32 bits are an IPv4 address that a translator connects to.
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"))  # NAT64 (RFC 6052), SIIT (RFC 2765)
#: The upper half of an ISATAP interface identifier (RFC 5214), with and without the bit for a unique address.
_ISATAP = (0x00005EFE, 0x02005EFE)

_IPV4_RANGES = tuple((IPv4Network(cidr), purpose) for cidr, purpose in SPECIAL_IPV4.items())
_IPV6_RANGES = tuple((IPv6Network(cidr), purpose) for cidr, purpose in SPECIAL_IPV6.items())
_IPV6_PUBLIC = tuple(IPv6Network(cidr) for cidr in _IPV6_ALLOCATED.split())
_METADATA_RANGES = tuple(
    (IPv6Network(cidr) if ":" in cidr else IPv4Network(cidr), purpose) for cidr, purpose in _METADATA.items()
)


def special_purpose(address: Address) -> str | None:
    """
    Return what an address is for if it is not one of the public Internet.

    :param address: An IPv4 or IPv6 address; an IPv4 address inside an IPv6 one is found.
    :return: The purpose in two or three words, or None for a public address.
    """
    purpose = metadata_service(address)
    if purpose is not None:
        return purpose
    if isinstance(address, IPv4Address):
        return next((purpose for network, purpose in _IPV4_RANGES if address in network), None)
    if address.scope_id is not None:
        return "an address with a zone"
    if any(address in network for network in _TRANSLATED):
        return special_purpose(_last_32_bits(address))
    purpose = next((purpose for network, purpose in _IPV6_RANGES if address in network), None)
    if purpose is None and not any(address in network for network in _IPV6_PUBLIC):
        return "not allocated"
    if purpose is None and int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        return special_purpose(_last_32_bits(address))
    return purpose


def metadata_service(address: Address) -> str | None:
    """
    Return which cloud's metadata service an address belongs to, in each IPv6 form of it.

    :param address: An IPv4 or IPv6 address.
    :return: The service's name, or None for any other address.
    """
    forms = [address, *_ipv4_inside(address)] if isinstance(address, IPv6Address) else [address]
    return next((purpose for network, purpose in _METADATA_RANGES if any(form in network for form in forms)), None)


def _ipv4_inside(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address may stand for: in its last bits, as 6to4, as Teredo."""
    number = int(address)
    sixtofour = (number >> 80 & 0xFFFFFFFF,) if number >> 112 == 0x2002 else ()
    teredo = (~number & 0xFFFFFFFF, number >> 64 & 0xFFFFFFFF) if number >> 96 == 0x20010000 else ()
    low = number >> 32
    embedded = low in (0, 0xFFFF, 0xFFFF0000) or number >> 80 in (0x0064FF9B0000, 0x0064FF9B0001)
    last = (number & 0xFFFFFFFF,) if embedded or low & 0xFFFFFFFF in _ISATAP else ()
    return tuple(IPv4Address(inner) for inner in (*last, *sixtofour, *teredo))


def _last_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
