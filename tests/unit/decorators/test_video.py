"""``@task.siliconflow_video``: what a function returns becomes videos, paid for once by the sandbox's ledger."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.client.video_record import KEY
from airflow_provider_siliconflow.decorators.video import VideoDecoratedOperator, siliconflow_video_task
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.worker import MODEL, DiesBefore, TaskRun

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

FINISHED_AFTER = 600
ARGUMENTS: dict[str, Any] = {"model": MODEL, "image_size": "1280x720", "poke_interval": 0.01, "retries": 3}


class Asking:
    """Stand for a function that asks for something else whenever it is called, as a language model does."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0

    def next(self) -> Any:
        self.calls += 1
        return self.answers[min(self.calls, len(self.answers)) - 1]


def deciding(destination: Path, asking: Asking, **arguments: Any) -> TaskRun:
    with DAG("a_dag", schedule=None, params={"what": "cat"}):

        @siliconflow_video_task(destination=str(destination), **ARGUMENTS | {"deferrable": True} | arguments)
        def video() -> Any:
            return asking.next()

        return TaskRun(operator_of(video()))


def test_it_takes_every_field_of_a_request_but_the_prompt() -> None:
    parameters = inspect.signature(VideoDecoratedOperator.__init__).parameters
    assert {field.name for field in fields(VideoRequest)} - {"prompt"} <= set(parameters)
    assert {"prompt", *VideoDecoratedOperator.template_fields} >= {field.name for field in fields(VideoRequest)}


def operator_of(output: Any) -> Any:
    return output.operator


def finished(run: TaskRun, sandbox: Sandbox) -> Any:
    report = run.work()
    while report.state == "deferred":
        sandbox.advance(FINISHED_AFTER)
        report = run.work()
    return report


def prompts(sandbox: Sandbox) -> list[str]:
    return [job["prompt"] for job in sandbox.ledger().jobs]


def test_a_returned_prompt_becomes_an_archived_video(sandbox: Sandbox, clip: Path) -> None:
    asking = Asking("a cat")
    run = deciding(clip, asking)
    assert finished(run, sandbox).state == "success"
    assert run.xcoms["return_value"] == str(clip)
    manifest = json.loads(clip.with_name("clip.mp4.json").read_text())
    assert (manifest["prompt"], manifest["sha256"]) == ("a cat", sandbox.ledger().jobs[0]["sha256"])
    assert (asking.calls, sandbox.ledger().billed, run.xcoms[KEY]["state"]) == (1, 1, "archived")


def test_a_returned_request_goes_before_what_the_decorator_says(sandbox: Sandbox, clip: Path) -> None:
    run = deciding(clip, Asking({"prompt": "a dog", "image_size": "960x960", "seed": 7}), negative_prompt="blur")
    assert finished(run, sandbox).state == "success"
    (job,) = sandbox.ledger().jobs
    assert (job["prompt"], job["image_size"], job["seed"]) == ("a dog", "960x960", 7)
    assert run.xcoms[KEY]["negative_prompt"] == "blur"


def test_a_returned_list_becomes_a_batch(sandbox: Sandbox, tmp_path: Path) -> None:
    run = deciding(tmp_path, Asking(["a cat", {"prompt": "a dog", "seed": 7}]), seed=5)
    assert finished(run, sandbox).state == "success"
    assert [each["state"] for each in run.xcoms["return_value"]["videos"]] == ["archived"] * 2
    assert [(job["prompt"], job["seed"]) for job in sandbox.ledger().jobs] == [("a cat", 5), ("a dog", 7)]


@pytest.mark.parametrize("answer", ["a {{ params.what }}", "poem.txt"])
def test_what_is_returned_is_no_template_and_names_no_file(sandbox: Sandbox, clip: Path, answer: str) -> None:
    assert finished(deciding(clip, Asking(answer)), sandbox).state == "success"
    assert prompts(sandbox) == [answer]


def test_a_function_that_returns_a_mapping_by_its_annotation_returns_a_path(sandbox: Sandbox, clip: Path) -> None:
    with DAG("a_dag", schedule=None):

        @siliconflow_video_task(destination=str(clip), deferrable=True, **ARGUMENTS)
        def video() -> dict[str, Any]:
            return {"prompt": "a cat"}

        run = TaskRun(operator_of(video()))
    assert finished(run, sandbox).state == "success"
    assert run.xcoms["return_value"] == str(clip)


