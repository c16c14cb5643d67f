from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.label import ContentCredentials, VideoLabel, VisibleLabel
from airflow_provider_siliconflow.label.settings import read_label


def test_the_implicit_label_has_the_seven_fields_of_the_standard() -> None:
    label = VideoLabel(content_producer="制作者", content_propagator="平台", reserved_code1="c1")
    assert label.implicit("req-1") == {
        "Label": "1",
        "ContentProducer": "制作者",
        "ProduceID": "req-1",
        "ReservedCode1": "c1",
        "ContentPropagator": "平台",
        "PropagateID": "",
        "ReservedCode2": "",
    }


def test_a_produce_id_of_the_user_goes_before_the_request_id() -> None:
    assert VideoLabel(content_producer="a", produce_id="mine").implicit("req-1")["ProduceID"] == "mine"


@pytest.mark.parametrize("value", [None, ""])
def test_no_label_is_none(value: Any) -> None:
    assert read_label("label", value) is None


def test_an_object_a_mapping_and_json_give_the_same_label() -> None:
    label = VideoLabel(content_producer="a", visible=VisibleLabel(text="AI"))
    fields = {"content_producer": "a", "visible": {"text": "AI"}}
    assert read_label("label", label) == read_label("label", fields) == read_label("label", json.dumps(fields)) == label


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "label.content_producer: Field required"),
        ({"content_producer": ""}, "label.content_producer: String should have at least 1 character"),
        ({"content_producer": "a", "producer": "b"}, "label.producer: Extra inputs are not permitted"),
        ({"content_producer": "a", "kind": "4"}, "label.kind"),
        ({"content_producer": "a", "visible": {"seconds": 1.9}}, "label.visible.seconds"),
        ({"content_producer": "a", "visible": {"seconds": float("nan")}}, "label.visible.seconds"),
        ({"content_producer": "a", "visible": {"height": 0.049}}, "label.visible.height"),
        ({"content_producer": "a", "visible": {"text": "A" * 17}}, "1 to 16 characters"),
        ({"content_producer": "a", "visible": {"text": "  "}}, "1 to 16 characters"),
        ({"content_producer": "a", "credentials": {}}, "either certificate and private_key"),
        ({"content_producer": "a", "credentials": {"certificate": "c.pem"}}, "either certificate and private_key"),
        (
            {"content_producer": "a", "credentials": {"conn_id": "k", "certificate": "c", "private_key": "k"}},
            "either certificate and private_key",
        ),
        ("{", "label is no JSON"),
        ("[1]", "must be a VideoLabel or a mapping"),
        (7, "must be a VideoLabel or a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_field(value: Any, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told.replace("(", r"\(")):
        read_label("label", value)


def test_what_a_template_made_of_a_field_is_checked_again() -> None:
    label = VideoLabel(content_producer="a", visible=VisibleLabel(text="{{ params.text }}"[:16]))
    assert label.visible
    label.visible.text = "far too long for a narrow video"
    with pytest.raises(InvalidArgumentError, match="1 to 16 characters"):
        read_label("label", label)


def test_every_text_is_a_template_field() -> None:
    for model in (VideoLabel, VisibleLabel, ContentCredentials):
        texts = {
            name
            for name, field in model.model_fields.items()
            if field.annotation in (str, str | None, VisibleLabel | None, ContentCredentials | None)
        }
        assert texts - {"timestamp_url"} == set(model.template_fields)
