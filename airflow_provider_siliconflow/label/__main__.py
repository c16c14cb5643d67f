"""``python -m airflow_provider_siliconflow.label show clip.mp4``: print what the labels of a file say."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import credentials, implicit
from airflow_provider_siliconflow.label.apply import has_c2pa, require

if TYPE_CHECKING:
    from collections.abc import Sequence


def show(path: Path) -> dict[str, Any]:
    """
    Return what the labels of a file say.

    :param path: A local video.
    :return: ``implicit``, the label of GB 45438-2025, and ``c2pa``, the content credentials; each None if missing.
    :raises VideoLabelError: if the file is no video, or a library is missing.
    :raises OSError: if the file cannot be read.
    """
    require()
    has_credentials = has_c2pa(path)
    return {"implicit": implicit.read(path), "c2pa": credentials.read(path) if has_credentials else None}


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    :param arguments: Without the program's name; None for those of the process.
    :return: 0 if each file has a label, 1 if one has none, 2 if one cannot be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_siliconflow.label", description="Print what the labels of a video say."
    )
    parser.add_argument("command", choices=["show"])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    code = 0
    for path in given.files:
        try:
            found = show(path)
        except (VideoLabelError, OSError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            code = 2
            continue
        print(json.dumps({"file": str(path), **found}, ensure_ascii=False, indent=2))
        code = max(code, 0 if any(found.values()) else 1)
    return code


if __name__ == "__main__":
    sys.exit(main())
