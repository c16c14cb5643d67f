"""Downloaded videos that are kept on the worker while their store is away, so that a retry needs no new download."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive.body import Downloaded
from airflow_provider_siliconflow.archive.manifest import sha256_of
from airflow_provider_siliconflow.archive.staging import WAITING_AFTER, digest

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class KeptVideo:
    """
    The bytes of one video on this worker; a sweep removes them after a week.

    :param request_id: The video's id; None for one without, which is never kept.
    :param api_base_url: The host that gave the id.
    """

    def __init__(self, request_id: str | None, api_base_url: str) -> None:
        hidden = f".siliconflow-{digest(f'{api_base_url} {request_id}')}.kept"
        self._path = Path(tempfile.gettempdir()) / hidden if request_id else None

    @property
    def is_possible(self) -> bool:
        """Whether the video can be kept: only one with an id is found again."""
        return self._path is not None

    def find(self) -> Downloaded | None:
        """
        Return what is known of the kept bytes.

        :return: None if there are none that this user has kept whole.
        """
        if self._path is None:
            return None
        try:
            found = os.lstat(self._path)
            known = Downloaded(**json.loads(self._facts.read_text()))
            is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() == os.lstat(self._facts).st_uid
            is_whole = is_ours and found.st_size == known.size and sha256_of(self._path.open("rb")) == known.sha256
        except (OSError, ValueError, TypeError):
            return None
        return known if is_whole else None

    def copy_to(self, stage: Path) -> Downloaded | None:
        """
        Fill a staging file with the kept bytes.

        :param stage: An empty local file.
        :return: What is known of them; None if there are none.
        """
        known = self.find()
        if known and self._path:
            shutil.copyfile(self._path, stage)
            log.info("The video was kept on this worker by an earlier try: nothing is downloaded.")
        return known

    def keep(self, stage: Path, known: Downloaded) -> None:
        """
        Keep a downloaded video; what goes wrong is logged.

        :param stage: The local file, whole.
        :param known: What is known of it.
        """
        if self._path is None or self.find():
            return
        try:
            _write(self._path, lambda target: shutil.copyfile(stage, target))
            _write(self._facts, lambda target: target.write_text(json.dumps(asdict(known))))
        except OSError as error:
            log.warning("The video could not be kept on this worker: %s", error)

    def discard(self) -> None:
        """Remove the kept bytes, once they are published."""
        if self._path is not None:
            for path in (self._path, self._facts):
                with suppress(OSError):
                    path.unlink()

    def describe(self) -> str:
        """
        Return what a message tells of the kept bytes.

        :return: A sentence; empty if there are none.
        """
        if not self.find():
            return ""
        days = WAITING_AFTER / 86400
        return (
            f"The video is kept on the worker {socket.gethostname()} as {self._path} for {days:.0f} days: a retry there"
            " publishes it without a new download."
        )

    @property
    def _facts(self) -> Path:
        return Path(f"{self._path}.json")


def _write(path: Path, fill: Callable[[Path], object]) -> None:
    """Make a file for its owner alone, whole or not at all."""
    stage = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        os.close(os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        fill(stage)
        os.replace(stage, path)
    finally:
        stage.unlink(missing_ok=True)
