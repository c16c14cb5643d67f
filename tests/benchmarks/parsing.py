"""
Benchmark 7: what importing our operators in a DAG file costs over the SDK alone, beside two Airflow providers.

``python -m tests.benchmarks.parsing``. Needs apache-airflow-providers-anthropic and apache-airflow-providers-http to
compare with.
"""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median

from tests.benchmarks.report import head, table

RUNS = 7
LIBRARIES = ("aiohttp", "anthropic", "av", "httpx", "requests", "tenacity")
IMPORTS = {
    "ours": (
        "airflow_provider_siliconflow.operators.video",
        "airflow_provider_siliconflow.operators.generate",
        "airflow_provider_siliconflow.sensors.video",
    ),
    "http": ("airflow.providers.http.operators.http", "airflow.providers.http.sensors.http"),
    "anthropic": (
        "airflow.providers.anthropic.operators.agent",
        "airflow.providers.anthropic.operators.batch",
        "airflow.providers.anthropic.sensors.batch",
    ),
}

_CHILD = """
import importlib, json, sys, time
import airflow.sdk
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, Param, task
before = set(sys.modules)
begun = time.process_time()
done = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    done.append(name)
gone = time.process_time() - begun
print(json.dumps([gone, sorted(set(sys.modules) - before), sorted(sys.modules), done]))
"""


def _one(names: tuple[str, ...]) -> tuple[float, list[str], list[str], list[str]]:
    child = [sys.executable, "-c", _CHILD, *names]
    found = subprocess.run(child, capture_output=True, text=True, check=True, timeout=120)
    gone, new, loaded, done = json.loads(found.stdout.splitlines()[-1])
    return gone, new, loaded, done


def main() -> None:
    """Run the benchmark."""
    head(
        "Parsing", "apache-airflow", "apache-airflow-providers-http", "apache-airflow-providers-anthropic"
    )  # fmt: skip
    rows: list[tuple[str | float | int, ...]] = []
    for kind, names in IMPORTS.items():
        runs = [_one(names) for _ in range(RUNS)]
        _, new, loaded, done = runs[0]
        if not done:
            rows.append((kind, "not installed", "", "", ""))
            continue
        times = [1000 * run[0] for run in runs]
        libraries = [library for library in LIBRARIES if library in new]
        already = [library for library in LIBRARIES if library in loaded and library not in new]
        rows.append((kind, median(times), len(new), " ".join(libraries) or "none", " ".join(already) or "none"))
    print(f"CPU ms over `airflow.sdk` with the usual names, median of {RUNS} fresh processes:\n")
    table(("operators and sensors of", "CPU ms", "new modules", "libraries loaded", "already by the SDK"), rows)


if __name__ == "__main__":
    main()
