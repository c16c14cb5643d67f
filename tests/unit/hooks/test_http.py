"""What hooks and downloads share: one TLS context for each ``verify``, and one answer to which proxy to take."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from requests.utils import should_bypass_proxies

from airflow_provider_siliconflow.archive.options import DownloadOptions
from airflow_provider_siliconflow.archive.url_source import RefreshableUrl, utc_now
from airflow_provider_siliconflow.client.endpoints import Endpoint
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.client.parsing import read_balance
from airflow_provider_siliconflow.client.response import Response
from airflow_provider_siliconflow.client.retry import Route
from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.hooks.exchange import Reply, Request
from airflow_provider_siliconflow.hooks.http import check_proxies, proxy_for, tls_context
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.hooks.siliconflow_async import SiliconFlowAsyncHook
from tests.conftest import ROOT
from tests.proxies import self_signed
from tests.unit.hooks.fixtures import Connect
from tests.unit.hooks.scripted_server import KEY

API, STORAGE = "https://api.siliconflow.cn/v1", "https://bucket.oss-cn-shanghai.aliyuncs.com/a.mp4?Signature=x"


@pytest.fixture
def new_contexts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the contexts that are made from now on."""
    contexts: list[Any] = []
    original = ssl.create_default_context

    def create(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        contexts.append(kwargs)
        return original(*args, **kwargs)

    monkeypatch.setattr(ssl, "create_default_context", create)
    return contexts


def test_one_context_for_each_verify(new_contexts: list[Any], tmp_path: Path) -> None:
    bundle = str(self_signed(tmp_path)[0])
    contexts = [tls_context(verify) for verify in (True, False, bundle, True, False, bundle)]
    assert contexts[:3] == contexts[3:]
    assert len({*map(id, contexts)}) == 3
    assert [context.verify_mode for context in contexts[:3]] == [ssl.CERT_REQUIRED, ssl.CERT_NONE, ssl.CERT_REQUIRED]
    assert new_contexts.count({"cafile": bundle}) == 1


def test_a_bundle_that_was_replaced_is_read_anew(new_contexts: list[Any], tmp_path: Path) -> None:
    bundle = self_signed(tmp_path)[0]
    before = tls_context(str(bundle))
    new = tmp_path / "new"
    new.mkdir()
    os.replace(self_signed(new, "another.test")[0], bundle)
    assert tls_context(str(bundle)) is not before
    assert len(new_contexts) == 2


def test_a_folder_of_authorities(new_contexts: list[Any], tmp_path: Path) -> None:
    assert tls_context(str(tmp_path)) is tls_context(str(tmp_path))
    assert new_contexts == [{"capath": str(tmp_path)}]


def test_hooks_of_many_connections_share_their_context(
    connect: Connect, new_contexts: list[Any], tmp_path: Path
) -> None:
    bundle = str(self_signed(tmp_path)[0])
    for number in range(20):
        connect(f"https://host{number}.test/v1", verify=bundle)
        assert SiliconFlowHook().ssl is tls_context(bundle)
    assert len(new_contexts) == 1


async def test_polling_over_plain_http_makes_no_context(
    connect: Connect, new_contexts: list[Any], tmp_path: Path
) -> None:
    connect("http://127.0.0.1:1/v1", verify=str(self_signed(tmp_path)[0]))
    async with SiliconFlowAsyncHook():
        assert new_contexts == []


async def test_polling_through_a_proxy_over_tls_makes_one(
    connect: Connect, new_contexts: list[Any], tmp_path: Path
) -> None:
    connect("http://127.0.0.1:1/v1", verify=str(self_signed(tmp_path)[0]), proxy="https://127.0.0.1:2")
    async with SiliconFlowAsyncHook(), SiliconFlowAsyncHook():
        assert len(new_contexts) == 1


def settings(**fields: Any) -> Settings:
    return Settings(API, KEY, **fields)


KNOWS_DOMAINS = pytest.mark.skipif(
    should_bypass_proxies(API, no_proxy="conflow.cn"),
    reason="this release of requests (2.32, on Airflow 3.0 and 3.1) takes the end of a name for a domain",
)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, API, None),
        ({"https_proxy": "http://p:1"}, API, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, STORAGE, "http://p:1"),
        ({"https_proxy": "p:1"}, STORAGE, "http://p:1"),
        ({"https_proxy": "user:word@p:1"}, STORAGE, "http://user:word@p:1"),
        ({"https_proxy": "https://p:1"}, STORAGE, "https://p:1"),
        ({"http_proxy": "http://p:1"}, STORAGE, None),
        ({"http_proxy": "p:1"}, "http://127.0.0.1:9/v1", "http://p:1"),
        ({"all_proxy": "p:1"}, STORAGE, "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, API, "http://p:1"),
        ({"all_proxy": "http://p:1", "https_proxy": "http://q:2"}, STORAGE, "http://q:2"),
        ({"all_proxy": "socks5://p:1", "https_proxy": "http://q:2"}, STORAGE, "http://q:2"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"}, API, "http://p:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://q:2"}, API, None),
        ({"https_proxy": "p:1", "no_proxy": "*"}, API, None),
        ({"https_proxy": "p:1", "NO_PROXY": "siliconflow.cn"}, API, None),
        ({"https_proxy": "p:1", "no_proxy": ".siliconflow.cn, other"}, API, None),
        pytest.param({"https_proxy": "p:1", "no_proxy": "conflow.cn"}, API, "http://p:1", marks=KNOWS_DOMAINS),
        ({"https_proxy": "p:1", "no_proxy": "api.siliconflow.cn:8443"}, API, "http://p:1"),
        ({"https_proxy": "p:1", "no_proxy": "h.test:8443"}, "https://h.test:8443/v1", None),
        ({"http_proxy": "p:1", "no_proxy": "10.0.0.0/8"}, "http://10.1.2.3/v1", None),
        ({"http_proxy": "p:1", "no_proxy": "10.0.0.0/8"}, "http://11.1.2.3/v1", "http://p:1"),
        ({"http_proxy": "p:1", "no_proxy": "10.1.2.3"}, "http://10.1.2.3:80/v1", None),
    ],
)
def test_the_proxy_on_the_way(
    environment: dict[str, str], url: str, proxy: str | None, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url, settings()) == proxy
    assert proxy_for(url, settings(proxy="http://own:3")) == "http://own:3"


