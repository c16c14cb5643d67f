"""URLs are fetched within the policy: names, redirects, proxies and certificates."""

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
from airflow_provider_siliconflow.archive.options import DownloadOptions
from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, UnsafeUrlError
from tests.unit.archive.origin import SECRET, Origin, Reply, honest

#: A public address that is never connected to: an API there makes the strict rules apply, for http URLs too.
PUBLIC_API = "http://8.8.8.8/v1"


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
        assert f"http://{host}:{inside.port}/x?***" in str(caught.value)
        assert "http://outside.invalid/x redirected to it" in str(caught.value)
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


async def test_odd_characters_reach_the_storage_percent_encoded(stage: Path) -> None:
    async with Origin() as origin:
        origin.script = [
            # Bytes of a header are not always UTF-8; a storage that sends them expects them back.
            Reply(302, headers={"Location": "/a b/caf\xe9%2F?x=1 2"}),
            Reply(302, headers={"Location": "/猫".encode().decode("latin-1")}),
        ]
        await download(f" {origin.base_url}/a b/猫%2F?名=1 2#t\n", stage, DownloadOptions(origin.base_url))
        assert [request.target for request in origin.requests] == [
            "/v1/a%20b/%E7%8C%AB%2F?%E5%90%8D=1%202",
            "/a%20b/caf%E9%2F?x=1%202",
            "/%E7%8C%AB",
        ]


async def test_redirects_end(stage: Path) -> None:
    async with Origin() as origin:
        origin.otherwise = lambda request: Reply(301, headers={"Location": request.target})
        with pytest.raises(UnsafeUrlError, match=r"redirects more than 5 times, at last to http://127\.0\.0\.1:\d+/"):
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
