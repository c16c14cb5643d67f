"""Google Cloud Storage on gcp-storage-emulator, with the conditions and rights that it lacks in the front."""

from __future__ import annotations

import functools
import json
from typing import Any
from urllib.parse import quote, unquote

import requests

from tests.stores import emulators
from tests.stores.front import Request, Response, Rule
from tests.stores.kinds import BUCKET, HttpKind, Variant


def error(status: int, message: str) -> Response:
    """Return an error as Google tells it."""
    body = json.dumps({"error": {"code": status, "message": message}})
    return Response(status, body.encode(), {"Content-Type": "application/json"})


class GoogleKind(HttpKind):
    name = "Google"
    scheme = "gs"
    lock = emulators.GOOGLE_LOCK

    def emulator(self) -> int:
        base()
        return emulators.google()

    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        endpoint = f"http://127.0.0.1:{self.port(variant, *rules)}"
        return {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "gcs.endpoint": endpoint}}

    def rules(self, variant: Variant) -> list[Rule]:
        return [quote_semicolons, *rights(variant), only_if_absent, missing_bucket]

    def names(self, folder: str) -> list[str]:
        prefix = f"{self.key(folder)}/"
        found = requests.get(f"{base()}/o", params={"prefix": prefix}, timeout=30).json().get("items", [])
        return sorted(entry["name"].removeprefix(prefix) for entry in found)

    def read(self, uri: str) -> tuple[bytes, str]:
        url = f"{base()}/o/{quote(self.key(uri), safe='')}"
        body = requests.get(url, params={"alt": "media"}, timeout=30).content
        return body, requests.get(url, timeout=30).json()["contentType"]


@functools.cache
def base() -> str:
    """Return the bucket's URL past any front."""
    url = f"http://127.0.0.1:{emulators.google()}/storage/v1/b"
    requests.post(url, json={"name": BUCKET}, timeout=30)
    return f"{url}/{BUCKET}"


def is_there(name: str) -> bool:
    return requests.get(f"{base()}/o/{quote(name, safe='')}", timeout=30).status_code == 200


def quote_semicolons(request: Request) -> None:
    """The emulator ends a name at a semicolon, which aiohttp sends as it is, and RFC 3986 allows."""
    request.target = request.target.replace(";", "%3B")


def missing_bucket(request: Request) -> Response | None:
    """The emulator takes uploads into buckets that are not there."""
    return error(404, "The specified bucket does not exist.") if "/b/nosuchbucket" in request.path else None


def only_if_absent(request: Request) -> Response | None:
    """Honour ifGenerationMatch=0 where an object is made: a one-part upload, or the last chunk of a resumable one."""
    if request.query.get("ifGenerationMatch") != ["0"]:
        return None
    name = (request.query.get("name") or [_name_in(request.body)])[0]
    return error(412, "At least one of the pre-conditions you specified did not hold.") if is_there(name) else None


def _name_in(body: bytes) -> str:
    start = body.index(b"{")
    return str(json.JSONDecoder().raw_decode(body[start : body.index(b"\n--==0==\n", start)].decode())[0]["name"])


def rights(variant: Variant) -> list[Rule]:
    """Return the rules of a user who may not do everything."""

    def forbidden(right: str) -> Response:
        return error(403, f"videos@example.iam.gserviceaccount.com does not have {right} access.")

    def no_write(request: Request) -> Response | None:
        return None if request.method == "GET" else forbidden("storage.objects.create")

    def write_only(request: Request) -> Response | None:
        return forbidden("storage.objects.get") if request.method == "GET" else None

    def no_list(request: Request) -> Response | None:
        """Without storage.buckets.get and storage.objects.list; then an absent object is forbidden as well."""
        if request.method != "GET":
            return None
        name = unquote(request.path.partition("/o/")[2])
        return None if name and is_there(name) else forbidden("storage.objects.list")

    def wrong(_: Request) -> Response | None:
        return error(401, "Request had invalid authentication credentials.")

    made: dict[str, list[Rule]] = {
        "no_write": [no_write],
        "write_only": [write_only],
        "no_list": [no_list],
        "wrong_credentials": [wrong],
    }
    return made.get(variant, [])
