"""The stacks that the durability suites share: each environment is started once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.cluster import QUICK, Cluster, Echo
from tests.system.stack import StackSettings, running

DAGS = Path(__file__).parent / "dags"
#: Videos take 1 to 9 s; URLs expire after 20 s; a body comes in several reads.
SANDBOX = ("--speed", "60", "--tiny", "--url-seconds", "20", "--body-bytes", "3000000")
ENVIRONMENTS = {
    "local": StackSettings(DAGS, executor="LocalExecutor", database="postgres", triggerers=2, preload=True),
    "celery": StackSettings(
        DAGS, executor="CeleryExecutor", database="postgres", workers=2, triggerers=2, preload=True
    ),
}


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start the environment that the parameter names."""
    archive = tmp_path_factory.mktemp("archive")
    settings = replace(
        ENVIRONMENTS[request.param],
        env=QUICK | {"DURABILITY_ARCHIVE": archive.as_uri()},
        sandbox=(*SANDBOX, "--ledger-file", str(archive / "ledger.jsonl")),
        connection={"timeout": 5},
    )
    with running(settings) as stack:
        yield Cluster(request.param, stack, archive)


@pytest.fixture
def echo(capsys: pytest.CaptureFixture[str]) -> Echo:
    """Print a line for people, whether the test fails or not."""

    def printed(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return printed
