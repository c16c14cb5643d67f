"""Each XCom that a task pushes is on the page of the operators with its fields, and the page names no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_siliconflow.client import video_record
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.jobs.record import SubmitRecord
from tests.conftest import ROOT
from tests.unit.docs.pages import table, text_of

#: Names that stand for a key in the code.
CONSTANTS = {"key": video_record.KEY, "_XCOM": "wait"}


def pushed(source: Path) -> Iterator[str]:
    """Yield the keys of the XComs that a module pushes."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "xcom_push":
            (key,) = (keyword.value for keyword in node.keywords if keyword.arg == "key")
            yield key.value if isinstance(key, ast.Constant) else CONSTANTS[key.id]  # type: ignore[attr-defined,misc]


def described() -> dict[str, set[str]]:
    """Return the keys that the page names, each with all that it says as code."""
    rows = {row.names[0]: row for row in table("operators/index.md", "XComs")}
    return {name: set(row.cells[2].split("`")[1::2]) for name, row in rows.items()}


def test_keys_are_on_the_page_and_no_other() -> None:
    package = ROOT / "airflow_provider_siliconflow"
    assert {key for source in package.rglob("*.py") for key in pushed(source)} == set(described())


def test_fields_of_a_submission_are_on_the_page() -> None:
    assert described()["submission"] <= set(SubmitRecord.model_fields)
    source = (ROOT / "airflow_provider_siliconflow/operators/submitting.py").read_text()
    (include,) = (
        ast.literal_eval(keyword.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "model_dump"
        for keyword in node.keywords
        if keyword.arg == "include"
    )
    assert described()["submission"] == include


def test_fields_of_a_ready_video_are_on_the_page() -> None:
    assert described()["video"] == set(VideoStatus("id", VideoState.SUCCEED, position=1).to_xcom())


def test_fields_of_a_manifest_are_on_the_page() -> None:
    source = (ROOT / "airflow_provider_siliconflow/archive/archiver.py").read_text()
    (manifest,) = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.name == "_manifest"
    )
    fields = {
        str(key.value)
        for node in ast.walk(manifest)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    told = text_of("operators/archive.md").partition("## The manifest")[2].partition(".\n")[0]
    assert {name for name in fields if f"`{name}`" not in told} == set()
