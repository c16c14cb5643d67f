"""The page's own files: scripts, styles and icons. Open to everyone, since no data is in them."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from fastapi import FastAPI, HTTPException, Request, Response

_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}

static = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


@static.get("/{name}")
def send_static(request: Request, name: str) -> Response:
    """
    Return a file of the page; there is no data in any.

    :param request: What is asked for.
    :param name: The file's name.
    :return: The file.
    """
    return page_file(name, request.headers)


def page_file(name: str, headers: Mapping[str, str]) -> Response:
    """
    Return a file of the page.

    :param name: The file's name.
    :param headers: Of the request, in lower case.
    :return: The file, or 304.
    :raises HTTPException: 404 if there is no such file.
    """
    found = _static_files().get(name)
    if found is None:
        raise HTTPException(404, "There is no such file.")
    data, etag = found
    # Asked for again each time, so that a new release is seen at once.
    told = {"Cache-Control": "no-cache", "ETag": etag, "X-Content-Type-Options": "nosniff"}
    if headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=told)
    return Response(data, headers=told, media_type=_TYPES[name.rpartition(".")[2]])


@cache
def _static_files() -> dict[str, tuple[bytes, str]]:
    folder = files("airflow_provider_siliconflow.gallery") / "static"
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _TYPES}
    return {name: (data, f'"{hashlib.sha256(data).hexdigest()[:32]}"') for name, data in found.items()}
