"""What a store refuses is found before the submit: by the sandbox's ledger, nothing is billed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.stores.each import KINDS, each
from tests.stores.kinds import Kind, Variant
from tests.unit.operators.batch.runs import batching
from tests.unit.operators.tasks import generating
from tests.unit.worker import Report

#: What is wrong, and what to do about it.
CAUSES: dict[str, tuple[str, str]] = {
    "no_write": ("denies access", "their right to create files"),
    # SFTP has folders, which are made, or may not be.
    "missing_bucket": ("no such bucket|denies access", "Make it, or correct the destination.|their right to create"),
    "wrong_credentials": ("denies access", "Check the credentials of the connection kind"),
    "refused": ("cannot be reached|did not answer within 2 s", "Check the host or endpoint of the connection kind"),
    "silent": ("did not answer within 2 s", "Check the host or endpoint of the connection kind"),
}


def generated(folder: str) -> Report:
    return generating(f"{folder}/clip.mp4").work()


def batched(folder: str) -> Report:
    return batching(f"{folder}/", ["a cat", "a dog"]).work()  # type: ignore[arg-type]


@each(*KINDS)
@pytest.mark.parametrize("variant", CAUSES)
@pytest.mark.parametrize("task", [generated, batched], ids=["one video", "batch"])
def test_a_store_that_cannot_be_written_costs_nothing(
    kind: Kind, variant: Variant, task: Callable[[str], Report], sandbox: Sandbox, connection_extra: Any
) -> None:
    if variant in ("refused", "silent"):
        connection_extra(store_timeout=2)
    report = task(kind.uri(variant))
    assert report.state == "up_for_retry", report.error
    assert (sandbox.ledger().billed, sandbox.ledger().jobs) == (0, [])
    error: Any = report.error
    what, hint = CAUSES[variant]
    for words in (what, hint):
        assert any(word in str(error) for word in words.split("|")), error
    assert error.billing is Billing.NOT_SUBMITTED
    assert "Nothing was submitted, nothing is billed." in str(error)
