"""A run of the matrix continues where it was stopped, on the same commit alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.matrix.environments import PRERELEASE, RELEASES, VARIATIONS, Environment
from tests.matrix.results import FAILED, NOT_RUN, OK, Results, Row
from tests.matrix.steps import COMMANDS, INSTALLS, Outcome, all_rows, rows_of, steps_of

STEP = "demo"


@pytest.mark.parametrize(
    ("result", "commit", "is_done"),
    [(OK, "abc", True), ("not before 3.1", "abc", True), (FAILED, "abc", False), (OK, "abd", False), (OK, "", False)],
)
def test_what_is_green_for_this_commit_is_done(tmp_path: Path, result: str, commit: str, is_done: bool) -> None:
    path = tmp_path / "results.json"
    Results(path, "abc").put(Row("3.1.8", STEP, result, 1.0, "2026-11-27", commit))
    assert bool(Results(path, "abc").done("3.1.8", STEP)) is is_done


def test_changed_files_are_no_commit(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json", "abc+")
    results.put(Row("3.1.8", STEP, OK, 1.0, "2026-11-27", "abc+"))
    assert results.done("3.1.8", STEP) is None


def test_a_run_continues_and_the_table_says_what_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.matrix.steps.commit_here", lambda: "abc")
    environment, did = RELEASES[0], list[str]()

    def step(name: str, result: str) -> Outcome:
        did.append(name)
        return result, None

    steps = {"examples": partial(step, "examples", OK), STEP: partial(step, STEP, FAILED)}
    for _ in range(2):
        results = Results(tmp_path / "results.json", "abc")
        made = list(rows_of(environment, steps, results, resume=True))
        assert [row.result for row in made] == [OK, FAILED]

    assert did == ["examples", STEP, STEP]
    told = {row.step: row.result for row in all_rows([environment], results)}
    assert (told["examples"], told[STEP], told[INSTALLS]) == (OK, FAILED, NOT_RUN)


def test_two_runs_keep_their_results_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    one, other = Results(path, "abc"), Results(path, "abc")
    one.put(Row("3.1.8", STEP, OK))
    other.put(Row("3.2.2", STEP, OK))
    assert {row.environment for row in map(Results(path, "abc").last, ("3.1.8", "3.2.2"), (STEP, STEP)) if row} == {
        "3.1.8",
        "3.2.2",
    }


def test_each_step_runs_where_its_result_can_differ() -> None:
    def names(environment: Environment) -> set[str]:
        return set(steps_of(environment, Path(), quick=False))

    main, *others = RELEASES[-1], *RELEASES[:-1], PRERELEASE
    once = {command.name for command in COMMANDS if command.differs == "once"}
    assert once
    assert all(names(main) - names(other) == once for other in others)
    for variation in VARIATIONS:
        assert {"unit", "examples", "demo"} <= names(variation)
        assert ("killed at every point" in names(variation)) is (variation.name == "newest")
