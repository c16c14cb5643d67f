"""Where a module's tests are: at the same path below ``tests/unit``, in files small enough to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "airflow_provider_siliconflow"
UNIT = ROOT / "tests" / "unit"
#: Lines from which a test file is to be split by topic.
LIMIT = 300
#: Modules that do nothing apart from a task, a trigger or a publication: what proves them is there.
ELSEWHERE = {
    "_airflow/api_server.py": "unit/test_packaging.py",
    "_airflow/lineage.py": "unit/jobs/test_announce.py",
    "_airflow/names.py": "unit/test_packaging.py",
    "_airflow/releases.py": "unit/operators/test_submit_durable.py",
    "_airflow/stats.py": "unit/test_metrics.py",
    "_airflow/variables.py": "unit/operators/test_submit_durable.py",
    "archive/claim_file.py": "unit/archive/test_claim.py",
    "archive/errors.py": "unit/archive/test_destination.py",
    "archive/prepare.py": "unit/archive/test_destination.py",
    "archive/probe.py": "stores/test_stores.py",
    "archive/source.py": "unit/archive/test_kept.py",
    "archive/store_calls.py": "unit/archive/test_archiver.py",
    "archive/store_path.py": "unit/_airflow/test_file_systems.py",
    "archive/uploads.py": "stores/test_stores.py",
    "fs/oss_file_system.py": "stores/test_stores.py",
    "fs/oss_path.py": "unit/fs/test_oss.py",
    "archive/small_files.py": "unit/archive/test_special_files.py",
    "exceptions/api.py": "unit/test_exceptions.py",
    "exceptions/base.py": "unit/test_exceptions.py",
    "exceptions/submit.py": "unit/test_exceptions.py",
    "exceptions/video.py": "unit/test_exceptions.py",
    "client/endpoints.py": "unit/hooks/test_siliconflow.py",
    "hooks/shared_session.py": "unit/polling/test_poller.py",
    "jobs/archive.py": "unit/operators/test_archive.py",
    "jobs/arguments.py": "unit/operators/test_base.py",
    "jobs/batch_archive.py": "unit/operators/batch/test_archiving.py",
    "jobs/batch_end.py": "unit/operators/batch/test_billing.py",
    "jobs/batch_open.py": "unit/operators/batch/test_batch.py",
    "jobs/batch_records.py": "unit/jobs/test_video_xcom.py",
    "jobs/batch_run.py": "unit/operators/batch/test_batch.py",
    "jobs/batch_submit.py": "unit/operators/batch/test_limits.py",
    "jobs/folder_store.py": "unit/operators/test_submit_durable.py",
    "jobs/hook_mixin.py": "unit/sensors/test_video.py",
    "jobs/envelope.py": "unit/jobs/test_variable_store.py",
    "jobs/recorded_video.py": "unit/operators/test_generate.py",
    "jobs/record.py": "unit/jobs/test_submit.py",
    "jobs/request.py": "unit/operators/test_submit.py",
    "jobs/returned.py": "unit/decorators/test_video.py",
    "jobs/store.py": "unit/jobs/test_submit.py",
    "jobs/target.py": "unit/operators/test_generate.py",
    "jobs/task_name.py": "unit/operators/test_submit_durable.py",
    "jobs/variable_store.py": "unit/operators/test_submit_durable.py",
    "jobs/video_facts.py": "unit/jobs/test_video_xcom.py",
    "jobs/video_job.py": "unit/operators/test_generate.py",
    "model_argument.py": "unit/test_spend_limit.py",
    "operators/video.py": "unit/operators/test_base.py",
    "polling/job.py": "unit/polling/test_scheduler.py",
    "triggers/base.py": "unit/triggers/test_video.py",
    "triggers/resume.py": "unit/sensors/test_video_resume.py",
}


def modules() -> list[str]:
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__"))
    # The gallery's tests are named by what a user does on its page.
    return sorted(str(path) for path in paths if path.parts[0] != "gallery")


def mirrored(module: str) -> list[Path]:
    """Return the test files of a module: ``test_NAME.py``, ``test_NAME_TOPIC.py``, or those of a folder ``NAME``."""
    path = UNIT / module
    found = [path.with_name(f"test_{path.name}"), *path.parent.glob(f"test_{path.stem}_*.py")]
    return [file for file in (*found, *path.with_suffix("").glob("test_*.py")) if file.exists()]


@pytest.mark.parametrize("module", modules())
def test_a_module_has_its_test_file(module: str) -> None:
    other = ELSEWHERE.get(module)
    assert mirrored(module) or (other and (ROOT / "tests" / other).exists()), f"no test file for {module}"


def test_only_modules_that_exist_are_tested_elsewhere() -> None:
    assert set(ELSEWHERE) <= set(modules())


@pytest.mark.parametrize("file", sorted(UNIT.rglob("test_*.py")), ids=lambda file: str(file.relative_to(UNIT)))
def test_a_test_file_is_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) < LIMIT
