"""A signed URL that is a rendered field is not what Airflow stores, on any release."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk._shared.secrets_masker import redact
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_siliconflow.operators.archive import ArchiveVideoOperator

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
