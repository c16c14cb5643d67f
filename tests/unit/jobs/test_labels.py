from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, VideoLabelError
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.jobs.labels import check_label, label_fields, labeller_of
from airflow_provider_siliconflow.label import VideoLabel, VisibleLabel
from airflow_provider_siliconflow.label.apply import Labeller


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> SiliconFlowHook:
    extra = {"video_label": {"content_producer": "of the connection"}}
    connect(monkeypatch, "siliconflow_default", extra, password="sk-key")
    return SiliconFlowHook()


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, extra: dict[str, Any], password: str) -> None:
    value = {"conn_type": "siliconflow", "password": password, "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))


def label(**credentials: Any) -> dict[str, Any]:
    return {"content_producer": "Studio", "credentials": credentials}


def test_an_operator_keeps_a_label_as_plain_values() -> None:
    given = VideoLabel(content_producer="{{ params.producer }}", visible=VisibleLabel(text="{{ params.text }}"))
    kept = label_fields(given)
    assert kept["content_producer"] == "{{ params.producer }}"
    assert kept["visible"]["text"] == "{{ params.text }}"
    assert VideoLabel.model_validate(kept) == given
    assert label_fields(None) is None
    assert label_fields({"content_producer": "a"}) == {"content_producer": "a"}


def test_the_label_of_the_task_goes_before_that_of_the_connection(hook: SiliconFlowHook) -> None:
    of_task, of_connection = labeller_of(hook, {"content_producer": "of the task"}), labeller_of(hook, None)
    assert of_task
    assert of_connection
    assert of_task.label.content_producer == "of the task"
    assert of_connection.label.content_producer == "of the connection"


def test_no_label_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "siliconflow_default", {}, password="sk-key")
    assert labeller_of(SiliconFlowHook(), None) is None


def test_the_signing_key_is_read_from_two_files(hook: SiliconFlowHook, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text("chain")
    (tmp_path / "key.pem").write_text("key")
    files = {"certificate": str(tmp_path / "chain.pem"), "private_key": str(tmp_path / "key.pem")}
    made = labeller_of(hook, label(**files, algorithm="ps256"))
    assert made
    assert made.key
    assert (made.key.certificate, made.key.private_key, made.key.algorithm) == ("chain", "key", "ps256")


def test_the_signing_key_is_read_from_a_connection(hook: SiliconFlowHook, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "signing", {"certificate": "chain"}, password="key")
    made = labeller_of(hook, label(conn_id="signing"))
    assert made
    assert made.key
    assert (made.key.certificate, made.key.private_key) == ("chain", "key")


@pytest.mark.parametrize(
    ("extra", "password"), [({}, "key"), ({"certificate": "chain"}, ""), ({"certificate": 7}, "k")]
)
def test_a_connection_without_both_is_told(
    hook: SiliconFlowHook, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], password: str
) -> None:
    connect(monkeypatch, "signing", extra, password)
    with pytest.raises(InvalidArgumentError, match="'signing' needs the private key as its password"):
        labeller_of(hook, label(conn_id="signing"))


def test_a_file_that_is_not_there_is_told(hook: SiliconFlowHook, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"certificate: .*none\.pem.* cannot be read: No such file"):
        labeller_of(hook, label(certificate=str(tmp_path / "none.pem"), private_key="key.pem"))


def test_a_file_that_is_no_text_shows_none_of_its_bytes(hook: SiliconFlowHook, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(b"\xff\xfesecret")
    with pytest.raises(InvalidArgumentError, match="it is no PEM file") as told:
        labeller_of(hook, label(certificate=str(tmp_path / "chain.pem"), private_key="key.pem"))
    assert "secret" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_text_on_the_whole_video_stays_one() -> None:
    given = VideoLabel(content_producer="a", visible=VisibleLabel(seconds=None))
    assert VideoLabel.model_validate(label_fields(given)) == given


def test_what_a_library_quotes_is_masked_before_paying_too(
    hook: SiliconFlowHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = "no answer of https://user:secret@tsa.example/?key=secret"

    def fails(self: Any) -> None:
        try:
            raise OSError(quoted)
        except OSError as error:
            raise VideoLabelError(f"The labels cannot be written: {error}") from error

    monkeypatch.setattr(Labeller, "check", fails)
    with pytest.raises(VideoLabelError, match="no answer of https") as caught:
        check_label(hook, {"content_producer": "Studio"})
    assert caught.value.billing is Billing.NOT_SUBMITTED
    assert "secret" not in "".join(traceback.format_exception(caught.value))
