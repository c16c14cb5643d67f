"""Signed URLs of the rendered videos, in the two styles seen in the field; any changed byte makes them invalid."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_siliconflow.sandbox.responses import Response, storage_error

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.jobs import Job
    from airflow_provider_siliconflow.sandbox.settings import Settings

#: Path below which the sandbox serves as object storage.
STORAGE = "/storage/"

_SECRET = b"siliconflow sandbox storage"
_OSS_SIGNATURE = "&Signature="
_SIGV4_SIGNATURE = "&X-Amz-Signature="
_ID = re.compile(r"%2F([^%/?]+)%2Fvideo_0\.mp4\?")
_OSS_EXPIRY = re.compile(r"\?Expires=(\d+)&")
_SIGV4_EXPIRY = re.compile(r"&X-Amz-Date=(\d{8}T\d{6}Z)&X-Amz-Expires=(\d+)&")
#: The newest URLs carry a token of about this many bytes.
_TOKEN_BYTES = 820


def sign(style: str, request_id: str, now: float, seconds: int) -> str:
    """
    Return a signed URL.

    :param style: ``oss`` or ``sigv4``.
    :param request_id: The video's request id.
    :param now: When it is signed, epoch seconds.
    :param seconds: How long it is valid.
    :return: Path and query, to be used byte for byte.
    """
    day = datetime.fromtimestamp(now, UTC)
    path = f"{STORAGE}siliconflow-results/outputs%2F{day:%Y%m%d}%2F{request_id}%2Fvideo_0.mp4"
    if style == "oss":
        target = f"{path}?Expires={int(now) + seconds}&OSSAccessKeyId=LTAI5tSandbox"
        return target + _OSS_SIGNATURE + oss_signature(target)
    token = base64.b64encode(hashlib.shake_256(request_id.encode()).digest(_TOKEN_BYTES)).decode()
    target = (
        f"{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=SANDBOX%2F{day:%Y%m%d}%2Fcn%2Fs3%2Faws4_request"
        f"&X-Amz-Date={day:%Y%m%dT%H%M%SZ}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
        f"&X-Amz-Security-Token={quote(token, safe='')}"
    )
    return target + _SIGV4_SIGNATURE + sigv4_signature(target)


def url_of(job: Job, now: float, settings: Settings) -> str:
    """
    Return a signed URL of a video that is ready.

    :param job: The job.
    :param now: Epoch seconds.
    :param settings: The switches.
    :return: Path and query.
    """
    style = ("oss", "sigv4")[job.number % 2] if settings.url_style == "both" else settings.url_style
    return sign(style, job.request_id, now if settings.fresh_urls else job.ready_at, settings.url_seconds)


def verify(target: str, now: float) -> str | Response:
    """
    Verify a URL as it was received.

    :param target: Path and query, byte for byte.
    :param now: Epoch seconds.
    :return: The request id, or the storage's rejection.
    """
    for mark, signer in ((_OSS_SIGNATURE, oss_signature), (_SIGV4_SIGNATURE, sigv4_signature)):
        signed, found, signature = target.rpartition(mark)
        if found and hmac.compare_digest(signer(signed).encode(), signature.encode()):
            named = _ID.search(signed)
            if named is None:
                break
            if now > expiry(signed + "&"):
                return storage_error(403, "AccessDenied", "Request has expired.")
            return named[1]
    why = "The request signature we calculated does not match the signature you provided."
    return storage_error(403, "SignatureDoesNotMatch", why)


def expiry(target: str) -> float:
    """
    Return when a URL expires.

    :param target: Path and query.
    :return: Epoch seconds; 0.0 if it does not say.
    """
    if oss := _OSS_EXPIRY.search(target):
        return float(oss[1])
    if sigv4 := _SIGV4_EXPIRY.search(target):
        made = datetime.strptime(sigv4[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return made.timestamp() + int(sigv4[2])
    return 0.0


def oss_signature(target: str) -> str:
    """
    Return the signature of a URL in the Alibaba OSS style.

    :param target: Path and query without the signature.
    :return: Percent-encoded base64.
    """
    return quote(base64.b64encode(hmac.digest(_SECRET, target.encode(), "sha1")).decode(), safe="")


def sigv4_signature(target: str) -> str:
    """
    Return the signature of a URL in the AWS SigV4 style.

    :param target: Path and query without the signature.
    :return: Hexadecimal digits.
    """
    return hmac.digest(_SECRET, target.encode(), "sha256").hex()
