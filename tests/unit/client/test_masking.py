"""Keys and signatures in every spelling, in texts of every length; what is no secret stays as it is."""

from __future__ import annotations

import html
import json
import random
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.masking import EXCERPT, excerpt, mask_text
from tests.unit.hooks.scripted_server import KEY

SIGNED = (
    "https://bucket.oss-cn-shanghai.aliyuncs.com/a%2Fclip.mp4?Expires=1741861920&OSSAccessKeyId=LTAI5tQ&Signature=zq%2B"
)
SPELLINGS = {
    "plain": KEY,
    "JSON": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "JSON in capitals": "".join(f"\\u{ord(c):04X}" for c in KEY),
    "JSON twice": "".join(f"\\\\u{ord(c):04x}" for c in KEY),
    "one escape in it": KEY.replace("k", "\\u006b", 1),
    "Python": "".join(f"\\x{ord(c):02x}" for c in KEY),
    "URL": "".join(f"%{ord(c):02X}" for c in KEY),
    "URL twice": "".join(f"%25{ord(c):02X}" for c in KEY),
    "HTML": "".join(f"&#{ord(c)};" for c in KEY),
    "HTML in hex": "".join(f"&#x{ord(c):02X};" for c in KEY),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("around", ["{}", "bad key Bearer {} given", '{{"key": "{}', "<b>{}</b>", "x{}x", "{0}{0}"])
def test_a_key_is_found_in_each_spelling(spelling: str, around: str) -> None:
    assert mask_text(around.format(spelling), [KEY]) == around.format("***")


@pytest.mark.parametrize("text", ["sk-" + "a1B2" * 12, "Bearer abcdefghijklmnop", "basic dXNlcjpwYXNzd29yZA=="])
def test_what_has_the_form_of_a_key_is_masked_whosever_it_is(text: str) -> None:
    assert text.split()[-1] not in mask_text(f"old key {text}.")


@pytest.mark.parametrize("secret", ["", "k", "sk-1234"])
def test_a_short_secret_is_part_of_other_words(secret: str) -> None:
    assert mask_text("k1e2 sk-1234x", [secret]) == "k1e2 sk-1234x"


URLS = {
    "plain": SIGNED,
    "capitals": SIGNED.replace("https", "HTTPS"),
    "JSON": SIGNED.replace("/", "\\/"),
    "JSON with escapes": SIGNED.replace("?", "\\u003f").replace("&", "\\u0026").replace("=", "\\u003d"),
    "HTML": html.escape(SIGNED),
    "quoted": quote(SIGNED, safe=""),
    "no scheme": SIGNED.removeprefix("https://"),
    "no scheme and host": "/a.mp4?Expires=1741861920&OSSAccessKeyId=LTAI5tQ&Signature=zq%2B",
    "SigV4": "https://s3.siliconflow.cn/a.mp4?X-Amz-Credential=LTAI5tQ%2F20260801&X-Amz-Security-Token=1741861920&X-Amz-Signature=zq%2B",
    "unknown names": "https://h/a?k=LTAI5tQ&v=zq%2B&e=1741861920",
    "no names": "https://h/a?LTAI5tQ-zq%2B-1741861920",
    "user": "https://LTAI5tQ:zq%2B@h/1?1741861920",
    "user with an at sign": "ftp://LTAI5tQ@x:zq%2B@h/1#1741861920",
    "a space": "https://h/a b.mp4?X-Amz-Date=a b&OSSAccessKeyId=LTAI5tQ&Signature=zq%2B&X-Amz-Expires=1741861920",
    "store's XML": "<OSSAccessKeyId>LTAI5tQ</OSSAccessKeyId><SignatureProvided>zq%2B</SignatureProvided>"
    "<StringToSign>GET\n\n1741861920\n</StringToSign>",
}


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
@pytest.mark.parametrize("around", ["{}", "see {} for why", '{{"url": "{}"}}', "({})", "<a href='{}'>", "URL:{},"])
def test_a_signature_is_found_in_each_spelling(url: str, around: str) -> None:
    shown = mask_text(around.format(url))
    for secret in ("LTAI5tQ", "zq%2B", "zq%252B", "1741861920"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "Model does not exist. Please check it carefully.",
        "why? because a = b",
        "内容违规 (code=20015), see https://docs.siliconflow.cn/errors",
        "Request was rejected due to rate limiting. Details:RPM limit reached.",
        "https://h:8443/a%2Fb.mp4",
        "task sk-short, id gs6fhi8yrhxt",
        '{"code": 20012, "message": "m", "data": null}',
        "",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert mask_text(text, [KEY]) == excerpt(text, [KEY]) == text


SECRET = "zqA4+b/5cD6eF7g8H9i="


@pytest.mark.parametrize(
    "text",
    [
        "Signature: {}",
        'Signature="{}"',
        "{{'Signature': '{}', 'Key': 1}}",
        '{{"security-token": "{}"}}',
        '{{"message": "{{\\"access_key_secret\\": \\"{}\\"}}"}}',
        "at the edge: sig={}&se=1",
        "Authorization: OSS LTAI5tQ:{}",
        '{{"authorization":"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature={}"}}',
        "https%253A%252F%252Fh%252Fx%253FSignature%253D{}",
        "https%25253A%25252F%25252Fh%25252Fx%25253Fk%25253D{}",
    ],
)
def test_a_signature_is_found_by_its_name(text: str) -> None:
    assert SECRET not in mask_text(text.format(SECRET))


def test_where_a_url_leads_is_still_told() -> None:
    assert mask_text(f"see {SIGNED}.") == "see https://bucket.oss-cn-shanghai.aliyuncs.com/a%2Fclip.mp4?***"
    assert mask_text("http://user:pw@proxy:3128/ refused") == "http://***@proxy:3128/ refused"


def test_an_excerpt_is_short_and_can_be_written_down() -> None:
    assert excerpt("x" * 5000) == "x" * (EXCERPT - 1) + "…"
    assert excerpt("x" * EXCERPT) == "x" * EXCERPT
    assert excerpt("abcdef", length=4) == "abc…"
    excerpt("\ud800 \udfff").encode()


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_no_cut_leaves_half_a_key(spelling: str) -> None:
    for before in range(7600, 8300, 3):
        # Almost all of it is masked, so what stands at the cut is within the excerpt.
        shown = excerpt("https://h/?a=" + "b" * before + " " + spelling + " tail", [KEY])
        assert not any(piece in shown for piece in (spelling[:24], spelling[:12]))


@given(st.text() | st.text("abk3y-sk:/?=&#%@<>\"' \\u0123456789.", max_size=200))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = mask_text(text, [KEY])
    assert mask_text(once, [KEY]) == once
    assert KEY not in once


@given(st.sampled_from(list(SPELLINGS.values())), st.text(max_size=50), st.text(max_size=50))
def test_no_text_around_it_hides_a_key(spelling: str, before: str, after: str) -> None:
    shown = mask_text(before + spelling + after, [KEY])
    assert spelling not in shown
    assert KEY not in shown


@pytest.mark.parametrize(
    "piece",
    [
        "?",
        "?a",
        "://",
        "://a",
        "sk-",
        "signature",
        "x-amz-a",
        "<",
        "<signature",
        "\\",
        "%25",
        "&#0",
        "bearer ",
        "#",
        "-",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * ((1 << 20) // len(piece))
    # CPU time, and twenty times what was measured: quadratic time would be hours.
    began = time.process_time()
    mask_text(text, [KEY])
    excerpt(text, [KEY])
    assert time.process_time() - began < 10


def test_a_thousand_random_escapes_of_one_key() -> None:
    rng = random.Random(1)
    for _ in range(1000):
        spelled = "".join(c if rng.random() < 0.5 else f"\\u{ord(c):04x}" for c in KEY)
        body = json.dumps({"message": f"key {spelled}"})
        assert "***" in mask_text(body, [KEY])
