from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from airflow_provider_siliconflow.archive.ip_ranges import special_purpose
from airflow_provider_siliconflow.archive.url_policy import SsrfGuard, UrlPolicy, is_public
from airflow_provider_siliconflow.exceptions import UnsafeUrlError
from tests.unit.archive.test_ip_ranges import ADDRESSES
from tests.unit.archive.urls import METADATA_URLS, NO_URLS, PRIVATE_URLS

#: A public address that is never connected to: an API there makes the strict rules apply, for http URLs too.
PUBLIC_API = "http://8.8.8.8/v1"


@pytest.mark.parametrize("case", ADDRESSES, ids=lambda case: case["input"])
def test_an_address_is_checked_by_the_tables(case: dict[str, Any]) -> None:
    """The corpus and the tables are compared in test_ip_ranges."""
    assert is_public(case["input"]) == (special_purpose(ip_address(case["input"])) is None)


@pytest.mark.parametrize("address", ["localhost", "1.2.3", "", "8.8.8.8.", "::1%lo", "2400:3200::1%eth0", "::/0"])
def test_what_no_resolver_gives_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("base_url", "rules"),
    [
        ("https://8.8.8.8/v1", UrlPolicy()),
        ("http://8.8.8.8/v1", UrlPolicy(allow_http=True)),
        ("http://127.0.0.1:8765/v1", UrlPolicy(allow_http=True, allow_private=True)),
        ("https://localhost/v1", UrlPolicy(allow_private=True)),
        ("https://[::1]/v1", UrlPolicy(allow_private=True)),
    ],
)
async def test_urls_may_be_what_the_api_is(base_url: str, rules: UrlPolicy) -> None:
    assert await UrlPolicy.of_api(base_url) == rules


async def test_an_api_that_cannot_be_found_is_taken_for_public(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert await UrlPolicy.of_api("https://api.example/v1") == UrlPolicy()


async def test_an_api_with_one_public_address_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", (address, 0)) for address in ("10.0.0.1", "8.8.8.8")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert not (await UrlPolicy.of_api("https://api.example/v1")).allow_private


@pytest.mark.parametrize("url", NO_URLS)
def test_what_cannot_be_sent_is_refused_by_every_policy(url: str) -> None:
    for policy in (UrlPolicy(), UrlPolicy(allow_http=True, allow_private=True)):
        with pytest.raises(UnsafeUrlError):
            policy.check(url)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1.", "127..1", "1.2.3.4.", "127.0.0.1%lo", "08", "300.1.2.3", "0x", "[fe80::1%25eth0]", "[::1%lo]"],
)
def test_broken_addresses_are_refused_by_every_policy(host: str) -> None:
    for policy in (UrlPolicy(), UrlPolicy(allow_private=True)):
        with pytest.raises(UnsafeUrlError, match="cannot be sent"):
            policy.check(f"https://{host}/x")


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_private_hosts_are_for_private_apis(url: str) -> None:
    with pytest.raises(UnsafeUrlError, match="private address"):
        UrlPolicy().check(url)
    UrlPolicy(allow_private=True).check(url)


@pytest.mark.parametrize("url", METADATA_URLS)
def test_metadata_services_are_refused_by_every_policy(url: str) -> None:
    for policy in (UrlPolicy(), UrlPolicy(allow_http=True, allow_private=True)):
        with pytest.raises(UnsafeUrlError, match="private address"):
            policy.check(url)


