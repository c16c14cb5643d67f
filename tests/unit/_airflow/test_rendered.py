"""A signed URL that is a rendered field is not what Airflow stores, on any release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_siliconflow._airflow.rendered import plain_path
from airflow_provider_siliconflow.operators.archive import ArchiveVideoOperator
from tests.releases import redact

URL = "https://bucket.example/clip.mp4?X-Amz-Signature=0123456789abcdef"


@pytest.mark.parametrize("version", ["1.0.6", "1.1.8", "1.2.2", "1.3.2", "1.4.0b2"])
def test_a_signed_url_is_masked_where_rendered_fields_are_stored(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.__version__", version)
    task = ArchiveVideoOperator(task_id="archive", destination="clip.mp4")
    task.url = URL
    stored: Any = serialize_template_field(task.url, "url")
    if version != "1.0.6":
        # Airflow 3.0 has no such step in the worker.
        stored = redact(stored, "url")
    assert "Signature" not in str(stored)
    assert str(task.url) == URL, "the task itself has it"


@pytest.mark.parametrize("destination", ["clip.mp4", Path("clip.mp4"), Path("/missing/clip.mp4")])
def test_a_path_of_a_file_system_is_text(destination: Any) -> None:
    """Airflow 3.0 and 3.1 call ``resolve`` of a path, as if it had to exist."""
    assert plain_path(destination) == str(destination)
    assert type(ArchiveVideoOperator(task_id="archive", destination=destination).destination) is str


def test_a_path_of_an_object_storage_is_kept() -> None:
    path = ObjectStoragePath("file:///clip.mp4")
    assert plain_path(path) is path
