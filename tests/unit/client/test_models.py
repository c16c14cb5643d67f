"""What is asked for, checked before it costs anything, and what comes back."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.models import (
    IMAGE_SIZES,
    LARGE_IMAGE,
    SubmittedVideo,
    VideoRequest,
    VideoState,
    VideoStatus,
)

T2V = "Wan-AI/Wan2.2-T2V-A14B"
I2V = "Wan-AI/Wan2.2-I2V-A14B"
IMAGE = "data:image/png;base64,iVBORw0KGgo="
GOOD: dict[str, Any] = {"model": T2V, "prompt": "a cat", "image_size": "1280x720"}
URL = "https://s3.example/clip%2Fa.mp4?Expires=1741861920&Signature=s3cr3t"


@pytest.mark.parametrize("size", IMAGE_SIZES)
def test_a_good_request_has_no_problems_and_no_warnings(size: str) -> None:
    for video in (
        VideoRequest(T2V, "a cat", size),
        VideoRequest(I2V, "it moves", size, "blur", IMAGE, 7),
        VideoRequest(I2V, "it moves", size, image="https://host/image-without-extension"),
    ):
        assert video.validate() == []
        assert video.warnings() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": " "}, "model is empty."),
        ({"model": None}, "model is empty."),
        ({"model": [T2V]}, "model is empty."),
        ({"prompt": ""}, "prompt is empty."),
        ({"prompt": ["a cat"]}, "prompt is empty."),
        ({"image_size": "1280X720"}, "image_size '1280X720' is not one of 1280x720, 720x1280, 960x960."),
        ({"image_size": None}, "image_size None is not one of"),
        ({"negative_prompt": 3}, "negative_prompt is not a text."),
        ({"seed": "7"}, "seed '7' is not an integer."),
        ({"seed": True}, "seed True is not an integer."),
        ({"model": I2V}, f"{I2V} makes a video from an image: image is missing."),
        ({"model": I2V, "image": ""}, "image is missing."),
        ({"image": IMAGE}, f"{T2V} makes a video from text alone: image must not be given."),
        ({"model": I2V, "image": "/tmp/cat.png"}, "image is neither an http(s) URL nor a base64 data URI"),
        ({"model": I2V, "image": 5}, "image is neither"),
        ({"model": I2V, "image": "https://"}, "image is neither"),
        ({"model": I2V, "image": "data:text/plain;base64,aGk="}, "image is neither"),
        ({"model": I2V, "image": "data:image/png;base64,"}, "image is neither"),
        ({"model": I2V, "image": "data:image/png;base64,not base64!"}, "image is neither"),
    ],
)
def test_each_problem_is_named(changes: dict[str, Any], problem: str) -> None:
    (only,) = VideoRequest(**GOOD | changes).validate()
    assert problem in only


def test_all_problems_are_named_at_once() -> None:
    problems = VideoRequest(I2V, "", "big", 3, None, "x").validate()  # type: ignore[arg-type]
    assert [problem.split()[0] for problem in problems] == ["prompt", "image_size", "negative_prompt", "seed", I2V]


def test_an_unknown_model_is_a_warning_never_a_problem() -> None:
    for image in (None, IMAGE):
        video = VideoRequest("Wan-AI/Wan9", "a cat", "960x960", image=image)
        assert video.validate() == []
        (warning,) = video.warnings()
        assert "'Wan-AI/Wan9' is not among those known" in warning


@pytest.mark.parametrize(("size", "warnings"), [(LARGE_IMAGE - 60, 0), (LARGE_IMAGE + 60, 1)])
def test_an_image_above_5_mb_is_a_warning(size: int, warnings: int) -> None:
    for head in ("data:image/png;base64,", "Data:image/PNG;base64,"):
        image = head + "A" * (size // 3 * 4)
        assert len(VideoRequest(I2V, "it moves", "960x960", image=image).warnings()) == warnings


@pytest.mark.parametrize("field", ["model", "prompt", "image_size", "negative_prompt", "image", "seed"])
def test_no_sentence_carries_more_of_the_user_than_80_characters(field: str) -> None:
    for value in ("x" * 1_000_000, ["x" * 1_000_000], "https://h/x?Signature=s3cr3t"):
        video = VideoRequest(**GOOD | {field: value})
        told = video.validate() or video.warnings()
        assert all(len(sentence) < 250 for sentence in told)
        assert "s3cr3t" not in "".join(told)


def test_the_body_has_the_fields_that_are_set_and_no_others() -> None:
    assert VideoRequest(**GOOD).to_json() == GOOD
    whole = GOOD | {"model": I2V, "negative_prompt": "blur", "image": IMAGE, "seed": 0}
    assert VideoRequest(**whole).to_json() == whole


ANYTHING = st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text()))


@given(st.builds(VideoRequest, *[ANYTHING] * len(dataclasses.fields(VideoRequest))))
def test_whatever_a_template_gave_is_checked_without_an_exception(video: VideoRequest) -> None:
    assert all(isinstance(problem, str) for problem in video.validate())


def test_requests_and_results_are_frozen_and_show_no_image() -> None:
    video = VideoRequest(I2V, "it moves", "960x960", image=IMAGE)
    assert IMAGE not in repr(video) + str(video)
    for value in (video, SubmittedVideo("id", None, "host"), VideoStatus("id", VideoState.FAILED)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.model = "other"  # type: ignore[misc,union-attr]


@pytest.mark.parametrize("word", ["InQueue", "InProgress", "Succeed", "Failed"])
def test_the_four_words_are_known_in_any_casing(word: str) -> None:
    assert VideoState(word) == word
    for form in (word.lower(), word.upper(), f" {word}\n", re.sub("(?<=[a-z])(?=[A-Z])", "_", word)):
        assert VideoState(form) == word


@pytest.mark.parametrize("word", ["Succeeded", "SUCCESS", "completed", "done"])
def test_a_success_has_other_words(word: str) -> None:
    assert VideoState(word) is VideoState.SUCCEED


@pytest.mark.parametrize("word", ["", "Reviewing", "Failure", "error", "Fail", "cancelled", "not found", "Fâiled"])
def test_a_failure_has_no_other_word(word: str) -> None:
    assert VideoState(word) is VideoState.UNKNOWN


def test_a_status_keeps_every_url_and_shows_none() -> None:
    status = VideoStatus("id", VideoState.SUCCEED, urls=(URL, "https://second"))
    assert status.url == URL
    assert status.urls == (URL, "https://second")
    assert status.expires_at == datetime(2025, 3, 13, 10, 32, tzinfo=UTC)
    assert "s3cr3t" not in repr(status) + str(status)
    assert "https" not in repr(status)


def test_a_status_without_a_url_has_no_expiry() -> None:
    status = VideoStatus("id", VideoState.IN_QUEUE)
    assert (status.url, status.expires_at) == (None, None)


def test_the_facts_are_plain_json_without_a_url() -> None:
    status = VideoStatus("id", VideoState.SUCCEED, "Succeed", "", 3, (URL,), 41.5, 7, "trace")
    assert status.to_xcom() == {
        "request_id": "id",
        "expires_at": "2025-03-13T10:32:00+00:00",
        "seed": 7,
        "inference_seconds": 41.5,
        "trace_id": "trace",
        "position": 3,
    }
    assert VideoStatus("id", VideoState.SUCCEED).to_xcom() == {
        "request_id": "id",
        "expires_at": None,
        "seed": None,
        "inference_seconds": None,
        "trace_id": None,
    }
