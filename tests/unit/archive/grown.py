"""
Archive one video and tell by how much that made this process grow.

Run as ``python -m tests.unit.archive.grown BASE_URL DESTINATION``; prints JSON: ``bytes`` of the video, ``grown``
bytes of memory.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys

from airflow_provider_siliconflow.archive.archiver import DownloadOptions, VideoFacts, archive_video
from airflow_provider_siliconflow.archive.destination import understand


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(base_url: str, destination: str) -> None:
    # Airflow's modules are loaded by this: they are not the archive's memory.
    understand(destination, None)
    before = peak()
    url = base_url.removesuffix("/v1") + "/x"
    done = asyncio.run(archive_video(destination, url=url, video=VideoFacts(), options=DownloadOptions(base_url)))
    print(json.dumps({"bytes": done["bytes"], "grown": peak() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
