"""The words of the field in every text and name of the repository: none that the project had made up for itself."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("airflow_provider_siliconflow", "docs", "example_dags", "tests")
SUFFIXES = {".py", ".md", ".rst", ".sh", ".toml"}
#: This file, for it lists the words.
EXEMPT = {Path(__file__)}

#: Words that are not used anywhere, as regular expressions over whole words, and what is said instead.
ANYWHERE = {
    r"look(s|ed|ing)?": "poll",
    r"(time|place|places|wait|waits|waiting|stand|stands|minutes|them) in line": "in the queue",
    r"(take|takes|taken|taking|took) (up|off)": "re-attach to, track",
    r"refusals?|refused? (submits?|polls?|for good)": "rejection, rejected",
    r"(go|goes|going|went) on": "keep running, continue",
    r"(dead|expired|fresh) links?|links? (dies|die|died|expires)": "URL, expired URL",
    r"pictures?": "image",
    r"mend(s|ed|ing)?": "fix",
    r"doubts?": "unknown",
    r"nights?|mornings?": "scenario, recovery",
    r"houses?|rooms?|keepers?": "cluster, package, reaper process",
    r"judge(s|d|ment)?|court|fates?|strikes?": "evaluate, audit, outcome, kill injector",
    r"laws?": "invariant, rule",
    r"naps?": "recorded sleeps",
    r"(conclude|conclusion|verdict)[sd]?": "decide, decision",
    r"flights|flying|lands|landed": "in flight, pending, complete",
    r"agenda|sightings|knowledge": "scheduler, samples, estimators",
    r"budgets?": "rate limit",
    r"sinks?": "writer",
    r"nonsense": "malformed",
    r"whoever|(come|comes|came) to nothing": "plain words",
    r"tally": "apply_event",
}
#: Words that are fine in a sentence, and not used as a name in Python.
NAMES = {
    r"still": "frozen, sandbox",
    r"ways?": "variant",
    r"places?": "position, index, path",
    r"advice": "hint",
    r"wire": "http_responses, scripted_server",
}
#: Other meanings of those words.
OTHER_MEANINGS = (
    r"look(s|ed|ing)?( \w+){0,3} up",  # of a name or a connection
    r"look ups?",
    r"look(s|ed|ing)? (like|alike|for|under)",
    r"picture type",  # PyAV's
    r"under way",
    r"half way",
)


def texts() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    yield from (path for path in ROOT.iterdir() if path.suffix in SUFFIXES or path.name == "Makefile")


def words(text: str) -> str:
    """Return a text with each identifier broken into its words, in small letters."""
    return re.sub(r"[_\W]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)).lower()


def forbidden(text: str, lists: tuple[dict[str, str], ...] = (ANYWHERE,)) -> list[str]:
    """Return what the lists forbid of a text, and what to say instead."""
    plain = words(text)
    for meaning in OTHER_MEANINGS:
        plain = re.sub(rf"\b({meaning})\b", "…", plain)
    return [
        f"{found[0]!r} (say {instead})"
        for words_ in lists
        for pattern, instead in words_.items()
        for found in re.finditer(rf"\b({pattern})\b", plain)
    ]


def names(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def findings(path: Path) -> Iterator[str]:
    where = path.relative_to(ROOT)
    text = path.read_text("utf-8")
    yield from (f"{where}: {found}" for found in forbidden(path.stem, (ANYWHERE, NAMES)))
    for number, line in enumerate(text.splitlines(), 1):
        yield from (f"{where}:{number}: {found}" for found in forbidden(line))
    if path.suffix == ".py":
        for number, name in names(text):
            # The name of a test is a sentence.
            if not name.startswith("test_"):
                yield from (f"{where}:{number}: the name {name}: {found}" for found in forbidden(name, (NAMES,)))


@pytest.mark.parametrize(
    "text",
    ["it looks again", "FIRST_LOOK", "waits in line", "takes up its video", "a refusal", "the wait goes on", "PICTURE"],
)
def test_a_word_of_our_own_is_found(text: str) -> None:
    assert forbidden(text)


@pytest.mark.parametrize(
    "text",
    [
        "looked up",
        "a look-up",
        "looks the connection up",
        "command line",
        "in flight",
        "what is still there",
        "in place",
    ],
)
def test_other_meanings_are_left_alone(text: str) -> None:
    assert not forbidden(text)


def test_a_name_is_held_to_more_than_a_sentence() -> None:
    assert not forbidden("the way out")
    assert forbidden("way_out", (NAMES,))
    assert list(names("still = made  # in a way")) == [(1, "still"), (1, "made")]


def test_no_word_of_our_own() -> None:
    found = [finding for path in texts() if path not in EXEMPT for finding in findings(path)]
    assert not found, "\n".join(sorted(set(found)))
