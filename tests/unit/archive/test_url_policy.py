from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_siliconflow.archive.download import download
from airflow_provider_siliconflow.archive.storage import DownloadOptions
from airflow_provider_siliconflow.archive.url_policy import SsrfGuard, UrlPolicy, is_public
from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, UnsafeUrlError
from tests.unit.archive.origin import SECRET, Origin, Reply, honest

#: A public address that is never connected to: an API there makes the strict rules apply, for http links too.
PUBLIC_API = "http://8.8.8.8/v1"


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "47.96.0.1", "2400:3200::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"],
)
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


_NO_INTERNET = """
    127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1 203.0.113.9
    :: ::1 fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1 100::1 2001:db8::1 2001::1
    ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 2002:7f00:1::1 2002:a9fe:a9fe::
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 localhost 1.2.3
"""


@pytest.mark.parametrize("address", _NO_INTERNET.split())
def test_addresses_of_no_internet(address: str) -> None:
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
async def test_links_may_be_what_the_api_is(base_url: str, rules: UrlPolicy) -> None:
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


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "//example.com/x",
        "",
        "not a link",
        "https:///x",
        "https://example.com:0/x",
        "https://example.com:99999/x",
        "https://[::1/x",
        "https://user:secret@example.com/x",
        "https://user@example.com/x",
        "https://example.com/x y",
        "https://example.com/x\r\nHost: other",
        "https://example.com/猫",
        "https://127.0.0.1/x",
        "https://127.0.0.1./x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://017700000001/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
        "https://LOCALHOST./x",
        "https://a.localhost/x",
    ],
)
def test_links_that_are_refused_by_their_looks(url: str) -> None:
    with pytest.raises(UnsafeUrlError):
        UrlPolicy().check(url)


@pytest.mark.parametrize(
    "url", ["https://s3.example.cn/a%2Fb?c=d", "https://8.8.8.8:8443/x", "https://[2400:3200::1]/"]
)
def test_links_that_look_well(url: str) -> None:
    UrlPolicy().check(url)


def test_the_guard_judges_each_address() -> None:
    guard = SsrfGuard(UrlPolicy())
    with pytest.raises(ConnectionRefusedError):
        guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443)))
    assert guard.refused == "10.0.0.1"
    guard.expect(to_proxy=True)
    assert guard.refused is None
    guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))).close()
    guard.expect(to_proxy=False)
    guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))).close()
    SsrfGuard(UrlPolicy(allow_private=True))((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 1))).close()


@pytest.fixture
def evil_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the names of ``.example`` lead to this machine, as an attacker's DNS can."""
    real = socket.getaddrinfo

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".example") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.mark.usefixtures("evil_dns")
async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(stage: Path) -> None:
    async with Origin() as origin:
        url = f"http://videos.example:{origin.port}/x?{SECRET}"
        with pytest.raises(UnsafeUrlError, match=r"http://videos\.example:\d+/x\?\*\*\* leads to .* 127\.0\.0\.1"):
            await download(url, stage, DownloadOptions(PUBLIC_API, max_backoff=0))
        assert origin.requests == []
        await download(url, stage, DownloadOptions(origin.base_url, max_backoff=0))
        assert len(origin.requests) == 1


@pytest.mark.usefixtures("evil_dns")
@pytest.mark.parametrize("host", ["inside.example", "127.0.0.1", "[::1]", "0x7f.1"])
async def test_a_redirect_inside_is_refused(stage: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Origin() as origin, Origin() as inside:
        origin.script = [Reply(302, headers={"Location": f"http://{host}:{inside.port}/x?{SECRET}"})]
        # The first hop goes through a proxy that is the origin itself: so it may be reached, and answers for outside.
        monkeypatch.setenv("http_proxy", origin.base_url.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "inside.example,127.0.0.1,::1,0x7f.1")
        with pytest.raises(UnsafeUrlError, match="private address") as caught:
            await download("http://outside.invalid/x", stage, DownloadOptions(PUBLIC_API, max_backoff=0))
        assert SECRET not in str(caught.value)
        assert len(origin.requests) == 1
        assert inside.requests == []


async def test_redirects_are_followed_without_credentials(stage: Path) -> None:
    async with Origin() as other, Origin() as origin:
        target = f"http://localhost:{other.port}/a%2Fb?{SECRET}"
        origin.script = [
            Reply(302, headers={"Location": "/relative%2F?x=1", "Set-Cookie": "a=b"}),
            Reply(307, headers={"Location": target}),
        ]
        await download(origin.url(), stage, DownloadOptions(origin.base_url))
        assert [request.target for request in origin.requests[1:]] == ["/relative%2F?x=1"]
        assert "cookie" not in origin.requests[1].headers
        (last,) = other.requests
        assert last.target == f"/a%2Fb?{SECRET}"
        assert last.headers["host"] == f"localhost:{other.port}"
        assert not {"authorization", "cookie", "referer"} & set(last.headers)


async def test_redirects_end(stage: Path) -> None:
    async with Origin() as origin:
        origin.otherwise = lambda request: Reply(301, headers={"Location": request.target})
        with pytest.raises(UnsafeUrlError, match="more than 5"):
            await download(origin.url(), stage, DownloadOptions(origin.base_url))
        assert len(origin.requests) == 6
        origin.script = [Reply(302, headers={"Location": "/again"})] * 5
        origin.otherwise = honest
        await download(origin.url(), stage, DownloadOptions(origin.base_url))


@pytest.mark.parametrize("named", [True, False], ids=["setting", "environment"])
async def test_a_proxy_is_used(stage: Path, named: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Origin() as proxy:
        address = f"http://me:word@127.0.0.1:{proxy.port}"
        if not named:
            monkeypatch.setenv("http_proxy", address)
        network = DownloadOptions(PUBLIC_API, proxy=address if named else None)
        await download("http://videos.example/a%2Fb?c=d", stage, network)
        (request,) = proxy.requests
        assert request.target == "http://videos.example/a%2Fb?c=d"
        assert "authorization" not in request.headers
        assert request.headers["proxy-authorization"].startswith("Basic ")


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[Origin, Path]]:
    """Serve over TLS with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "origin")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    pem = tmp_path / "origin.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(certificate.public_bytes(encoding) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with Origin(tls=context) as origin:
        yield origin, pem


async def test_tls_is_verified_as_the_connection_says(secure: tuple[Origin, Path], stage: Path) -> None:
    origin, pem = secure
    with pytest.raises(SiliconFlowConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        await download(origin.url(), stage, DownloadOptions(origin.base_url, max_attempts=1))
    assert origin.requests == []
    await download(origin.url(), stage, DownloadOptions(origin.base_url, ssl=False))
    await download(
        origin.url(), stage, DownloadOptions(origin.base_url, ssl=ssl.create_default_context(cafile=str(pem)))
    )
    with pytest.raises(UnsafeUrlError, match="http, not https"):
        await download(origin.url().replace("https", "http"), stage, DownloadOptions(origin.base_url))
