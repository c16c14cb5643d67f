"""Which kinds of stores there are, for a test that is to run on each."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_siliconflow.archive.prepare import prepare_destination
from tests.stores.azure_kind import AzureKind
from tests.stores.file_kinds import LocalKind, SftpKind
from tests.stores.google_kind import GoogleKind
from tests.stores.kinds import Kind
from tests.stores.s3_kinds import OssByAwsKind, OssKind, S3Kind

OBJECT_KINDS = (S3Kind, OssByAwsKind, OssKind, AzureKind, GoogleKind)
KINDS = (*OBJECT_KINDS, SftpKind)
ALL_KINDS = (LocalKind, *KINDS)
OWNER = "a_dag/run/video/-1"


def each(*kinds: type[Kind]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds, indirect=True, ids=lambda kind: kind.name)


def prepare(folder: str, owner: str | None = OWNER, **more: Any) -> Any:
    return prepare_destination(f"{folder}/clip.mp4", **{"owner": owner, "if_exists": "fail"} | more)


def published(kind: Kind, folder: str) -> list[str]:
    return [name for name in kind.names(folder) if not name.endswith(".claim")]
