"""Which links may be followed: a result URL comes from outside, and the worker sits inside a network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.exceptions import UnsafeUrlError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV6_INTERNET = ipaddress.IPv6Network("2000::/3")


@dataclass(frozen=True)
class UrlPolicy:
    """
    Hold what a link may be.

    :param allow_http: Whether it may be plain http.
    :param allow_private: Whether it may lead to an address that is not of the public Internet.
    """

    allow_http: bool = False
    allow_private: bool = False

    @classmethod
    async def of_api(cls, base_url: str) -> UrlPolicy:
        """
        Make the rules for the links of an API: they may be what the API itself is, and no less.

        :param base_url: The API's base URL. Links may be http if it is, and may lead to private addresses if every
            address of its host is one (a sandbox, a gateway inside).
        """
        parts = urlsplit(base_url)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
        except OSError:
            found = []
        private = bool(found) and not any(is_public(str(info[4][0])) for info in found)
        return cls(allow_http=parts.scheme == "http", allow_private=private)

    def check(self, url: str) -> None:
        """
        Check what a link tells by itself; where its name leads is for :class:`SsrfGuard`.

        :param url: The link, to be sent byte for byte.
        :raises UnsafeUrlError: if it may not be followed.
        """
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".")
            schemes = ("https", "http") if self.allow_http else ("https",)
            # A user or password would become an Authorization header; a space or line break another request.
            well_formed = host and parts.port != 0 and parts.username is None and all("!" <= c <= "~" for c in url)
        except ValueError:
            raise UnsafeUrlError(f"The link {signed_urls.mask(url)} is no URL.") from None
        if not well_formed:
            raise UnsafeUrlError(f"The link {signed_urls.mask(url)} is not one that can be sent as it is.")
        if parts.scheme not in schemes:
            raise UnsafeUrlError(f"The link {signed_urls.mask(url)} is {parts.scheme}, not https as the API is.")
        if not self.allow_private and not _may_be_public(host):
            raise UnsafeUrlError(f"The link {signed_urls.mask(url)} leads to a private address.")


class SsrfGuard:
    """
    Make the sockets of a connector, and refuse those to private addresses: after DNS, at each connection.

    :param rules: What links may be.
    """

    def __init__(self, rules: UrlPolicy) -> None:
        self._rules = rules
        self._to_proxy = False
        #: An address refused since :meth:`expect`, if any was.
        self.refused: str | None = None

    def expect(self, *, to_proxy: bool) -> None:
        """
        Get ready for the next request.

        :param to_proxy: Whether it goes to a proxy, which the user named and which may be anywhere.
        """
        self._to_proxy = to_proxy
        self.refused = None

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """
        Make a socket.

        :param info: The address as ``getaddrinfo`` gives it.
        :raises ConnectionRefusedError: for a private address, and notes it in :attr:`refused`.
        """
        family, kind, protocol, _, address = info
        if not (self._to_proxy or self._rules.allow_private or is_public(str(address[0]))):
            self.refused = str(address[0])
            raise ConnectionRefusedError(f"{address[0]} is not a public address")
        return socket.socket(family, kind, protocol)


def is_public(address: str) -> bool:
    """
    Tell whether an IP address is of the public Internet, also when it hides an IPv4 address in IPv6.

    :param address: An IPv4 or IPv6 address; anything else is not public.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is None:
            return ip in _IPV6_INTERNET and ip.is_global
        ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _may_be_public(host: str) -> bool:
    """Tell whether a host name may have a public address: judge literal addresses, in old notations too."""
    if ":" in host:
        return is_public(host)
    try:
        return is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return host != "localhost" and not host.endswith(".localhost")