@pytest.mark.parametrize(
    "dies", [DiesBefore(comms.SetXCom, about="submission"), DiesBefore(comms.DeferTask)], ids=["at-xcom", "at-defer"]
)
def test_after_a_death_behind_the_answer_a_retry_reattaches_whatever_the_function_would_return(
    sandbox: Sandbox, clip: Path, dies: Callable[[Any], None]
) -> None:
    asking = Asking("a cat", "a dog")
    run = deciding(clip, asking)
    run.before = dies
    run.work()
    run.before = lambda message: None
    run.next_try()
    assert finished(run, sandbox).state == "success"
    assert (prompts(sandbox), asking.calls, sandbox.ledger().billed) == (["a cat"], 1, 1)


def test_a_retry_that_would_get_another_list_keeps_that_of_the_first_try(sandbox: Sandbox, tmp_path: Path) -> None:
    asking = Asking(["a cat", "a dog"], ["a fox", "an owl"])
    run = deciding(tmp_path, asking)
    run.before = DiesBefore(comms.DeferTask)
    run.work()
    run.before = lambda message: None
    run.next_try()
    assert finished(run, sandbox).state == "success"
    assert (prompts(sandbox), asking.calls, sandbox.ledger().submit_calls) == (["a cat", "a dog"], 1, 2)


def test_a_lost_answer_is_not_sent_again(sandbox: Sandbox, clip: Path) -> None:
    sandbox.script(Fault("submit", "reset", after=True))
    run = deciding(clip, Asking("a cat", "a dog"))
    assert run.work().state == "failed"
    assert run.retry().state == "failed"
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (1, 1)


def test_a_temporary_rejection_is_waited_out_with_the_same_prompt(sandbox: Sandbox, clip: Path) -> None:
    sandbox.script(Fault("submit", "busy"))
    asking = Asking("a cat", "a dog")
    run = deciding(clip, asking)
    assert run.work().state == "deferred"
    assert finished(run, sandbox).state == "success"
    assert (prompts(sandbox), asking.calls) == (["a cat"], 1)


def test_a_clear_calls_the_function_again_and_pays_again(sandbox: Sandbox, tmp_path: Path) -> None:
    asking = Asking("a cat", "a dog")
    run = deciding(tmp_path, asking)
    assert finished(run, sandbox).state == "success"
    run.reset_by_clear()
    assert finished(run, sandbox).state == "success"
    assert prompts(sandbox) == ["a cat", "a dog"]


def test_with_a_secret_image_the_function_is_called_again_and_nothing_is_paid_twice(
    sandbox: Sandbox, clip: Path
) -> None:
    request = {"prompt": "a cat", "model": "Wan-AI/Wan2.2-I2V-A14B", "image": "https://host/a.png?Signature=abc"}
    asking = Asking(request, {**request, "prompt": "a dog"})
    run = deciding(clip, asking)
    run.before = DiesBefore(comms.DeferTask)
    run.work()
    assert "Signature" not in json.dumps([run.store, run.variables])
    run.before = lambda message: None
    run.next_try()
    assert "has already paid for" in str(run.work().error)
    assert (asking.calls, sandbox.ledger().billed) == (2, 1)


@pytest.mark.parametrize("answer", [None, "", 5, {"prompt": "a", "colour": "red"}, {}, []])
def test_what_is_no_request_costs_nothing(sandbox: Sandbox, tmp_path: Path, answer: Any) -> None:
    report = deciding(tmp_path, Asking(answer)).work()
    assert isinstance(report.error, InvalidVideoRequestError)
    assert "nothing is billed" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


def test_mapped_by_expand_each_task_makes_its_own_video(sandbox: Sandbox, tmp_path: Path) -> None:
    with DAG("a_dag", schedule=None):

        @task.siliconflow_video(destination=f"{tmp_path}/{{{{ ti.map_index }}}}.mp4", deferrable=True, **ARGUMENTS)
        def video(animal: str, run_id: str | None = None) -> str:
            return f"a {animal} of {run_id}"

        mapped = operator_of(video.expand(animal=["cat", "dog", "fox"]))
    runs = [TaskRun(mapped, map_index=index) for index in range(3)]
    assert [run.work().state for run in runs] == ["deferred"] * 3
    for run in runs:
        run.next_try()  # As after a death: each re-attaches to its own.
        assert finished(run, sandbox).state == "success"
    assert prompts(sandbox) == ["a cat of run", "a dog of run", "a fox of run"]
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["0.mp4", "1.mp4", "2.mp4"]
    assert (sandbox.ledger().submit_calls, sandbox.ledger().fetched) == (3, 3)
