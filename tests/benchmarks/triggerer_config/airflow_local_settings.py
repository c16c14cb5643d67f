"""What the README advises where thousands wait; and each full garbage collection is written down."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

if "STOCK" not in os.environ:
    os.register_at_fork(after_in_child=gc.freeze)

_began = 0.0


def _note(phase: str, info: dict[str, int]) -> None:
    global _began
    if phase == "start":
        _began = time.perf_counter()
    elif info["generation"] == 2:
        seconds = time.perf_counter() - _began
        with (Path(os.environ["AIRFLOW_HOME"]) / f"collections-{os.getpid()}").open("a") as to:
            to.write(f"{seconds}\n")


gc.callbacks.append(_note)
