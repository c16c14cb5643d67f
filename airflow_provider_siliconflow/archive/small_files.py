"""Small files, written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.staging import staging

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def replace_bytes(path: ObjectStoragePath, content: bytes) -> None:
    """
    Publish bytes under a name, also if it is taken.

    :param path: The final name.
    :param content: The bytes.
    """
    with staging(path) as stage:
        with stage.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        stores.replace(stage, path)
