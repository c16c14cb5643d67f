"""Tasks of two Celery workers race for the slots of a spend limit; a decorated function makes its video beside them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.system.audit import Outcome, Run
from tests.system.cases import DECORATED_PROMPT, LIMIT, LIMITED
from tests.system.cluster import Cluster, Echo, on_celery

pytestmark = [pytest.mark.system, on_celery]


def test_fifty_tasks_that_race_for_ten_slots_submit_ten(cluster: Cluster, echo: Echo) -> None:
    run = Run(cluster.stack, "limits", cluster.archive)
    run.wait(seconds=900)
    tasks, jobs = run.tasks(), cluster.stack.sandbox("ledger")["jobs"]
    submits = [each for each in tasks.values() if each.task_id == "submit"]
    billed = [job for job in jobs if job["prompt"].startswith("limited: ")]
    echo(f"\n{LIMITED} tasks on two Celery workers for {LIMIT} slots: {len(billed)} billed.")
    assert len(billed) == len({job["prompt"] for job in billed}) == LIMIT
    assert Counter(each.state for each in submits) == {"success": LIMIT, "failed": LIMITED - LIMIT}
    log = run.log(next(each for each in submits if each.state == "failed"))
    assert f"it allows {LIMIT} videos, used: {LIMIT}." in log
    assert "Nothing was submitted, nothing is billed." in log

    assert run.audit(DECORATED_PROMPT, ["decorated"], tasks, jobs) == Outcome(billed=1, result="archived", retries=0)
