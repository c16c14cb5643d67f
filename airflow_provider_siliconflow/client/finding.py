"""Find what was paid for where it is documented to be, and in the other places where gateways put it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_siliconflow.client.masking import mask_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_siliconflow.client.response import Response

#: Spellings of the id's name. ``RequestId`` is how Alibaba's and Amazon's gateways name the id of a failed *call*, so
#: it counts in a success only.
_ID_NAMES = ("requestId", "request_id", "requestID", "requestid", "request-id")
_ID_NAMES_IN_SUCCESS = (*_ID_NAMES, "RequestId", "RequestID")
#: Objects in which gateways wrap a response (observed).
_WRAPPERS = ("data", "result", "response", "output")
#: How deep and how far an odd body is searched.
_DEPTH, _NODES = 5, 500
#: What an id in an odd place looks like, so that a sentence is not taken for one.
_ID_FORM = re.compile(r"[\w.:+=~/-]{4,256}")
_ID_IN_TEXT = re.compile(rf'"(?:{"|".join(_ID_NAMES)})"\s*:\s*("(?:[^"\\]|\\.){{1,256}}"|[0-9]{{4,40}}(?=\s*[,}}\]]))')
_URL = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_VIDEO_KEYS = ("videos", "video", "video_url", "videoUrl", "video_urls", "videoUrls")
_URL_KEYS = ("url", "video_url", "videoUrl", "video", "uri")


class Found(NamedTuple):
    """A request id, and where it was if not where it is documented to be."""

    request_id: str
    where: str = ""


def find_request_id(response: Response) -> Found | None:
    """
    Find the request id in the response to a submit: an id that was given is never thrown away.

    :param response: Any response, whole or not.
    :return: The id, or None if there is none.
    """
    body = response.json
    succeeded = 200 <= response.status_code < 300
    documented = _id_text(body.get("requestId")) if isinstance(body, dict) else None
    if documented and _is_unmasked(documented, response):
        return Found(documented)
    for where, value in _candidates(_unwrapped_text(body), succeeded):
        text = _id_text(value)
        if text and _ID_FORM.fullmatch(text) and _is_unmasked(text, response):
            return Found(text, f"as {where}")
    if body is None and (match := _ID_IN_TEXT.search(response.content.decode("utf-8", "replace"))):
        # Broken JSON, for the most part cut short. The quote that ends the id is there, so the id is whole.
        try:
            text = _id_text(json.loads(match[1]))
        except ValueError:
            return None
        if text and _ID_FORM.fullmatch(text) and _is_unmasked(text, response):
            return Found(text, "in a body that is not whole JSON")
    return None


def find_status(body: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """
    Find a video's state in the response to a poll.

    :param body: The response's JSON object.
    :return: The object that has it, and the word; the object itself and None if there is none.
    """
    for holder in _holders(body):
        for name in ("status", "state"):
            if isinstance(holder.get(name), str):
                return holder, holder[name]
    return body, None


def documented_urls(body: dict[str, Any]) -> tuple[str, ...]:
    """
    Return the URLs in ``results.videos[].url``, where the vendor documents them.

    :param body: The JSON object of a poll's response.
    :return: The URLs, in order; empty if there are none.
    """
    results = body.get("results")
    videos = results.get("videos") if isinstance(results, dict) else None
    urls = (video.get("url") for video in videos if isinstance(video, dict)) if isinstance(videos, list) else ()
    return tuple(url for url in urls if isinstance(url, str) and url)


def find_urls(body: dict[str, Any]) -> tuple[str, ...]:
    """
    Find a video's URLs wherever clients in the field have seen them: flat, nested, as texts, under other names.

    :param body: The response's JSON object.
    :return: The http(s) URLs, in order; empty if there are none.
    """
    found: dict[str, None] = {}
    for holder in _holders(body):
        results = holder.get("results")
        for videos in (*(holder.get(key) for key in _VIDEO_KEYS), results):
            found |= dict.fromkeys(_video_urls(videos))
    return tuple(found)


def _holders(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the body and the objects that wrap a response, two deep."""
    level = [body]
    for _ in range(3):
        yield from level
        inner = [holder.get(key) for holder in level for key in (*_WRAPPERS, "results")]
        level = [holder for holder in inner if isinstance(holder, dict)]


def _video_urls(videos: Any) -> list[str]:
    entries = videos if isinstance(videos, list) else [videos]
    urls = []
    for entry in entries[:_NODES]:
        values = [entry.get(key) for key in _URL_KEYS] if isinstance(entry, dict) else [entry]
        urls += [value.strip() for value in values if isinstance(value, str) and _URL.match(value.strip())][:1]
    return urls


def _candidates(body: Any, succeeded: bool) -> Iterator[tuple[str, Any]]:
    """Return what may be a request id, by its name, the ones nearest to the top first; then what is just an id."""
    names = _ID_NAMES_IN_SUCCESS if succeeded else _ID_NAMES
    plain_ids = []
    level: list[tuple[str, Any]] = [("", body)]
    seen = 0
    for _ in range(_DEPTH):
        below: list[tuple[str, Any]] = []
        for path, node in level:
            pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
            for key, value in pairs:
                seen += 1
                if seen > _NODES:
                    break
                where = f"{path}.{key}" if path else str(key)
                if key in names:
                    yield where, value
                elif key == "id" and (path.rpartition(".")[2] in _WRAPPERS or (succeeded and not path)):
                    plain_ids.append((where, value))
                below.append((where, value))
        level = below
    yield from plain_ids


def _unwrapped_text(body: Any) -> Any:
    """Return JSON that was encoded twice as what it is."""
    if isinstance(body, str) and body.lstrip().startswith("{"):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass
    return body


def _id_text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        # Of a number too long for Python to write out, nobody can have made an id.
        value = str(value) if abs(value) < 10**100 else None
    if not isinstance(value, str) or not value or len(value) > 1024:
        return None
    # Lone surrogates can be sent nowhere, and stored nowhere.
    return value.encode("utf-8", "replace").decode("utf-8")


def _is_unmasked(text: str, response: Response) -> bool:
    """Tell whether an id may be stored and shown: a service that repeats the key in its place named none."""
    return mask_text(text, response.secrets) == text
