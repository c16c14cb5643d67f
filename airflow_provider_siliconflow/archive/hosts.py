"""Read the host of a URL: an address in any notation that a resolver may take, or a name for DNS."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_siliconflow.archive.ip_ranges import Address

#: One part of an IPv4 address as `inet_aton` reads it: decimal, octal or hexadecimal; "0x" alone is a broken one.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
#: A label of a name, with the underscore that buckets may have.
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NAME_LENGTH = 253

#: Top-level domains that are for use inside networks: IANA Special-Use Domain Names (localhost, local), ICANN
#: (internal), RFC 6762 appendix G (the others), and those that container networks add.
_INSIDE = frozenset(
    ["localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "localdomain", "svc"]
)
_INSIDE_ZONES = (".home.arpa", ".in-addr.arpa", ".ip6.arpa")
#: Names at which clouds serve metadata: Google, Tencent, AWS (of old).
_METADATA = frozenset({"metadata.google.internal", "metadata.goog", "metadata.tencentyun.com", "instance-data"})


def ascii_host(host: str) -> str:
    """
    Return a host as DNS and HTTP spell it: lower case, international names in their ASCII form.

    :param host: A host without port and brackets. Full-width digits and dots become those that they stand for.
    :return: ASCII.
    :raises ValueError: if it has no such form.
    """
    return host.lower() if host.isascii() else host.encode("idna").decode("ascii").lower()


def address_of(host: str) -> Address | None:
    """
    Return the address that a host denotes by itself, without DNS.

    Old notations (``127.1``, ``0x7f000001``, ``017700000001``, ``2130706433``) are read as C's ``inet_aton`` does,
    because some resolvers still take them.

    :param host: A host as :func:`ascii_host` returns it.
    :return: The address, or None for a name that only DNS can tell.
    :raises ValueError: for what is neither: a broken address, a zone, a prefix, an empty label.
    """
    if ":" in host:
        address = IPv6Address(host)
        if address.scope_id is not None:
            raise ValueError("an address with a zone")
        return address
    labels = host.split(".")
    numbers = [label for label in labels if label]
    if 0 < len(numbers) <= 4 and all(_NUMBER.fullmatch(number) for number in numbers):
        return _read_numbers(labels)
    name = host.removesuffix(".")
    if len(name) > _NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("neither a name nor an address")
    return None


def is_inside_name(host: str) -> bool:
    """
    Return whether a name is one that only a network inside, or this machine, can give a meaning to.

    :param host: A name, as :func:`ascii_host` returns it. One without a dot depends on the machine's search list.
    :return: False for a name of the public DNS.
    """
    name = host.removesuffix(".")
    return "." not in name or name.rpartition(".")[2] in _INSIDE or name.endswith(_INSIDE_ZONES)


def is_metadata_name(host: str) -> bool:
    """
    Return whether a name is one at which a cloud serves metadata.

    :param host: A name, as :func:`ascii_host` returns it.
    :return: False for every other name.
    """
    return host.removesuffix(".") in _METADATA


def _read_numbers(labels: list[str]) -> IPv4Address:
    """Read an IPv4 address of one to four numbers; the last one fills the bytes that are left."""
    *leading, last = (_read_number(label) for label in labels)
    if any(number > 0xFF for number in leading) or last >= 1 << 8 * (4 - len(leading)):
        raise ValueError("an IPv4 address out of range")
    return IPv4Address(last + sum(number << 8 * (3 - index) for index, number in enumerate(leading)))


def _read_number(label: str) -> int:
    if label.startswith("0x"):
        return int(label[2:], 16)
    return int(label, 8 if label.startswith("0") and len(label) > 1 else 10)
