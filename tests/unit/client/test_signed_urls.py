"""The expiry and the masked form of a signed URL."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.signed_urls import expires_at, made_at, mask

OSS = "https://sc-maas.oss-cn-shanghai.aliyuncs.com/outputs%2Fa%2Fclip.mp4?Expires=1741861920&OSSAccessKeyId=LTAI&Signature=zq%2B"
SIGV4 = (
    "https://s3.siliconflow.cn/outputs%2Fclip.mp4?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Date=20260801T120000Z&X-Amz-Expires=600&X-Amz-Security-Token=tok&X-Amz-Signature=abc"
)


@pytest.mark.parametrize(
    ("url", "expiry"),
    [
        (OSS, datetime(2025, 3, 13, 10, 32, tzinfo=UTC)),
        (SIGV4, datetime(2026, 8, 1, 12, 10, tzinfo=UTC)),
        (SIGV4.replace("X-Amz-", "x-amz-"), datetime(2026, 8, 1, 12, 10, tzinfo=UTC)),
        ("https://h/clip.mp4?Expires=0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("https://h/clip.mp4", None),
        ("https://h/clip.mp4?Expires=soon", None),
        ("https://h/clip.mp4?Expires=" + "9" * 30, None),
        ("https://h/clip.mp4?Expires=" + "9" * 5000, None),
        ("https://h/clip.mp4?X-Amz-Date=20260801T120000Z", None),
        ("https://h/clip.mp4?X-Amz-Expires=600", None),
        ("https://h/clip.mp4?X-Amz-Date=yesterday&X-Amz-Expires=600", None),
        ("https://h/clip.mp4?X-Amz-Date=20260801T120000Z&X-Amz-Expires=" + "9" * 20, None),
        ("https://[::1/clip.mp4?Expires=1741861920", None),
        ("", None),
        ("\ud800?Expires=\ud800", None),
    ],
)
def test_expiry_is_read_from_the_url_or_not_at_all(url: str, expiry: datetime | None) -> None:
    assert expires_at(url) == expiry


@pytest.mark.parametrize(
    ("url", "made"),
    [
        (SIGV4, datetime(2026, 8, 1, 12, 0, tzinfo=UTC)),
        ("https://h/clip.mp4?x-amz-date=20260801T120000Z", datetime(2026, 8, 1, 12, 0, tzinfo=UTC)),
        (OSS, None),
        ("https://h/clip.mp4?X-Amz-Date=yesterday", None),
        ("https://[::1/clip.mp4?X-Amz-Date=20260801T120000Z", None),
        ("", None),
    ],
)
def test_a_url_tells_when_it_was_made_or_does_not(url: str, made: datetime | None) -> None:
    assert made_at(url) == made


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://[2400:3200::1]:8443/clip.mp4?token=1", "https://[2400:3200::1]:8443/clip.mp4?***"),
        (OSS, "https://sc-maas.oss-cn-shanghai.aliyuncs.com/outputs%2Fa%2Fclip.mp4?***"),
        (SIGV4, "https://s3.siliconflow.cn/outputs%2Fclip.mp4?***"),
        ("https://user:secret@h:8443/clip.mp4#secret", "https://h:8443/clip.mp4"),
        ("http://h/clip.mp4", "http://h/clip.mp4"),
        ("https://h/clip.mp4%3FSignature=secret", "https://h/clip.mp4?***"),
        ("https://h/clip.mp4%253FSignature%253Dsecret", "https://h/clip.mp4?***"),
        ("https://h/clip.mp4;Signature=secret", "https://h/clip.mp4;Signature=***"),
        ("https://h/\ud83d.mp4", "https://h/?***"),
        ("https://h/" + "a" * 5000, "https://h/" + "a" * 989 + "…"),
        ("/clip.mp4?Signature=secret", "***"),
        ("https:///clip.mp4?Signature=secret", "***"),
        ("https://h:secret/clip.mp4", "***"),
        ("https://[::1/clip.mp4?Signature=secret", "***"),
        ("", "***"),
    ],
)
def test_a_masked_url_tells_where_but_not_how(url: str, shown: str) -> None:
    assert mask(url) == shown


LINKS = st.one_of(
    st.text(),
    st.builds(
        "{}://{}/{}?{}={}&X-Amz-Expires={}".format,
        st.sampled_from(["https", "http", "s3", ""]),
        st.text(max_size=20),
        st.text(max_size=20),
        st.sampled_from(["Expires", "X-Amz-Date", "Signature"]),
        st.one_of(st.text(max_size=20), st.integers().map(str), st.just("20260801T120000Z")),
        st.one_of(st.text(max_size=20), st.integers().map(str)),
    ),
)


@given(LINKS)
def test_whatever_comes_as_a_url_is_read_without_an_exception(url: str) -> None:
    expiry = expires_at(url)
    assert expiry is None or expiry.tzinfo is UTC
    assert "?" not in mask(url).removesuffix("?***")


@given(st.text("abcdef0123456789", min_size=12), st.sampled_from(["?Signature={}", "?a={}#{}", "#{}"]))
def test_no_signature_is_ever_shown(secret: str, where: str) -> None:
    assert secret not in mask("https://u:" + secret + "@host/clip.mp4" + where.format(secret, secret))
