"""Prompts in files of the DAG's folder, and texts that merely end like a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.template import literal

from airflow_provider_siliconflow.operators.video import (
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.tasks import REQUEST
from tests.unit.worker import TaskRun


def task(kind: Any, folder: Path, prompt: Any) -> TaskRun:
    given: dict[str, Any] = REQUEST | {"prompt": prompt, "retries": 1}
    if kind is not SubmitVideoOperator:
        given["destination"] = f"{folder}/videos/"
    if kind is GenerateVideoBatchOperator:
        given["requests"] = [given.pop("prompt"), {"prompt": prompt, "seed": 7}]
    with DAG("a_dag", schedule=None, params={"what": "cat"}, template_searchpath=[str(folder)]):
        return TaskRun(kind(task_id="video", **given))


KINDS = pytest.mark.parametrize("kind", [SubmitVideoOperator, GenerateVideoOperator, GenerateVideoBatchOperator])


@pytest.mark.parametrize("name", ["cat.txt", "cat.md", "prompts/cat.j2"])
@KINDS
def test_a_prompt_in_a_file_is_rendered(sandbox: Sandbox, tmp_path: Path, kind: Any, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("a {{ params.what }},\n雨\n")
    assert task(kind, tmp_path, name).work().state in ("success", "deferred")
    assert {job["prompt"] for job in sandbox.ledger().jobs} == {"a cat,\n雨"}


@KINDS
def test_a_text_that_merely_ends_like_a_file_costs_nothing_and_says_what_to_write(
    sandbox: Sandbox, tmp_path: Path, kind: Any
) -> None:
    report = task(kind, tmp_path, "a sign that reads notes.txt").work()
    assert report.state == "up_for_retry", "an earlier try may have paid, so this is not the end"
    told = str(report.error)
    assert "There is no file 'a sign that reads notes.txt'" in told
    assert "literal(…)" in told
    assert sandbox.ledger().submit_calls == 0


def test_as_a_literal_it_is_the_prompt(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not this")
    assert task(SubmitVideoOperator, tmp_path, literal("notes.txt")).work().state == "success"
    assert [job["prompt"] for job in sandbox.ledger().jobs] == ["notes.txt"]


def test_what_a_template_renders_to_names_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not this")
    assert task(SubmitVideoOperator, tmp_path, "{{ 'notes.txt' }}").work().state == "success"
    assert [job["prompt"] for job in sandbox.ledger().jobs] == ["notes.txt"]


def test_a_file_of_another_encoding_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "cat.txt").write_bytes(b"\xff\xfe")
    report = task(SubmitVideoOperator, tmp_path, "cat.txt").work()
    assert "'cat.txt' is not UTF-8" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


@KINDS
def test_the_page_of_rendered_templates_knows_how_to_show_each(kind: Any) -> None:
    assert set(kind.template_fields_renderers) <= set(kind.template_fields)
    assert ("requests", "json") in kind.template_fields_renderers.items() or kind is not GenerateVideoBatchOperator
