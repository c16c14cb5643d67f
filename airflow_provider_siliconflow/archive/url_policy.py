"""Which URLs may be fetched: a result's URL comes from outside, and the worker sits inside a network."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import string
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_provider_siliconflow.archive import hosts, ip_ranges
from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.exceptions import UnsafeUrlError

#: Scheme, host and port, and the rest of a URL without its fragment.
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#\\]+)([/?][^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class UrlPolicy:
    """
    What a URL may be.

    :param allow_http: Whether it may be plain http.
    :param allow_private: Whether it may lead to an address that is not of the public Internet. Metadata services of
        clouds stay refused.
    """

    allow_http: bool = False
    allow_private: bool = False

    @classmethod
    async def of_api(cls, base_url: str) -> UrlPolicy:
        """
        Return the policy for the URLs of an API: they must be as safe as the API's own URL.

        :param base_url: The API's base URL. URLs may be http if it is, and may lead to private addresses if every
            address of its host is one (a sandbox, a gateway inside).
        :return: The policy; the strict one where the API's host cannot be resolved.
        """
        parts = urlsplit(base_url)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
        except OSError:
            found = []
        private = bool(found) and not any(is_public(str(info[4][0])) for info in found)
        return cls(allow_http=parts.scheme == "http", allow_private=private)

    def check(self, url: str) -> str:
        """
        Check what a URL tells by itself; where its name leads is for :class:`SsrfGuard`.

        :param url: The URL, as the service or a redirect gave it.
        :return: The URL to send: byte for byte the same but for spaces and characters beyond ASCII, which are
            percent-encoded, and for the host, which is as DNS spells it or an address in its usual notation.
        :raises UnsafeUrlError: if it must not be fetched.
        """
        shown = signed_urls.mask(url)
        try:
            scheme, host, port, rest = _split(url)
            address = hosts.address_of(host)
        except ValueError:
            raise UnsafeUrlError(f"The URL {shown} cannot be sent: it is malformed.") from None
        if scheme != "https" and not (scheme == "http" and self.allow_http):
            raise UnsafeUrlError(f"The URL {shown} is {scheme}, not https as the API is.")
        if purpose := self._refuses_name(host) if address is None else self.refuses_address(str(address)):
            raise UnsafeUrlError(f"The URL {shown} leads to a private address: {purpose}.")
        # Not as it was written: a proxy may read 0127.0.0.1 in another way than we do.
        host = host if address is None else f"[{address}]" if address.version == 6 else str(address)
        return f"{scheme}://{host}{port}{rest}"

    def refuses_address(self, address: str) -> str | None:
        """
        Return why a connection to an address is refused.

        :param address: An IPv4 or IPv6 address, as ``getaddrinfo`` gives it.
        :return: What the address is for; None if it may be connected to.
        """
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return "no address"
        return ip_ranges.metadata_service(ip) if self.allow_private else ip_ranges.special_purpose(ip)

    def _refuses_name(self, host: str) -> str | None:
        """Return why a name is refused before any DNS, which a proxy asks where nobody here can see it."""
        if hosts.is_metadata_name(host):
            return "a cloud's metadata service"
        return None if self.allow_private or not hosts.is_inside_name(host) else "a name for use inside networks"


class SsrfGuard:
    """
    A socket factory for a connector, which refuses private addresses after DNS, at each connection.

    :param policy: What URLs may be.
    """

    def __init__(self, policy: UrlPolicy) -> None:
        self._policy = policy
        self._to_proxy = False
        #: The address refused since :meth:`expect` and what it is for, if one was.
        self.refused: str | None = None

    def expect(self, *, to_proxy: bool) -> None:
        """
        Prepare for the next request.

        :param to_proxy: Whether it goes to a proxy, which the user named and which may be anywhere. The proxy
            resolves the URL's host, so that only :meth:`UrlPolicy.check` stands before it.
        """
        self._to_proxy = to_proxy
        self.refused = None

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """
        Make a socket.

        :param info: The address as ``getaddrinfo`` gives it.
        :return: One that is not connected.
        :raises ConnectionRefusedError: for a refused address, which :attr:`refused` tells then.
        """
        family, kind, protocol, _, address = info
        purpose = None if self._to_proxy else self._policy.refuses_address(str(address[0]))
        if purpose:
            self.refused = f"{address[0]} ({purpose})"
            raise ConnectionRefusedError(f"{address[0]} is not a public address")
        return socket.socket(family, kind, protocol)


def is_public(address: str) -> bool:
    """
    Return whether an IP address is of the public Internet, also when it hides an IPv4 address in IPv6.

    :param address: An IPv4 or IPv6 address.
    :return: False also for anything else.
    """
    return UrlPolicy().refuses_address(address) is None


def _split(url: str) -> tuple[str, str, str, str]:
    """
    Return scheme, host, port with its colon, path and query of a URL.

    :raises ValueError: if it has no host, a user or password (which would become a header of their own), a control
        character (which would begin another request), or a port that cannot be connected to.
    """
    found = _URL.fullmatch(url.strip())
    if not found or any(character < " " or character == "\x7f" for character in found[0]):
        raise ValueError("no URL")
    parts = urlsplit(f"//{found[2]}")
    if parts.username is not None or parts.port == 0 or not parts.hostname:
        raise ValueError("no host")
    host = hosts.ascii_host(parts.hostname)
    if "[" in found[2] and ":" not in host:  # which Python before 3.11.4 lets through
        raise ValueError("no IPv6 address")
    port = "" if parts.port is None else f":{parts.port}"
    return found[1].lower(), host, port, quote(found[3] or "", safe=string.punctuation, errors="surrogateescape")
