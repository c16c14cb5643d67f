"""Every form in which a connection may come, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection as AirflowConnection
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.label import VideoLabel
from airflow_provider_siliconflow.spend_limit import SpendLimit
from tests.unit.hooks.connections import form, read
from tests.unit.hooks.fixtures import CONNECTION
from tests.unit.hooks.scripted_server import KEY


@pytest.mark.parametrize(
    "connection",
    [
        form(extra={"timeout": 5, "max_attempts": 2, "max_backoff": 7, "proxy": "http://p:3128", "verify": False}),
        form(
            extra=json.dumps(
                {"timeout": "5", "max_attempts": "2", "max_backoff": "7", "proxy": " http://p:3128", "verify": "no"}
            )
        ),
        f"siliconflow://:{KEY}@?timeout=5&max_attempts=2&max_backoff=7&proxy=http%3A%2F%2Fp%3A3128&verify=false",
    ],
)
def test_every_form_of_the_extra_fields(monkeypatch: pytest.MonkeyPatch, connection: str) -> None:
    settings = read(monkeypatch, connection)
    assert (settings.timeout, settings.max_attempts, settings.max_backoff) == (5.0, 2, 7.0)
    assert (settings.proxy, settings.verify) == ("http://p:3128", False)


def test_a_proxy_may_lack_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, form(extra={"proxy": "user:word@p:3128"})).proxy == "http://user:word@p:3128"


@pytest.mark.parametrize("empty", [None, ""])
def test_fields_left_empty_in_the_form_mean_the_defaults(monkeypatch: pytest.MonkeyPatch, empty: str | None) -> None:
    names = ("timeout", "max_attempts", "max_backoff", "proxy", "verify")
    settings = read(monkeypatch, form(extra=dict.fromkeys(names, empty)))
    assert settings == read(monkeypatch, form())
    assert (settings.timeout, settings.max_attempts, settings.max_backoff) == (60.0, 5, 30.0)
    assert (settings.proxy, settings.verify) == (None, True)


@pytest.mark.parametrize(
    ("given", "verify"),
    [
        ("true", True),
        ("TRUE ", True),
        ("1", True),
        (1, True),
        ("yes", True),
        ("no", False),
        (0, False),
        ("False", False),
    ],
)
def test_verify_in_words(monkeypatch: pytest.MonkeyPatch, given: object, verify: bool) -> None:
    assert read(monkeypatch, form(extra={"verify": given})).verify is verify


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        (form(password=None), "has no API key: put it into the password"),
        (form(password="  "), "has no API key"),
        (form(password="sk-a b"), "characters that no key has"),
        (form(password="sk-a\nX-Header: b"), "characters that no key has"),
        (form(password="sk-键"), "characters that no key has"),
        (form(host="ftp://api.siliconflow.cn"), "is not a URL like https://api.siliconflow.cn/v1"),
        (form(host="http://"), "is not a URL like"),
        (form(host="api siliconflow cn"), "is not a URL like"),
        (form(host="http://127.0.0.1:99999/v1"), "is not a URL like"),
        (form(host="http://127.0.0.1:0/v1"), "is not a URL like"),
        (form(host="http://127.0.0.1:port/v1"), "is not a URL like"),
        (form(host="http://[::1/v1"), "is not a URL like"),
        (form(host=f"http://{'a' * 64}.cn/v1"), "is not a URL like"),
        (form(host="https://api.siliconflow.cn/v 1"), "is not a URL like"),
        (form(host="https://api.siliconflow.cn/版本"), "is not a URL like"),
        (form(host="https://api.siliconflow.cn/v1?key=1"), "is not a URL like"),
        (form(host="https://api.siliconflow.cn", port=70000), "is not a URL like"),
        (form(host="http://api.siliconflow.cn/v1"), "would travel unencrypted to api.siliconflow.cn"),
        (form(host="api.siliconflow.cn", schema="http"), "would travel unencrypted to api.siliconflow.cn"),
        (form(host="http://93.184.216.34/v1"), "would travel unencrypted to 93.184.216.34"),
        (form(host="http://[2606:4700::1111]/v1"), "would travel unencrypted to 2606:4700::1111"),
        (form(host="http://api.siliconflow.cn/v1", extra={"allow_http": "no"}), "would travel unencrypted"),
        (form(extra={"timeout": "soon"}), "timeout 'soon': it must be a valid number"),
        (form(extra={"timeout": 0}), "timeout '0': it must be greater than 0"),
        (form(extra={"timeout": 1e12}), "timeout '1000000000000.0': it must be less than or equal to 86400"),
        (form(extra={"timeout": "1e400"}), "timeout '1e400': it must be a finite number"),
        (form(extra={"timeout": "inf"}), "timeout 'inf': it must be a finite number"),
        (form(extra={"timeout": "nan"}), "timeout 'nan': it must be a finite number"),
        (form(extra={"timeout": True}), "timeout 'True': it must be a number"),
        (form(extra={"timeout": [1]}), "timeout '[1]': it must be a valid number"),
        (form(extra={"timeout": "9" * 10_000}), "timeout '" + "9" * 60 + "'"),
        (form(extra={"max_attempts": 0}), "max_attempts '0': it must be greater than or equal to 1"),
        (form(extra={"max_attempts": 2.5}), "max_attempts '2.5': it must be a valid integer"),
        (form(extra={"max_attempts": 10**30}), "max_attempts '1000"),
        (form(extra={"max_backoff": -1}), "max_backoff '-1': it must be greater than or equal to 0"),
        (form(extra={"requests_per_minute": 0}), "requests_per_minute '0'"),
        (form(extra={"download_timeout": 0}), "download_timeout '0'"),
        (form(extra={"download_min_rate": "fast"}), "download_min_rate 'fast'"),
        (form(extra={"proxy": "socks5://p:1080"}), "proxy: it must be the URL of an http or https proxy"),
        (form(extra={"proxy": 3128}), "proxy: it must be the URL"),
        (form(extra={"proxy": "http://[::1"}), "proxy: it must be the URL"),
        (form(extra={"proxy": "http://:3128"}), "proxy: it must be the URL"),
        (form(extra={"proxy": "p:0"}), "proxy: it must be the URL"),
    ],
)
def test_a_connection_that_cannot_be_used_says_why(
    monkeypatch: pytest.MonkeyPatch, connection: str, problem: str
) -> None:
    with pytest.raises(SiliconFlowConfigError) as caught:
        read(monkeypatch, connection)
    assert problem in str(caught.value)
    assert "siliconflow_default" in str(caught.value)
    assert KEY not in str(caught.value)


def with_extra(extra: Any) -> Settings:
    """Read a connection as a task gets it; of an environment variable, Airflow 3.0 and 3.1 check the extra before."""
    return Settings.from_connection(
        AirflowConnection(conn_id="siliconflow_default", conn_type="siliconflow", password=KEY, extra=extra)
    )


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("[1]", "the extra is not a JSON object"),
        ([1], "the extra is not a JSON object"),
        ("5", "the extra is not a JSON object"),
        ("true", "the extra is not a JSON object"),
        ("{", "the extra is not JSON"),
        ("timeout=5", "the extra is not JSON"),
        (json.dumps(json.dumps(json.dumps({"timeout": 5}))), "the extra is not a JSON object"),
    ],
)
def test_an_extra_that_is_no_json_object_says_so(extra: Any, problem: str) -> None:
    with pytest.raises(SiliconFlowConfigError, match=problem) as caught:
        with_extra(extra)
    assert "siliconflow_default" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_proxy_that_cannot_be_used_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SiliconFlowConfigError) as caught:
        read(monkeypatch, form(extra={"proxy": "socks5://user:s3cr3t@p:3128"}))
    assert "s3cr3t" not in str(caught.value)


def test_all_that_is_wrong_is_named_at_once_and_no_key_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SiliconFlowConfigError) as caught:
        read(monkeypatch, form(host="ftp://x", password=f"{KEY} {KEY}", extra={"timeout": 0, "max_attempts": "many"}))
    for fact in ("ftp://x", "the API key has characters", "timeout '0'", "max_attempts 'many'", "siliconflow_default"):
        assert fact in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("encode", [json.dumps, lambda extra: json.dumps(json.dumps(extra)), dict])
def test_an_extra_that_was_encoded_twice_is_read(encode: Any) -> None:
    assert with_extra(encode({"timeout": 7})).timeout == 7


def test_settings_show_neither_key_nor_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, form(extra={"proxy": "http://user:s3cr3t@p:3128"}))
    assert KEY not in repr(settings) + str(settings)
    assert "s3cr3t" not in repr(settings)


def test_the_connection_is_not_read_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    assert SiliconFlowHook("absent").siliconflow_conn_id == "absent"


class Connection:
    """Have the fields of an Airflow connection."""

    conn_id = "c"
    schema = None
    password = KEY

    def __init__(self, host: str, port: int | None, extra: str) -> None:
        self.host, self.port, self.extra = host, port, extra


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))
FIELDS = st.dictionaries(st.sampled_from(["timeout", "max_attempts", "max_backoff", "proxy", "verify"]), ANYTHING)


@given(st.one_of(st.text(), st.text().map("http://{}".format)), st.one_of(st.none(), st.integers(0, 70000)), FIELDS)
def test_whatever_was_typed_gives_settings_or_our_own_error(host: str, port: int | None, extra: dict[str, Any]) -> None:
    try:
        settings = Settings.from_connection(Connection(host, port, json.dumps(extra)))  # type: ignore[arg-type]
    except SiliconFlowConfigError:
        return
    assert settings.base_url.startswith(("http://", "https://"))
    assert not settings.base_url.endswith("/")
    assert settings.max_attempts >= 1
    assert settings.timeout > 0


@pytest.mark.parametrize(
    ("extra", "folders"),
    [
        ({}, None),
        ({"image_folders": None}, None),
        ({"image_folders": ""}, None),
        ({"image_folders": []}, ()),
        ({"image_folders": " , "}, ()),
        ({"image_folders": ["/data/images", " /srv/a b/ ", ""]}, ("/data/images", "/srv/a b/")),
        ({"image_folders": "/data/images, /srv/a b/,"}, ("/data/images", "/srv/a b/")),
    ],
)
def test_the_folders_that_images_may_be_in(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], folders: tuple[str, ...] | None
) -> None:
    assert read(monkeypatch, form(extra=extra)).image_folders == folders


@pytest.mark.parametrize("folders", ["images", ["/a", "b"], "~/images", 5, {"/a": 1}, ["/a", 1], True])
def test_folders_that_are_not_understood_are_named(monkeypatch: pytest.MonkeyPatch, folders: Any) -> None:
    with pytest.raises(SiliconFlowConfigError, match="image_folders"):
        read(monkeypatch, form(extra={"image_folders": folders}))


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "api.x?token=zqA4b5cD6eF7"},
        {"host": "ftp://u:zqA4b5cD6eF7@h"},
        {"host": "https://api.x/v1#zqA4b5cD6eF7"},
        {"host": "sk-zqA4b5cD6eF7g8H9 i0J1"},
        {"extra": '{"timeout": "sk-zqA4b5cD6eF7g8H9i0J1"}'},
        {"extra": '{"price": "https://u:zqA4b5cD6eF7@h"}'},
        {"extra": '{"max_attempts": "password-1"}', "password": "password-1"},
    ],
)
def test_a_secret_in_the_wrong_field_is_not_shown(monkeypatch: pytest.MonkeyPatch, fields: dict[str, str]) -> None:
    try:
        shown = repr(read(monkeypatch, form(**{"host": "api.x"} | fields)))
    except SiliconFlowConfigError as error:
        shown = str(error)
    assert "zqA4b5cD6eF7" not in shown
    assert "password-1" not in shown


@pytest.mark.parametrize("label", [{"content_producer": "制作者"}, '{"content_producer": "制作者"}'])
def test_the_label_of_all_videos(monkeypatch: pytest.MonkeyPatch, label: object) -> None:
    assert read(monkeypatch, form(extra={"video_label": label})).video_label == VideoLabel(content_producer="制作者")


@pytest.mark.parametrize("label", [{}, "{", {"content_producer": "a", "visible": {"seconds": 1}}, 7])
def test_a_label_that_cannot_be_understood(monkeypatch: pytest.MonkeyPatch, label: object) -> None:
    with pytest.raises(SiliconFlowConfigError, match="video_label"):
        read(monkeypatch, form(extra={"video_label": label}))


def test_the_spend_limit_of_all_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"folder": "/data/limits", "max_videos_per_day": 50}
    assert read(monkeypatch, form(extra={"spend_limit": json.dumps(fields)})).spend_limit == SpendLimit(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [{}, "{", {"folder": "/data"}, 7])
def test_a_spend_limit_that_cannot_be_understood(monkeypatch: pytest.MonkeyPatch, limit: object) -> None:
    with pytest.raises(SiliconFlowConfigError, match="spend_limit"):
        read(monkeypatch, form(extra={"spend_limit": limit}))