def test_plain_http_is_for_apis_that_are_plain_http() -> None:
    with pytest.raises(UnsafeUrlError, match="is http, not https"):
        UrlPolicy().check("http://example.com/x")
    assert UrlPolicy(allow_http=True).check("HTTP://example.com/x") == "http://example.com/x"


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.example.cn/a%2Fb?c=d",
        "https://8.8.8.8:8443/x",
        "https://[2400:3200::1]/",
        "https://[64:ff9b::2f60:1]/",
        "https://bucket_1.oss-cn-shanghai.aliyuncs.com/a//b/../c?X-Amz-Signature=%2f%2F&b=+&c=a=b&&d='\"<>^`{|}!$()*,;:@[]",
        "https://example.com?x",
        "https://example.com",
        "https://example.com/?",
        "https://example.com/a%zz%",
        "https://1.2.3.4.5/x",
        "https://123.example/x",
    ],
)
def test_a_url_is_sent_byte_for_byte(url: str) -> None:
    assert UrlPolicy().check(url) == url


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://example.com/a b?c=d e", "https://example.com/a%20b?c=d%20e"),
        ("https://example.com/猫%2F?名=值", "https://example.com/%E7%8C%AB%2F?%E5%90%8D=%E5%80%BC"),
        (" https://example.com/x\n", "https://example.com/x"),
        ("https://example.com/x#t=1 猫", "https://example.com/x"),
        ("https://视频.example.cn/x", "https://xn--cy2a840a.example.cn/x"),
        ("https://EXAMPLE.com:0443/X", "https://example.com:443/X"),
        # The bytes of a Location header that are no UTF-8, as aiohttp gives them.
        ("https://example.com/caf\udce9", "https://example.com/caf%E9"),
    ],
)
def test_a_paid_video_is_not_lost_for_a_character(url: str, sent: str) -> None:
    assert UrlPolicy().check(url) == sent


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://1572395042/x", "https://93.184.216.34/x"),
        # Octal for C, decimal for others: what is sent can be read in one way only.
        ("https://0127.0.0.1:80/x", "https://87.0.0.1:80/x"),
        ("https://8.8/x", "https://8.0.0.8/x"),
        ("https://[64:FF9B:0::47.96.0.1]:80/x", "https://[64:ff9b::2f60:1]:80/x"),
    ],
)
def test_an_address_is_sent_in_its_usual_notation(url: str, sent: str) -> None:
    assert UrlPolicy().check(url) == sent


@given(st.text(max_size=40), st.text(max_size=40))
@example("", "\\@127.0.0.1/")
@example("@", "#@127.0.0.1")
def test_whatever_is_sent_has_the_host_that_was_checked(before: str, after: str) -> None:
    """No text gets a URL past the check whose host aiohttp understands in another way."""
    try:
        sent = UrlPolicy().check(f"https://{before}example.com{after}")
    except UnsafeUrlError:
        return
    target = URL(sent, encoded=True)
    assert sent.isascii()
    assert target.raw_host == urlsplit(sent).hostname
    assert target.user is None
    assert UrlPolicy().check(sent) == sent


BLOCKED = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).filter(special_purpose)


@given(BLOCKED)
def test_no_address_that_is_blocked_passes_as_a_literal_or_after_dns(address: Any) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    with pytest.raises(UnsafeUrlError):
        UrlPolicy().check(f"https://{host}/x")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with pytest.raises(ConnectionRefusedError):
        SsrfGuard(UrlPolicy())((family, socket.SOCK_STREAM, 6, "", (str(address), 443)))


def _resolved(host: str) -> set[str]:
    """Return the addresses that this machine's resolver takes a text for without asking anybody."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError, ValueError):
        return set()
    return {str(info[4][0]) for info in found}


@settings(max_examples=1000)
@given(
    st.one_of(
        st.text(alphabet="0123456789abcdefxX.:%lo１。", min_size=1, max_size=28),
        st.ip_addresses(v=6).map(lambda address: address.exploded),
        st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
        st.ip_addresses(v=4).map(lambda address: f"64:ff9b::{address}"),
    )
)
@example("127.1")
@example("0x7f.1")
@example("fe80::1%lo")
@example("::127.0.0.1")
@example("１27.1")
def test_what_the_resolver_takes_for_an_address_is_sent_as_that_address_or_refused(host: str) -> None:
    for written in (host, f"[{host}]"):
        try:
            sent = UrlPolicy().check(f"https://{written}/x")
        except UnsafeUrlError:
            continue
        meant = _resolved(urlsplit(sent).hostname or "")
        assert all(map(is_public, meant))
        assert meant >= _resolved(host)


def test_the_guard_checks_each_address() -> None:
    guard = SsrfGuard(UrlPolicy())
    with pytest.raises(ConnectionRefusedError):
        guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443)))
    assert guard.refused == "10.0.0.1 (private use)"
    guard.expect(to_proxy=True)
    assert guard.refused is None
    guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))).close()
    guard.expect(to_proxy=False)
    guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))).close()


def test_the_guard_of_a_private_api_still_refuses_metadata_services() -> None:
    guard = SsrfGuard(UrlPolicy(allow_private=True))
    guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 1))).close()
    for address in ("169.254.169.254", "168.63.129.16"):
        with pytest.raises(ConnectionRefusedError):
            guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)))
        assert (guard.refused or "").startswith(f"{address} (")
    with pytest.raises(ConnectionRefusedError):
        guard((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00:ec2::254", 80, 0, 0)))
