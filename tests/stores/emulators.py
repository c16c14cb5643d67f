"""Start the emulators, each once for a process, and stop them at its end."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import re
import subprocess
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

AZURITE = Path(sys.prefix) / "azurite" / "node_modules" / ".bin" / "azurite-blob"
ARE_INSTALLED = all(map(find_spec, ("moto", "gcp_storage_emulator", "asyncssh", "ossfs")))
#: Seconds until an emulator that does not start is given up.
_PATIENCE = 60
#: Held while an emulator answers: no two answers overlap, so that conditions are atomic as in the real stores.
S3_LOCK, GOOGLE_LOCK = threading.RLock(), threading.RLock()


@functools.cache
def s3() -> int:
    """Start moto; return its port."""
    moto = import_module("moto.moto_server.werkzeug_app")
    app = moto.DomainDispatcherApplication(moto.create_backend_app)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server: Any = import_module("werkzeug.serving").make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


@functools.cache
def google() -> int:
    """Start gcp-storage-emulator; return its port."""
    logging.getLogger("gcp_storage_emulator").setLevel(logging.ERROR)
    server: Any = import_module("gcp_storage_emulator.server").create_server("127.0.0.1", 0, in_memory=True)
    # Else Python waits for its thread before anything at exit could stop it: for ever.
    server._api.daemon = True  # noqa: SLF001
    server.start()
    return int(server._api._httpd.server_port)  # noqa: SLF001


@functools.cache
def azure() -> int:
    """Start Azurite; return its port."""
    command = [str(AZURITE), "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)
    atexit.register(process.kill)
    assert process.stdout
    timer = threading.Timer(_PATIENCE, process.kill)
    timer.start()
    for line in process.stdout:
        if found := re.search(r"listens on http://127\.0\.0\.1:(\d+)", line):
            timer.cancel()
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return int(found[1])
    raise RuntimeError("Azurite does not start")
