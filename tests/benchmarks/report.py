"""Print what was measured, with what it was measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")


def head(title: str, *packages: str) -> None:
    """
    Print a title, the machine and the versions.

    :param packages: Distributions whose versions matter.
    """
    print(f"\n# {title}\n")
    print(f"Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
          f"load {os.getloadavg()[0]:.1f} at the start")  # fmt: skip
    versions = [f"Python {platform.python_version()}"]
    for package in ("airflow-provider-siliconflow", *packages):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} (from the checkout)")
    print(f"Versions: {', '.join(versions)}\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str | float | int]]) -> None:
    """
    Print a table as Markdown; the first column is text, numbers stand right.

    :param columns: The titles.
    :param rows: The cells, by row.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(line[at]) for line in [list(columns), *cells]) for at in range(len(columns))]
    lines = [list(columns), ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])], *cells]
    for line in lines:
        first, *rest = line
        aligned = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        print(f"| {' | '.join(aligned)} |", flush=True)


def _cell(value: str | float | int) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)
