"""The base URL, in every form in which a connection may say it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from airflow_provider_siliconflow.hooks.base_url import DEFAULT_BASE_URL
from tests.unit.hooks.connections import CN, COM, form, read
from tests.unit.hooks.scripted_server import KEY


@pytest.mark.parametrize(
    ("connection", "base_url"),
    [
        (form(), DEFAULT_BASE_URL),
        (form(host=""), DEFAULT_BASE_URL),
        (form(host=CN), CN),
        (form(host=f"{CN}/"), CN),
        (form(host=f" {CN}// "), CN),
        (form(host="https://api.siliconflow.com"), COM),
        (form(host="https://api.siliconflow.com/"), COM),
        (form(host="api.siliconflow.com"), COM),
        (form(host="api.siliconflow.com/v1/"), COM),
        (form(host="https://api.ap.siliconflow.com/v2"), "https://api.ap.siliconflow.com/v2"),
        (form(host="http://127.0.0.1:8765/v1"), "http://127.0.0.1:8765/v1"),
        (form(host="http://127.0.0.1:8765/com/v1/"), "http://127.0.0.1:8765/com/v1"),
        (form(host="http://127.0.0.1", port=8765), "http://127.0.0.1:8765/v1"),
        (form(host=CN, port=443), CN),
        (form(host="http://127.0.0.1:80/v1"), "http://127.0.0.1/v1"),
        (form(host="http://127.0.0.1/v1", port=443), "http://127.0.0.1:443/v1"),
        (form(host="http://127.0.0.1/v2", port=8765), "http://127.0.0.1:8765/v2"),
        (form(host="http://127.0.0.1:8765", port=1), "http://127.0.0.1:8765/v1"),
        (form(host="127.0.0.1", port=0, schema="/v3/"), "https://127.0.0.1/v3"),
        (form(host="https://user:word@api.siliconflow.cn/v1"), CN),
        (form(host="http://[::1]:8765/v1"), "http://[::1]:8765/v1"),
        (form(host="api.siliconflow.com", schema="https"), COM),
        (form(host="api.siliconflow.com", schema="HTTPS", port=443), COM),
        (form(host="127.0.0.1", schema="http", port=8765), "http://127.0.0.1:8765/v1"),
        (form(host="127.0.0.1/v2", schema="http", port=8765), "http://127.0.0.1:8765/v2"),
        (form(host="https://api.siliconflow.com", schema="http"), COM),
        (form(host="api.siliconflow.com", schema="v2"), "https://api.siliconflow.com/v2"),
        (form(schema="https"), DEFAULT_BASE_URL),
        (form(host="https://视频.example/v1"), "https://xn--cy2a840a.example/v1"),
        (f"siliconflow://:{KEY}@api.siliconflow.com/https", COM),
        (f"siliconflow://:{KEY}@127.0.0.1:8765/http", "http://127.0.0.1:8765/v1"),
        (f"siliconflow://https://:{KEY}@api.siliconflow.com", COM),
        (f"siliconflow://:{KEY}@", DEFAULT_BASE_URL),
        (f"siliconflow://:{KEY}@/", DEFAULT_BASE_URL),
        (f"siliconflow://:{KEY}@api.siliconflow.com", COM),
        (f"siliconflow://:{KEY}@api.siliconflow.com/", COM),
        (f"siliconflow://:{KEY}@api.siliconflow.com/v1", COM),
        (f"siliconflow://:{KEY}@api.siliconflow.com:443/v1", COM),
        (f"siliconflow://:{KEY}@{quote(CN, safe='')}", CN),
        (f"siliconflow://:{KEY}@{quote('http://127.0.0.1', safe='')}:8765/v1", "http://127.0.0.1:8765/v1"),
        (f"siliconflow://:{KEY}@{quote('http://127.0.0.1:8765/v1', safe='')}", "http://127.0.0.1:8765/v1"),
    ],
)
def test_every_form_of_a_host(monkeypatch: pytest.MonkeyPatch, connection: str, base_url: str) -> None:
    settings = read(monkeypatch, connection)
    assert (settings.base_url, settings.api_key) == (base_url, KEY)


@pytest.mark.parametrize(
    "host",
    [
        *("http://localhost:8765", "http://sandbox", "http://127.0.0.2/v1", "http://10.1.2.3", "http://[fd00::1]/v1"),
        *("http://sandbox.internal", "http://a.svc.cluster.local/v1", "http://api.test"),
    ],
)
def test_plain_http_within_a_private_network(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert read(monkeypatch, form(host=host)).base_url.startswith("http://")


def test_plain_http_to_a_public_host_by_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in (True, "true", "yes", 1):
        settings = read(monkeypatch, form(host="http://api.siliconflow.cn/v1", extra={"allow_http": word}))
        assert settings.base_url == "http://api.siliconflow.cn/v1"