@pytest.mark.parametrize(
    "proxy", ["socks5://u:s3cr3t@p:1", "socks5h://p:1", "ftp://p", "http://", "http://[::1", "p:x"]
)
@pytest.mark.parametrize("name", ["https_proxy", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_used_is_told_before_any_money(
    name: str, proxy: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The API is asked over plain http, so only the downloads of the paid video would meet it.
    connect("http://127.0.0.1:1/v1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(name, proxy)
    with pytest.raises(SiliconFlowConfigError, match="only http and https proxies can be used") as caught:
        _ = SiliconFlowHook().settings
    assert "s3cr3t" not in str(caught.value)
    check_proxies(settings(proxy="http://own:3"))
    monkeypatch.setenv("no_proxy", "*")
    check_proxies(settings())


def test_a_thousand_contexts_cost_no_more_memory_than_one(tmp_path: Path) -> None:
    # In a process of its own: what was made before would hide what is made now.
    program = """
import resource
from airflow_provider_siliconflow.hooks.http import tls_context
tls_context(True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kept = [tls_context(True) for _ in range(1000)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(ran.stdout.split()[-1]) < 10_000, "kB; each context has 900"


def test_nothing_that_carries_a_secret_shows_it() -> None:
    """A debugger, a test report and an error tracker show every variable."""
    key, url = "sk-" + "a1B2" * 12, "https://h/clip.mp4?Expires=1&Signature=zqA4b5cD6eF7g8H9i"
    headers = {"authorization": f"Bearer {key}", "location": url}
    carriers: list[object] = [
        Request("POST", url, headers, url.encode()),
        Reply(200, headers, url.encode()),
        Response(200, headers, url.encode(), "https://h", (key,)),
        DownloadOptions("https://h", proxy=f"http://user:{key}@proxy:3128"),
        Settings("https://h", key, proxy=f"http://user:{key}@proxy:3128"),
        VideoStatus("abc", VideoState.SUCCEED, urls=(url,)),
        RefreshableUrl(url, None, utc_now, 1.0),
        Endpoint(Route.FREE, "GET", "/", read_balance, body={"image": url}),
    ]
    shown = repr(carriers) + str(carriers)
    assert key not in shown
    assert "zqA4b5cD6eF7g8H9i" not in shown
