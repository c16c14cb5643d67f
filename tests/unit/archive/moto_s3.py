"""
A bucket on a server that plays S3, reached by the client that Airflow uses.

It needs the requirements of the group ``stores``: ``make emulators`` adds them to ``.venv``.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

IS_INSTALLED = bool(find_spec("moto") and find_spec("s3fs"))
NEEDS_MOTO = pytest.mark.skipif(not IS_INSTALLED, reason="moto and s3fs are not installed: make emulators")

_numbers = itertools.count()


@contextmanager
def s3_server() -> Iterator[Any]:
    """Run the server and give a client of it; it answers one request at a time, for S3's conditions are atomic."""
    moto = import_module("moto.moto_server.werkzeug_app")
    app, lock = moto.DomainDispatcherApplication(moto.create_backend_app), threading.Lock()

    def one_by_one(environ: Any, start_response: Any) -> Any:
        with lock:
            return app(environ, start_response)

    server = import_module("werkzeug.serving").make_server("127.0.0.1", 0, one_by_one, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        options = {"key": "key", "secret": "secret", "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        yield import_module("s3fs").S3FileSystem(**options, skip_instance_cache=True, use_listings_cache=False)
    finally:
        server.shutdown()


def new_bucket(fs: Any) -> str:
    """Make a bucket and return its name."""
    name = f"bucket{next(_numbers)}"
    fs.mkdir(name)
    return name
