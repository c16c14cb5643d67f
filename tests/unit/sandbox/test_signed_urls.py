"""URLs that are valid to the byte and the second."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from airflow_provider_siliconflow.client.signed_urls import expires_at
from airflow_provider_siliconflow.sandbox import signed_urls
from tests.unit.sandbox.caller import NOON
from tests.unit.sandbox.conftest import Start

STYLES = ["oss", "sigv4"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seconds", [600, 3600])
def test_a_url_is_valid_until_the_second_it_names(start: Start, style: str, seconds: int) -> None:
    caller = start(url_style=style, url_seconds=seconds)
    _, url = caller.ready()
    assert expires_at(url) == datetime.fromtimestamp(NOON + 600 + seconds, UTC)
    caller.sandbox.advance(seconds)
    assert caller.exact(url)[0] == 200
    caller.sandbox.advance(1)
    status, body = caller.exact(url)
    assert status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired.</Message>" in body


def test_the_styles_look_like_those_in_the_field(start: Start) -> None:
    caller = start(url_style="both")
    oss, sigv4 = caller.ready()[1], caller.ready()[1]
    assert "?Expires=" in oss
    assert "&OSSAccessKeyId=" in oss
    assert "&Signature=" in oss
    assert all(f"&X-Amz-{name}=" in sigv4 for name in ("Date", "Expires", "Security-Token", "Signature"))
    assert 1400 < len(sigv4) < 1700
    assert "%2F" in oss.partition("?")[0]
    assert "%2F" in sigv4.partition("?")[0]


@pytest.mark.parametrize("style", STYLES)
def test_a_url_breaks_when_a_byte_of_it_changes(start: Start, style: str) -> None:
    caller = start(url_style=style)
    _, url = caller.ready()
    path, _, query = url.partition("?")
    broken = [
        path.replace("%2F", "/") + "?" + query,
        path.replace("%2F", "%252F") + "?" + query,
        path.replace("%2F", "%2f") + "?" + query,
        path + "?" + unquote(query),
        path + "?" + "&".join(sorted(query.split("&"), reverse=True)),
        url + "&more=1",
        url[:-1],
        path,
    ]
    assert caller.exact(url)[0] == 200
    for changed in broken:
        status, body = caller.exact(changed)
        assert status == 403, changed
        assert b"<Code>SignatureDoesNotMatch</Code>" in body
    assert caller.exact(url, "HEAD")[0] == 403
    assert caller.sandbox.ledger().fetched == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_polling_again_gives_a_fresh_url_or_the_same(start: Start, fresh: bool) -> None:
    caller = start(fresh_urls=fresh, url_seconds=600)
    request_id, first = caller.ready()
    caller.sandbox.advance(601)
    second = caller.signed_url(request_id)
    assert (first != second) == fresh
    assert caller.download(second).status_code == (200 if fresh else 403)


def test_a_url_that_names_no_video_is_rejected() -> None:
    target = "/storage/x?Expires=1"
    assert not isinstance(signed_urls.verify(f"{target}&Signature={signed_urls.oss_signature(target)}", NOON), str)
    assert signed_urls.expiry("/storage/x") == 0.0
